"""Networks: EC2's VPC types."""

from local.provider.entry import Resource, call, maybe, send

_PERMISSION = """[{
    IpProtocol: inputs.ipProtocol, FromPort: inputs.fromPort, ToPort: inputs.toPort,
    IpRanges: inputs.cidrIpv4 && [{CidrIp: inputs.cidrIpv4, Description: inputs.description || ''}],
    Ipv6Ranges: inputs.cidrIpv6 && [{CidrIpv6: inputs.cidrIpv6, Description: inputs.description || ''}],
    PrefixListIds: inputs.prefixListId && [{PrefixListId: inputs.prefixListId}],
    UserIdGroupPairs: inputs.referencedSecurityGroupId
        && [{GroupId: inputs.referencedSecurityGroupId, Description: inputs.description || ''}]
}]"""
_SPECIFICATION = """[{SecurityGroupRuleId: id, SecurityGroupRule: {
    IpProtocol: inputs.ipProtocol, FromPort: inputs.fromPort, ToPort: inputs.toPort,
    CidrIpv4: inputs.cidrIpv4, CidrIpv6: inputs.cidrIpv6, PrefixListId: inputs.prefixListId,
    ReferencedGroupId: inputs.referencedSecurityGroupId, Description: inputs.description
}}]"""


def _rule(direction: str, example: dict[str, object]) -> Resource:
    name = f"securityGroup{direction.title()}Rule"
    return Resource(
        token=f"aws:vpc/{name}:{name[0].upper()}{name[1:]}",
        service="ec2",
        create=call(
            f"authorize_security_group_{direction}",
            GroupId="inputs.securityGroupId",
            IpPermissions=_PERMISSION,
        ),
        id="created.SecurityGroupRules[0].SecurityGroupRuleId",
        read=[call("describe_security_group_rules", SecurityGroupRuleIds="[id]", at="SecurityGroupRules[0]")],
        update=[
            call(
                "modify_security_group_rules",
                GroupId="inputs.securityGroupId",
                SecurityGroupRules=_SPECIFICATION,
            )
        ],
        delete=[
            call(
                f"revoke_security_group_{direction}",
                GroupId="inputs.securityGroupId",
                SecurityGroupRuleIds="[id]",
            )
        ],
        names={"securityGroupId": "GroupId"},
        reads={"referencedSecurityGroupId": "ReferencedGroupInfo.GroupId"},
        kept=["description"],
        replace=["securityGroupId"],
        outputs={
            "securityGroupRuleId": "id",
            "arn": "arn('ec2', join('/', ['security-group-rule', id]))",
        },
        tag_type="security-group-rule",
        tag_id="id",
        example=example,
        change={"toPort": 8443},
    )


_LAUNCH_DATA = """{
    SecurityGroupIds: inputs.vpcSecurityGroupIds,
    MetadataOptions: inputs.metadataOptions && {
        HttpEndpoint: inputs.metadataOptions.httpEndpoint, HttpTokens: inputs.metadataOptions.httpTokens,
        HttpPutResponseHopLimit: inputs.metadataOptions.httpPutResponseHopLimit
    },
    BlockDeviceMappings: inputs.blockDeviceMappings[].{DeviceName: deviceName, Ebs: {
        VolumeSize: ebs.volumeSize, VolumeType: ebs.volumeType,
        Encrypted: ebs.encrypted == 'true', DeleteOnTermination: ebs.deleteOnTermination == 'true'
    }},
    TagSpecifications: inputs.tagSpecifications[].{ResourceType: resourceType, Tags: pairs(tags)}
}"""

TYPES = [
    Resource(
        token="aws:ec2/vpc:Vpc",
        service="ec2",
        create=send("create_vpc"),
        id="created.Vpc.VpcId",
        read=[
            call("describe_vpcs", VpcIds="[id]", at="Vpcs[0]"),
            call(
                "describe_vpc_attribute",
                VpcId="id",
                Attribute="'enableDnsSupport'",
                at="{enableDnsSupport: EnableDnsSupport.Value}",
            ),
            call(
                "describe_vpc_attribute",
                VpcId="id",
                Attribute="'enableDnsHostnames'",
                at="{enableDnsHostnames: EnableDnsHostnames.Value}",
            ),
            call(
                "describe_vpc_attribute",
                VpcId="id",
                Attribute="'enableNetworkAddressUsageMetrics'",
                at="{enableNetworkAddressUsageMetrics: EnableNetworkAddressUsageMetrics.Value}",
            ),
            maybe(
                "describe_route_tables",
                Filters="[{Name: 'vpc-id', Values: [id]}, {Name: 'association.main', Values: ['true']}]",
                at="{mainRouteTableId: RouteTables[0].RouteTableId}",
            ),
            maybe(
                "describe_security_groups",
                Filters="[{Name: 'vpc-id', Values: [id]}, {Name: 'group-name', Values: ['default']}]",
                at="{defaultSecurityGroupId: SecurityGroups[0].GroupId}",
            ),
            maybe(
                "describe_network_acls",
                Filters="[{Name: 'vpc-id', Values: [id]}, {Name: 'default', Values: ['true']}]",
                at="{defaultNetworkAclId: NetworkAcls[0].NetworkAclId}",
            ),
        ],
        after=[
            call("modify_vpc_attribute", VpcId="id", EnableDnsSupport="{Value: inputs.enableDnsSupport}"),
            call("modify_vpc_attribute", VpcId="id", EnableDnsHostnames="{Value: inputs.enableDnsHostnames}"),
            call(
                "modify_vpc_attribute",
                VpcId="id",
                EnableNetworkAddressUsageMetrics="{Value: inputs.enableNetworkAddressUsageMetrics}",
            ),
        ],
        delete=[call("delete_vpc", VpcId="id")],
        replace=["cidrBlock", "instanceTenancy"],
        outputs={
            "arn": "arn('ec2', join('/', ['vpc', id]))",
            "ownerId": "account()",
            "defaultRouteTableId": "read.mainRouteTableId",
        },
        tag_type="vpc",
        tag_id="id",
        example={"cidrBlock": "10.0.0.0/16", "enableDnsSupport": True, "tags": {"Name": "example"}},
        change={"enableDnsHostnames": True},
    ),
    Resource(
        token="aws:ec2/subnet:Subnet",
        service="ec2",
        create=send("create_subnet"),
        id="created.Subnet.SubnetId",
        read=[call("describe_subnets", SubnetIds="[id]", at="Subnets[0]")],
        after=[
            call(
                "modify_subnet_attribute",
                SubnetId="id",
                MapPublicIpOnLaunch="{Value: inputs.mapPublicIpOnLaunch}",
            ),
            call(
                "modify_subnet_attribute",
                SubnetId="id",
                AssignIpv6AddressOnCreation="{Value: inputs.assignIpv6AddressOnCreation}",
            ),
            call(
                "modify_subnet_attribute",
                SubnetId="id",
                PrivateDnsHostnameTypeOnLaunch="inputs.privateDnsHostnameTypeOnLaunch",
            ),
        ],
        delete=[call("delete_subnet", SubnetId="id")],
        kept=["privateDnsHostnameTypeOnLaunch"],
        replace=["vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId", "ipv6CidrBlock"],
        outputs={"arn": "arn('ec2', join('/', ['subnet', id]))", "ownerId": "account()"},
        tag_type="subnet",
        tag_id="id",
        example={
            "vpcId": "{aws:ec2/vpc:Vpc}",
            "cidrBlock": "10.0.0.0/24",
            "availabilityZone": "us-east-1a",
            "mapPublicIpOnLaunch": False,
        },
        change={"mapPublicIpOnLaunch": True},
    ),
    Resource(
        token="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create=call("create_internet_gateway"),
        id="created.InternetGateway.InternetGatewayId",
        read=[call("describe_internet_gateways", InternetGatewayIds="[id]", at="InternetGateways[0]")],
        after=[call("attach_internet_gateway", InternetGatewayId="id", VpcId="inputs.vpcId")],
        delete=[
            call("detach_internet_gateway", InternetGatewayId="id", VpcId="inputs.vpcId"),
            call("delete_internet_gateway", InternetGatewayId="id"),
        ],
        reads={"vpcId": "Attachments[0].VpcId"},
        replace=["vpcId"],
        outputs={"arn": "arn('ec2', join('/', ['internet-gateway', id]))", "ownerId": "account()"},
        tag_type="internet-gateway",
        tag_id="id",
        gone=["Gateway.NotAttached"],
        example={"vpcId": "{aws:ec2/vpc:Vpc}"},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:ec2/eip:Eip",
        service="ec2",
        create=send("allocate_address"),
        id="created.AllocationId",
        read=[call("describe_addresses", AllocationIds="[id]", at="Addresses[0]")],
        delete=[call("release_address", AllocationId="id")],
        replace=["domain", "publicIpv4Pool", "networkBorderGroup", "address"],
        outputs={
            "allocationId": "id",
            "publicIp": "read.PublicIp",
            "arn": "arn('ec2', join('/', ['elastic-ip', id]))",
        },
        tag_type="elastic-ip",
        tag_id="id",
        example={"domain": "vpc"},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:ec2/natGateway:NatGateway",
        service="ec2",
        create=send("create_nat_gateway"),
        id="created.NatGateway.NatGatewayId",
        read=[
            call(
                "describe_nat_gateways",
                NatGatewayIds="[id]",
                at="NatGateways[?State!='deleted' && State!='deleting'] | [0]",
            )
        ],
        delete=[call("delete_nat_gateway", NatGatewayId="id")],
        reads={"allocationId": "NatGatewayAddresses[0].AllocationId"},
        replace=["allocationId", "subnetId", "connectivityType", "privateIp"],
        outputs={
            "publicIp": "read.NatGatewayAddresses[0].PublicIp",
            "privateIp": "read.NatGatewayAddresses[0].PrivateIp",
            "networkInterfaceId": "read.NatGatewayAddresses[0].NetworkInterfaceId",
        },
        tag_type="natgateway",
        tag_id="id",
        example={"allocationId": "{aws:ec2/eip:Eip}", "subnetId": "{aws:ec2/subnet:Subnet}"},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create=send("create_route_table"),
        id="created.RouteTable.RouteTableId",
        read=[call("describe_route_tables", RouteTableIds="[id]", at="RouteTables[0]")],
        delete=[call("delete_route_table", RouteTableId="id")],
        replace=["vpcId"],
        outputs={"arn": "arn('ec2', join('/', ['route-table', id]))", "ownerId": "account()"},
        tag_type="route-table",
        tag_id="id",
        example={"vpcId": "{aws:ec2/vpc:Vpc}"},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:ec2/route:Route",
        service="ec2",
        create=send("create_route"),
        id="join('_', [inputs.routeTableId, inputs.destinationCidrBlock || inputs.destinationIpv6CidrBlock])",
        read=[
            call(
                "describe_route_tables",
                RouteTableIds="[inputs.routeTableId]",
                at="RouteTables[0].Routes",
                where={
                    "DestinationCidrBlock": "inputs.destinationCidrBlock",
                    "DestinationIpv6CidrBlock": "inputs.destinationIpv6CidrBlock",
                },
            )
        ],
        update=[
            call(
                "replace_route",
                RouteTableId="inputs.routeTableId",
                DestinationCidrBlock="inputs.destinationCidrBlock",
                DestinationIpv6CidrBlock="inputs.destinationIpv6CidrBlock",
                GatewayId="inputs.gatewayId",
                NatGatewayId="inputs.natGatewayId",
                VpcEndpointId="inputs.vpcEndpointId",
                TransitGatewayId="inputs.transitGatewayId",
                NetworkInterfaceId="inputs.networkInterfaceId",
                VpcPeeringConnectionId="inputs.vpcPeeringConnectionId",
            )
        ],
        delete=[
            call(
                "delete_route",
                RouteTableId="inputs.routeTableId",
                DestinationCidrBlock="inputs.destinationCidrBlock",
                DestinationIpv6CidrBlock="inputs.destinationIpv6CidrBlock",
            )
        ],
        replace=["routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock"],
        example={
            "routeTableId": "{aws:ec2/routeTable:RouteTable}",
            "destinationCidrBlock": "0.0.0.0/0",
            "natGatewayId": "{aws:ec2/natGateway:NatGateway}",
        },
        change={"natGatewayId": None, "gatewayId": "{aws:ec2/internetGateway:InternetGateway}"},
    ),
    Resource(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create=send("associate_route_table"),
        id="created.AssociationId",
        read=[
            call(
                "describe_route_tables",
                Filters="[{Name: 'association.route-table-association-id', Values: [id]}]",
                at="RouteTables[0].Associations",
                where={"RouteTableAssociationId": "id"},
            )
        ],
        delete=[call("disassociate_route_table", AssociationId="id")],
        replace=["routeTableId", "subnetId", "gatewayId"],
        example={"routeTableId": "{aws:ec2/routeTable:RouteTable}", "subnetId": "{aws:ec2/subnet:Subnet}"},
        change={"subnetId": "{aws:ec2/subnet:Subnet}"},
    ),
    Resource(
        token="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        service="ec2",
        create=call(
            "describe_security_groups",
            on=["vpcId"],
            Filters="[{Name: 'vpc-id', Values: [inputs.vpcId]}, {Name: 'group-name', Values: ['default']}]",
        ),
        id="created.SecurityGroups[0].GroupId",
        read=[call("describe_security_groups", GroupIds="[id]", at="SecurityGroups[0]")],
        after=[
            # Adopting the group empties it; rules of its own are left to rule resources.
            call(
                "revoke_security_group_ingress",
                when="created.SecurityGroups[0].IpPermissions",
                GroupId="id",
                IpPermissions="created.SecurityGroups[0].IpPermissions",
            ),
            call(
                "revoke_security_group_egress",
                when="created.SecurityGroups[0].IpPermissionsEgress",
                GroupId="id",
                IpPermissions="created.SecurityGroups[0].IpPermissionsEgress",
            ),
        ],
        replace=["vpcId"],
        outputs={
            "arn": "arn('ec2', join('/', ['security-group', id]))",
            "name": "read.GroupName",
            "ownerId": "account()",
        },
        tag_id="id",
        example={"vpcId": "{aws:ec2/vpc:Vpc}"},
        change={"tags": {"Name": "closed"}},
    ),
    Resource(
        token="aws:ec2/securityGroup:SecurityGroup",
        service="ec2",
        create=send("create_security_group"),
        id="created.GroupId",
        read=[call("describe_security_groups", GroupIds="[id]", at="SecurityGroups[0]")],
        # EC2 lets a new group out to everywhere; the provider takes that away.
        after=[
            call(
                "revoke_security_group_egress",
                GroupId="id",
                IpPermissions="[{IpProtocol: '-1', IpRanges: [{CidrIp: '0.0.0.0/0'}]}]",
            )
        ],
        delete=[call("delete_security_group", GroupId="id")],
        names={"name": "GroupName", "description": "Description"},
        local=["revokeRulesOnDelete"],
        replace=["name", "description", "vpcId"],
        outputs={"arn": "arn('ec2', join('/', ['security-group', id]))", "ownerId": "account()"},
        auto_name="name",
        tag_type="security-group",
        tag_id="id",
        example={"vpcId": "{aws:ec2/vpc:Vpc}", "description": "example"},
        change={"tags": {"Name": "changed"}},
    ),
    _rule(
        "ingress",
        {
            "securityGroupId": "{aws:ec2/securityGroup:SecurityGroup}",
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrIpv4": "10.0.0.0/8",
            "description": "https",
        },
    ),
    _rule(
        "egress",
        {
            "securityGroupId": "{aws:ec2/securityGroup:SecurityGroup}",
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "referencedSecurityGroupId": "{aws:ec2/securityGroup:SecurityGroup}",
        },
    ),
    Resource(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        create=send("create_vpc_endpoint", PolicyDocument="inputs.policy"),
        id="created.VpcEndpoint.VpcEndpointId",
        read=[
            call(
                "describe_vpc_endpoints",
                VpcEndpointIds="[id]",
                at="VpcEndpoints[?State!='deleted'] | [0]",
            )
        ],
        update=[
            call(
                "modify_vpc_endpoint",
                VpcEndpointId="id",
                PolicyDocument="inputs.policy",
                PrivateDnsEnabled="inputs.privateDnsEnabled",
                AddRouteTableIds="minus(inputs.routeTableIds, old.routeTableIds)",
                RemoveRouteTableIds="minus(old.routeTableIds, inputs.routeTableIds)",
                AddSubnetIds="minus(inputs.subnetIds, old.subnetIds)",
                RemoveSubnetIds="minus(old.subnetIds, inputs.subnetIds)",
                AddSecurityGroupIds="minus(inputs.securityGroupIds, old.securityGroupIds)",
                RemoveSecurityGroupIds="minus(old.securityGroupIds, inputs.securityGroupIds)",
            )
        ],
        delete=[call("delete_vpc_endpoints", VpcEndpointIds="[id]")],
        names={"policy": "PolicyDocument"},
        reads={"securityGroupIds": "Groups[].GroupId"},
        kept=["ipAddressType", "dnsOptions", "privateDnsEnabled"],
        replace=["vpcId", "serviceName", "vpcEndpointType", "ipAddressType", "dnsOptions"],
        outputs={
            "arn": "arn('ec2', join('/', ['vpc-endpoint', id]))",
            "ownerId": "account()",
            "prefixListId": "starts_with(inputs.vpcEndpointType || 'Gateway', 'Gateway') && 'pl-63a5400a' || null",
            "networkInterfaceIds": "read.NetworkInterfaceIds",
        },
        tag_type="vpc-endpoint",
        tag_id="id",
        example={
            "vpcId": "{aws:ec2/vpc:Vpc}",
            "serviceName": "com.amazonaws.us-east-1.s3",
            "vpcEndpointType": "Gateway",
            "routeTableIds": ["{aws:ec2/routeTable:RouteTable}"],
        },
        change={"policy": '{"Version": "2012-10-17", "Statement": []}'},
    ),
    Resource(
        token="aws:ec2/flowLog:FlowLog",
        service="ec2",
        create=send(
            "create_flow_logs",
            ResourceIds="[inputs.vpcId || inputs.subnetId || inputs.eniId]",
            ResourceType="inputs.vpcId && 'VPC' || inputs.subnetId && 'Subnet' || 'NetworkInterface'",
            DeliverLogsPermissionArn="inputs.iamRoleArn",
        ),
        id="created.FlowLogIds[0]",
        read=[call("describe_flow_logs", FlowLogIds="[id]", at="FlowLogs[0]")],
        delete=[call("delete_flow_logs", FlowLogIds="[id]")],
        names={"iamRoleArn": "DeliverLogsPermissionArn"},
        reads={"vpcId": "ResourceId", "subnetId": "ResourceId", "eniId": "ResourceId"},
        kept=["destinationOptions"],
        replace=[
            "vpcId",
            "subnetId",
            "eniId",
            "trafficType",
            "iamRoleArn",
            "logDestination",
            "logDestinationType",
            "logFormat",
            "maxAggregationInterval",
            "destinationOptions",
        ],
        outputs={"arn": "arn('ec2', join('/', ['vpc-flow-log', id]))"},
        tag_type="vpc-flow-log",
        tag_id="id",
        example={
            "vpcId": "{aws:ec2/vpc:Vpc}",
            "trafficType": "ALL",
            "logDestination": "{aws:cloudwatch/logGroup:LogGroup.arn}",
            "iamRoleArn": "{aws:iam/role:Role.arn}",
            "maxAggregationInterval": 60,
        },
        change={"logDestination": "{aws:cloudwatch/logGroup:LogGroup.arn}"},
    ),
    Resource(
        # Recorded: nothing in the emulator would start a machine from it.
        token="aws:ec2/launchTemplate:LaunchTemplate",
        service="ec2",
        recorded=True,
        create=call(
            "create_launch_template",
            LaunchTemplateName="inputs.name",
            VersionDescription="inputs.description",
            LaunchTemplateData=_LAUNCH_DATA,
            TagSpecifications="[{ResourceType: 'launch-template', Tags: pairs(inputs.tags)}]",
        ),
        id="join('-', ['lt', hex(`17`)])",
        local=["updateDefaultVersion"],
        replace=["name"],
        auto_name="name",
        auto_length=128,
        outputs={
            "arn": "arn('ec2', join('/', ['launch-template', id]))",
            "latestVersion": "`1`",
        },
        example={
            "description": "example",
            "vpcSecurityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
            },
            "blockDeviceMappings": [
                {
                    "deviceName": "/dev/xvda",
                    "ebs": {
                        "volumeSize": 50,
                        "volumeType": "gp3",
                        "encrypted": "true",
                        "deleteOnTermination": "true",
                    },
                }
            ],
            "tagSpecifications": [{"resourceType": "instance", "tags": {"Name": "example"}}],
            "updateDefaultVersion": True,
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
]
