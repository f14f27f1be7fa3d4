"""Client VPN endpoints. The emulator has no API for them."""

from local.provider.entry import Resource, call, send

TYPES = [
    Resource(
        token="aws:ec2clientvpn/endpoint:Endpoint",
        service="ec2",
        recorded=True,
        create=send(
            "create_client_vpn_endpoint",
            AuthenticationOptions="""inputs.authenticationOptions[].{
                Type: type,
                ActiveDirectory: activeDirectoryId && {DirectoryId: activeDirectoryId},
                MutualAuthentication: rootCertificateChainArn
                    && {ClientRootCertificateChainArn: rootCertificateChainArn},
                FederatedAuthentication: samlProviderArn && {
                    SAMLProviderArn: samlProviderArn, SelfServiceSAMLProviderArn: selfServiceSamlProviderArn
                }
            }""",
        ),
        id="join('-', ['cvpn-endpoint', hex(`17`)])",
        names={"endpointIpAddressType": "EndpointIpAddressType"},
        nested={
            "cloudwatchLogGroup": "CloudwatchLogGroup",
            "cloudwatchLogStream": "CloudwatchLogStream",
        },
        replace=["clientCidrBlock", "authenticationOptions", "transportProtocol"],
        outputs={
            "arn": "arn('ec2', join('/', ['client-vpn-endpoint', id]))",
            "dnsName": "join('', ['*.', id, '.prod.clientvpn.', region(), '.amazonaws.com'])",
        },
        tag_type="client-vpn-endpoint",
        example={
            "description": "example",
            "clientCidrBlock": "10.250.0.0/22",
            "serverCertificateArn": "{aws:acm/certificate:Certificate.arn}",
            "authenticationOptions": [
                {
                    "type": "certificate-authentication",
                    "rootCertificateChainArn": "{aws:acm/certificate:Certificate.arn}",
                }
            ],
            "connectionLogOptions": {
                "enabled": True,
                "cloudwatchLogGroup": "{aws:cloudwatch/logGroup:LogGroup}",
            },
            "vpcId": "{aws:ec2/vpc:Vpc}",
            "securityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "splitTunnel": True,
            "dnsServers": ["10.0.0.2"],
            "sessionTimeoutHours": 8,
            "disconnectOnSessionTimeout": True,
            "tags": {"Name": "example"},
        },
        change={"splitTunnel": False, "sessionTimeoutHours": 10},
    ),
    Resource(
        token="aws:ec2clientvpn/networkAssociation:NetworkAssociation",
        service="ec2",
        recorded=True,
        create=send("associate_client_vpn_target_network"),
        id="join('-', ['cvpn-assoc', hex(`17`)])",
        replace=["clientVpnEndpointId", "subnetId"],
        outputs={"associationId": "id"},
        example={
            "clientVpnEndpointId": "{aws:ec2clientvpn/endpoint:Endpoint}",
            "subnetId": "{aws:ec2/subnet:Subnet}",
        },
        change={"subnetId": "{aws:ec2/subnet:Subnet}"},
    ),
    Resource(
        token="aws:ec2clientvpn/authorizationRule:AuthorizationRule",
        service="ec2",
        recorded=True,
        create=call(
            "authorize_client_vpn_ingress",
            ClientVpnEndpointId="inputs.clientVpnEndpointId",
            TargetNetworkCidr="inputs.targetNetworkCidr",
            AccessGroupId="inputs.accessGroupId",
            AuthorizeAllGroups="inputs.authorizeAllGroups",
            Description="inputs.description",
        ),
        id="join(',', [inputs.clientVpnEndpointId, inputs.targetNetworkCidr])",
        replace=[
            "clientVpnEndpointId",
            "targetNetworkCidr",
            "accessGroupId",
            "authorizeAllGroups",
            "description",
        ],
        delete_first=True,
        example={
            "clientVpnEndpointId": "{aws:ec2clientvpn/endpoint:Endpoint}",
            "targetNetworkCidr": "10.0.0.0/24",
            "authorizeAllGroups": True,
            "description": "example",
        },
        change={"targetNetworkCidr": "10.0.1.0/24"},
    ),
]
