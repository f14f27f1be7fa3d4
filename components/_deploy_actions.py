"""Which IAM actions each type of resource takes: to read it, to make and change it, to destroy it.

Data. Actions are those that the AWS provider's calls are checked against, in the spelling of AWS's "Service
Authorization Reference"; where an action has another name than the call (s3:PutLifecycleConfiguration), where a call
needs another service's action too (rds:CreateDBInstance needs ec2:DescribeSubnets), and which actions know no tags, is
from there as well (read in November 2026). A new type needs an entry; the tests compare the entries with the calls of
the local provider and with an extract of the reference (tests/iam_reference.json).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# What an action may be used on. Which ARNs and conditions that becomes: _deploy_policy.
Target = Literal[
    "any",  # what is new, bears no tags, or also touches such: all but what bears another stack's tags
    "own",  # only what bears the stack's tags
    "bucket",  # buckets by name, and
    "object",  # what is in them
    "role",  # roles under the stack's path,
    "bounded role",  # those of them that one of the boundaries holds, and
    "attachment",  # the same, but only with the AWS policies that the stack attaches
    "zone",  # the hosted zone, or every zone where the stack makes its own
    "dashboard",
    "alias",  # of a key
    "scaling alarm",  # those that Application Auto Scaling makes for a policy
]


@dataclass(frozen=True, kw_only=True)
class Rights:
    """Actions are texts with spaces between them. `destroy` is left out where Pulumi protects all of the type.

    `passes_to` are services that get a role, `linked` those whose service-linked role may have to be made.
    `with_key` is set where a service gets a grant on a key of the stack; `decrypted_by` is the service that decrypts
    part of what it shows with the rights of who asks.
    """

    read: str = ""
    write: Mapping[Target, str] = field(default_factory=dict)
    destroy: Mapping[Target, str] = field(default_factory=dict)
    passes_to: str = ""
    linked: str = ""
    with_key: bool = False
    decrypted_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """The actions with which a service's tags are read, set and removed; a service may show tags as it is read."""

    read: str = ""
    write: Mapping[Target, str]


def _tagging(service: str, sets: str, removes: str, read: str = "") -> Tagging:
    return Tagging(
        read=f"{service}:{read}" if read else "",
        write={"any": f"{service}:{sets}", "own": f"{service}:{removes}"},
    )


def _usual(service: str, read: str = "ListTagsForResource") -> Tagging:
    return _tagging(service, "TagResource", "UntagResource", read)


# By the prefix of the service's actions.
TAGGING: Mapping[str, Tagging] = {
    "acm": _tagging(
        "acm", "AddTagsToCertificate", "RemoveTagsFromCertificate", read="ListTagsForCertificate"
    ),
    "application-autoscaling": _usual("application-autoscaling"),
    "aps": _usual("aps"),
    "backup": _usual("backup", read="ListTags"),
    "cloudfront": _usual("cloudfront"),
    "cloudwatch": _usual("cloudwatch"),
    "ec2": _tagging("ec2", "CreateTags", "DeleteTags"),
    "ecr": _usual("ecr"),
    "ecs": _usual("ecs"),
    "eks": _usual("eks"),
    "elasticache": _tagging(
        "elasticache", "AddTagsToResource", "RemoveTagsFromResource", read="ListTagsForResource"
    ),
    "elasticloadbalancing": _tagging("elasticloadbalancing", "AddTags", "RemoveTags", read="DescribeTags"),
    "events": _usual("events"),
    "grafana": _usual("grafana"),
    "guardduty": _usual("guardduty"),
    "iam": Tagging(read="iam:ListRoleTags", write={"role": "iam:TagRole iam:UntagRole"}),
    "kms": _usual("kms", read="ListResourceTags"),
    "lambda": _usual("lambda", read="ListTags"),
    "logs": _usual("logs"),
    "mq": _tagging("mq", "CreateTags", "DeleteTags", read="ListTags"),
    "rds": _tagging("rds", "AddTagsToResource", "RemoveTagsFromResource", read="ListTagsForResource"),
    # A zone and a health check bear tags that no condition can ask for.
    "route53": Tagging(read="route53:ListTagsForResource", write={"any": "route53:ChangeTagsForResource"}),
    "s3": Tagging(
        read="s3:GetBucketTagging s3:ListTagsForResource",
        write={"bucket": "s3:PutBucketTagging s3:TagResource s3:UntagResource"},
    ),
    "scheduler": _usual("scheduler"),
    "secretsmanager": _usual("secretsmanager", read=""),
    "servicediscovery": Tagging(
        read="servicediscovery:ListTagsForResource",
        write={"any": "servicediscovery:TagResource servicediscovery:UntagResource"},
    ),
    "sns": _usual("sns"),
    "sqs": _tagging("sqs", "TagQueue", "UntagQueue", read="ListQueueTags"),
    "wafv2": _usual("wafv2"),
}

# What the provider and the services themselves look at before they put something into a network.
_NETWORK = (
    "ec2:DescribeAccountAttributes ec2:DescribeInternetGateways ec2:DescribeNetworkInterfaces "
    "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcAttribute ec2:DescribeVpcs"
)
# A service that was just deleted leaves interfaces behind, which the provider removes before subnet and group.
_LEFT_BEHIND = "ec2:DeleteNetworkInterface ec2:DetachNetworkInterface"
# A service that writes logs by itself (CloudWatch Logs, "Enable logging from AWS services").
_LOG_DELIVERY_READ = (
    "logs:DescribeLogGroups logs:DescribeResourcePolicies logs:GetLogDelivery logs:ListLogDeliveries"
)
_LOG_DELIVERY = "logs:CreateLogDelivery logs:DeleteLogDelivery logs:PutResourcePolicy logs:UpdateLogDelivery"
# RDS keeps the master password that it manages in a secret, which it makes with the caller's rights.
_MASTER_SECRET = (
    "secretsmanager:CreateSecret secretsmanager:DescribeSecret secretsmanager:RotateSecret "
    "secretsmanager:TagResource"
)
_DATABASE = f"ec2:DescribeAvailabilityZones rds:DescribeDBEngineVersions {_NETWORK}"

TYPES: Mapping[str, Rights] = {
    "aws:acm/certificate:Certificate": Rights(
        read="acm:DescribeCertificate",
        write={
            "any": "acm:RequestCertificate",
            "own": "acm:DeleteCertificate acm:UpdateCertificateOptions",
        },
    ),
    "aws:acm/certificateValidation:CertificateValidation": Rights(read="acm:DescribeCertificate"),
    "aws:amp/alertManagerDefinition:AlertManagerDefinition": Rights(
        read="aps:DescribeAlertManagerDefinition",
        write={
            "own": "aps:CreateAlertManagerDefinition aps:DeleteAlertManagerDefinition "
            "aps:PutAlertManagerDefinition"
        },
    ),
    "aws:amp/ruleGroupNamespace:RuleGroupNamespace": Rights(
        read="aps:DescribeRuleGroupsNamespace",
        write={
            "any": "aps:CreateRuleGroupsNamespace",
            "own": "aps:DeleteRuleGroupsNamespace aps:PutRuleGroupsNamespace",
        },
    ),
    "aws:amp/workspace:Workspace": Rights(
        read=f"aps:DescribeLoggingConfiguration aps:DescribeWorkspace {_LOG_DELIVERY_READ}",
        write={
            "any": f"aps:CreateWorkspace {_LOG_DELIVERY}",
            "own": "aps:CreateLoggingConfiguration aps:DeleteLoggingConfiguration aps:DeleteWorkspace "
            "aps:UpdateLoggingConfiguration aps:UpdateWorkspaceAlias",
        },
        with_key=True,
    ),
    "aws:appautoscaling/policy:Policy": Rights(
        read="application-autoscaling:DescribeScalingPolicies cloudwatch:DescribeAlarms",
        write={
            "own": "application-autoscaling:DeleteScalingPolicy application-autoscaling:PutScalingPolicy",
            "scaling alarm": "cloudwatch:DeleteAlarms cloudwatch:PutMetricAlarm",
        },
    ),
    "aws:appautoscaling/scheduledAction:ScheduledAction": Rights(
        read="application-autoscaling:DescribeScheduledActions",
        write={
            "own": "application-autoscaling:DeleteScheduledAction application-autoscaling:PutScheduledAction"
        },
    ),
    "aws:appautoscaling/target:Target": Rights(
        read="application-autoscaling:DescribeScalableTargets",
        write={
            "any": "application-autoscaling:RegisterScalableTarget",
            "own": "application-autoscaling:DeregisterScalableTarget",
        },
        linked="ecs.application-autoscaling.amazonaws.com",
    ),
    "aws:backup/plan:Plan": Rights(
        read="backup:GetBackupPlan",
        write={"any": "backup:CreateBackupPlan", "own": "backup:DeleteBackupPlan backup:UpdateBackupPlan"},
        linked="backup.amazonaws.com",
    ),
    "aws:backup/restoreTestingPlan:RestoreTestingPlan": Rights(
        read="backup:GetRestoreTestingPlan",
        write={
            "any": "backup:CreateRestoreTestingPlan",
            "own": "backup:DeleteRestoreTestingPlan backup:UpdateRestoreTestingPlan",
        },
        linked="restore-testing.backup.amazonaws.com",
    ),
    "aws:backup/restoreTestingSelection:RestoreTestingSelection": Rights(
        read="backup:GetRestoreTestingSelection",
        write={
            "own": "backup:CreateRestoreTestingSelection backup:DeleteRestoreTestingSelection "
            "backup:UpdateRestoreTestingSelection"
        },
        passes_to="backup.amazonaws.com",
    ),
    "aws:backup/selection:Selection": Rights(
        read="backup:GetBackupSelection",
        write={"own": "backup:CreateBackupSelection backup:DeleteBackupSelection"},
        passes_to="backup.amazonaws.com",
    ),
    "aws:backup/vault:Vault": Rights(
        read="backup:DescribeBackupVault",
        write={"any": "backup-storage:MountCapsule backup:CreateBackupVault"},
        destroy={"own": "backup:DeleteBackupVault"},
        with_key=True,
    ),
    # Who may lift the lock may delete backups: see WITHHELD.
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": Rights(
        read="backup:DescribeBackupVault", write={"own": "backup:PutBackupVaultLockConfiguration"}
    ),
    "aws:backup/vaultNotifications:VaultNotifications": Rights(
        read="backup:GetBackupVaultNotifications",
        write={"own": "backup:DeleteBackupVaultNotifications backup:PutBackupVaultNotifications"},
    ),
    "aws:backup/vaultPolicy:VaultPolicy": Rights(
        read="backup:GetBackupVaultAccessPolicy",
        write={"own": "backup:PutBackupVaultAccessPolicy"},
    ),
    "aws:cloudfront/cachePolicy:CachePolicy": Rights(
        read="cloudfront:GetCachePolicy",
        write={
            "any": "cloudfront:CreateCachePolicy cloudfront:DeleteCachePolicy cloudfront:UpdateCachePolicy"
        },
    ),
    "aws:cloudfront/distribution:Distribution": Rights(
        read="cloudfront:GetDistribution cloudfront:GetDistributionConfig wafv2:GetWebACL",
        write={
            "any": "cloudfront:CreateDistribution",
            "own": "cloudfront:DeleteDistribution cloudfront:UpdateDistribution",
        },
    ),
    "aws:cloudfront/originAccessControl:OriginAccessControl": Rights(
        read="cloudfront:GetOriginAccessControl",
        write={
            "any": "cloudfront:CreateOriginAccessControl cloudfront:DeleteOriginAccessControl "
            "cloudfront:UpdateOriginAccessControl"
        },
    ),
    "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": Rights(
        read="cloudfront:GetResponseHeadersPolicy",
        write={
            "any": "cloudfront:CreateResponseHeadersPolicy cloudfront:DeleteResponseHeadersPolicy "
            "cloudfront:UpdateResponseHeadersPolicy"
        },
    ),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": Rights(
        read="cloudwatch:DescribeAlarms",
        write={"any": "cloudwatch:PutCompositeAlarm", "own": "cloudwatch:DeleteAlarms"},
    ),
    "aws:cloudwatch/dashboard:Dashboard": Rights(
        read="cloudwatch:GetDashboard",
        write={"dashboard": "cloudwatch:DeleteDashboards cloudwatch:PutDashboard"},
    ),
    "aws:cloudwatch/eventRule:EventRule": Rights(
        read="events:DescribeRule",
        write={"any": "events:PutRule", "own": "events:DeleteRule events:DisableRule events:EnableRule"},
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Rights(
        read="events:ListTargetsByRule",
        write={"own": "events:PutTargets events:RemoveTargets"},
        passes_to="events.amazonaws.com",
    ),
    "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy": Rights(
        read="logs:DescribeLogGroups logs:GetDataProtectionPolicy",
        write={"own": "logs:DeleteDataProtectionPolicy logs:PutDataProtectionPolicy"},
    ),
    "aws:cloudwatch/logDelivery:LogDelivery": Rights(
        read="logs:DescribeDeliveries logs:GetDelivery s3:GetBucketPolicy",
        write={"any": "logs:CreateDelivery logs:UpdateDeliveryConfiguration", "own": "logs:DeleteDelivery"},
    ),
    "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": Rights(
        read="logs:DescribeDeliveryDestinations logs:GetDeliveryDestination",
        write={"any": "logs:PutDeliveryDestination", "own": "logs:DeleteDeliveryDestination"},
    ),
    "aws:cloudwatch/logDeliverySource:LogDeliverySource": Rights(
        read="logs:DescribeDeliverySources logs:GetDeliverySource",
        write={
            # The reference has DeleteDeliverySource on destinations; whichever it is asked for, this holds.
            "any": "logs:DeleteDeliverySource logs:PutDeliverySource",
            "own": "cloudfront:AllowVendedLogDeliveryForResource",
        },
    ),
    "aws:cloudwatch/logGroup:LogGroup": Rights(
        read="logs:DescribeLogGroups",
        write={
            "any": "logs:CreateLogGroup",
            "own": "logs:AssociateKmsKey logs:DeleteLogGroup logs:DeleteRetentionPolicy "
            "logs:DisassociateKmsKey logs:PutRetentionPolicy",
        },
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Rights(
        read="logs:DescribeMetricFilters",
        write={"own": "logs:DeleteMetricFilter logs:PutMetricFilter"},
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Rights(
        read="cloudwatch:DescribeAlarms",
        write={"any": "cloudwatch:PutMetricAlarm", "own": "cloudwatch:DeleteAlarms"},
    ),
    "aws:cloudwatch/queryDefinition:QueryDefinition": Rights(
        read="logs:DescribeQueryDefinitions",
        write={"any": "logs:DeleteQueryDefinition logs:PutQueryDefinition"},
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Rights(
        read="ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups",
        write={"own": "ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress"},
    ),
    "aws:ec2/eip:Eip": Rights(
        read="ec2:DescribeAddresses ec2:DescribeAddressesAttribute",
        write={"any": "ec2:AllocateAddress", "own": "ec2:DisassociateAddress ec2:ReleaseAddress"},
    ),
    "aws:ec2/flowLog:FlowLog": Rights(
        read="ec2:DescribeFlowLogs",
        write={
            "any": "ec2:CreateFlowLogs logs:CreateLogDelivery logs:DeleteLogDelivery",
            "own": "ec2:DeleteFlowLogs",
        },
        passes_to="vpc-flow-logs.amazonaws.com",
    ),
    "aws:ec2/internetGateway:InternetGateway": Rights(
        read="ec2:DescribeInternetGateways",
        write={
            "any": "ec2:CreateInternetGateway",
            "own": "ec2:AttachInternetGateway ec2:DeleteInternetGateway ec2:DetachInternetGateway",
        },
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Rights(
        read="ec2:DescribeLaunchTemplateVersions ec2:DescribeLaunchTemplates",
        write={
            "any": "ec2:CreateLaunchTemplate",
            "own": "ec2:CreateLaunchTemplateVersion ec2:DeleteLaunchTemplate ec2:ModifyLaunchTemplate",
        },
    ),
    "aws:ec2/natGateway:NatGateway": Rights(
        read="ec2:DescribeNatGateways",
        write={"any": "ec2:CreateNatGateway", "own": "ec2:DeleteNatGateway"},
    ),
    "aws:ec2/route:Route": Rights(
        read="ec2:DescribeRouteTables",
        write={"own": "ec2:CreateRoute ec2:DeleteRoute ec2:ReplaceRoute"},
    ),
    "aws:ec2/routeTable:RouteTable": Rights(
        read="ec2:DescribeRouteTables",
        write={"any": "ec2:CreateRouteTable", "own": "ec2:DeleteRouteTable"},
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Rights(
        read="ec2:DescribeRouteTables ec2:DescribeSubnets",
        write={"own": "ec2:AssociateRouteTable ec2:DisassociateRouteTable ec2:ReplaceRouteTableAssociation"},
    ),
    "aws:ec2/securityGroup:SecurityGroup": Rights(
        read="ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups",
        write={
            "any": f"ec2:CreateSecurityGroup {_LEFT_BEHIND}",
            "own": "ec2:DeleteSecurityGroup ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress",
        },
    ),
    "aws:ec2/subnet:Subnet": Rights(
        read="ec2:DescribeNetworkInterfaces ec2:DescribeSubnets",
        write={
            "any": f"ec2:CreateSubnet {_LEFT_BEHIND}",
            "own": "ec2:DeleteSubnet ec2:ModifySubnetAttribute",
        },
    ),
    "aws:ec2/vpc:Vpc": Rights(
        read="ec2:DescribeNetworkAcls ec2:DescribeRouteTables ec2:DescribeSecurityGroups "
        "ec2:DescribeVpcAttribute ec2:DescribeVpcs",
        write={"any": "ec2:CreateVpc", "own": "ec2:DeleteVpc ec2:ModifyVpcAttribute"},
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Rights(
        read=f"ec2:DescribePrefixLists ec2:DescribeVpcEndpoints {_NETWORK}",
        write={
            "any": "ec2:CreateVpcEndpoint ec2:ModifyVpcEndpoint route53:AssociateVPCWithHostedZone",
            "own": "ec2:DeleteVpcEndpoints",
        },
    ),
    "aws:ec2clientvpn/authorizationRule:AuthorizationRule": Rights(
        read="ec2:DescribeClientVpnAuthorizationRules",
        write={"own": "ec2:AuthorizeClientVpnIngress ec2:RevokeClientVpnIngress"},
    ),
    "aws:ec2clientvpn/endpoint:Endpoint": Rights(
        read="acm:DescribeCertificate ec2:DescribeClientVpnEndpoints logs:DescribeLogGroups "
        "logs:DescribeLogStreams",
        write={
            "any": "ec2:CreateClientVpnEndpoint ec2:ModifyClientVpnEndpoint",
            "own": "ec2:DeleteClientVpnEndpoint",
        },
        linked="clientvpn.amazonaws.com",
    ),
    "aws:ec2clientvpn/networkAssociation:NetworkAssociation": Rights(
        read=f"ec2:DescribeClientVpnTargetNetworks {_NETWORK}",
        write={"own": "ec2:AssociateClientVpnTargetNetwork ec2:DisassociateClientVpnTargetNetwork"},
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Rights(
        read="ecr:GetLifecyclePolicy",
        write={"own": "ecr:DeleteLifecyclePolicy ecr:PutLifecyclePolicy"},
    ),
    "aws:ecr/repository:Repository": Rights(
        read="ecr:DescribeRepositories",
        write={
            "any": "ecr:CreateRepository",
            "own": "ecr:PutImageScanningConfiguration ecr:PutImageTagMutability",
        },
        destroy={"own": "ecr:DeleteRepository"},
        with_key=True,
    ),
    "aws:ecs/cluster:Cluster": Rights(
        read="ecs:DescribeClusters servicediscovery:GetNamespace",
        write={
            "any": "ecs:CreateCluster",
            "own": "ecs:DeleteCluster ecs:UpdateCluster ecs:UpdateClusterSettings",
        },
        linked="ecs.amazonaws.com",
    ),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": Rights(
        read="ecs:DescribeClusters",
        write={"own": "ecs:PutClusterCapacityProviders"},
    ),
    "aws:ecs/service:Service": Rights(
        read="ecs:DescribeServices",
        write={
            "any": "ecs:CreateService",
            "own": "ecs:DeleteService ecs:UpdateService",
        },
        linked="ecs.amazonaws.com",
    ),
    "aws:ecs/taskDefinition:TaskDefinition": Rights(
        read="ecs:DescribeTaskDefinition",
        # Neither knows a task definition by its tags.
        write={"any": "ecs:DeregisterTaskDefinition ecs:RegisterTaskDefinition"},
        passes_to="ecs-tasks.amazonaws.com",
    ),
    "aws:eks/accessEntry:AccessEntry": Rights(
        read="eks:DescribeAccessEntry",
        write={"any": "eks:CreateAccessEntry", "own": "eks:DeleteAccessEntry eks:UpdateAccessEntry"},
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Rights(
        read="eks:ListAssociatedAccessPolicies",
        write={"own": "eks:AssociateAccessPolicy eks:DisassociateAccessPolicy"},
    ),
    "aws:eks/addon:Addon": Rights(
        read="eks:DescribeAddon eks:DescribeAddonVersions eks:DescribePodIdentityAssociation",
        write={
            "any": "eks:CreateAddon eks:CreatePodIdentityAssociation",
            "own": "eks:DeleteAddon eks:DeletePodIdentityAssociation eks:UpdateAddon "
            "eks:UpdatePodIdentityAssociation",
        },
        passes_to="pods.eks.amazonaws.com",
    ),
    "aws:eks/cluster:Cluster": Rights(
        read=f"eks:DescribeCluster eks:DescribeUpdate {_NETWORK}",
        write={
            "any": "eks:CreateAccessEntry eks:CreateCluster",
            "own": "eks:DeleteCluster eks:UpdateClusterConfig eks:UpdateClusterVersion",
        },
        passes_to="eks.amazonaws.com",
        linked="eks.amazonaws.com",
        with_key=True,
    ),
    "aws:eks/nodeGroup:NodeGroup": Rights(
        read="ec2:DescribeInstanceTypes ec2:DescribeLaunchTemplateVersions ec2:DescribeLaunchTemplates "
        f"ec2:DescribeRouteTables eks:DescribeNodegroup eks:DescribeUpdate {_NETWORK}",
        write={
            # EKS tries the launch template with the caller's rights.
            "any": "ec2:RunInstances eks:CreateNodegroup",
            "own": "eks:DeleteNodegroup eks:UpdateNodegroupConfig eks:UpdateNodegroupVersion",
        },
        passes_to="ec2.amazonaws.com eks.amazonaws.com",
        linked="eks-nodegroup.amazonaws.com",
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Rights(
        read="eks:DescribePodIdentityAssociation",
        write={
            "any": "eks:CreatePodIdentityAssociation",
            "own": "eks:DeletePodIdentityAssociation eks:UpdatePodIdentityAssociation",
        },
        passes_to="pods.eks.amazonaws.com",
    ),
    "aws:elasticache/parameterGroup:ParameterGroup": Rights(
        read="elasticache:DescribeCacheParameterGroups elasticache:DescribeCacheParameters",
        write={
            "any": "elasticache:CreateCacheParameterGroup",
            "own": "elasticache:DeleteCacheParameterGroup elasticache:ModifyCacheParameterGroup "
            "elasticache:ResetCacheParameterGroup",
        },
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": Rights(
        read="elasticache:DescribeCacheClusters elasticache:DescribeReplicationGroups "
        f"{_LOG_DELIVERY_READ} {_NETWORK}",
        write={
            # A default parameter group, user group or snapshot that goes with it bears no tags.
            "any": "ec2:CreateNetworkInterface ec2:DeleteNetworkInterface elasticache:CreateReplicationGroup "
            f"elasticache:ModifyReplicationGroup {_LOG_DELIVERY}",
            "own": "elasticache:DecreaseReplicaCount elasticache:IncreaseReplicaCount "
            "elasticache:ModifyReplicationGroupShardConfiguration",
        },
        destroy={"any": "elasticache:DeleteReplicationGroup"},
        linked="elasticache.amazonaws.com",
        with_key=True,
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": Rights(
        read=f"elasticache:DescribeCacheSubnetGroups {_NETWORK}",
        write={
            "any": "elasticache:CreateCacheSubnetGroup",
            "own": "elasticache:DeleteCacheSubnetGroup elasticache:ModifyCacheSubnetGroup",
        },
    ),
    "aws:grafana/roleAssociation:RoleAssociation": Rights(
        read="grafana:ListPermissions",
        write={"own": "grafana:UpdatePermissions"},
    ),
    "aws:grafana/workspace:Workspace": Rights(
        read="grafana:DescribeWorkspace grafana:DescribeWorkspaceAuthentication "
        "grafana:DescribeWorkspaceConfiguration organizations:DescribeOrganization sso:DescribeRegisteredRegions "
        "sso:GetSharedSsoConfiguration",
        write={
            "any": "grafana:CreateWorkspace sso:CreateManagedApplicationInstance "
            "sso:DeleteManagedApplicationInstance",
            "own": "grafana:DeleteWorkspace grafana:UpdateWorkspace grafana:UpdateWorkspaceAuthentication "
            "grafana:UpdateWorkspaceConfiguration",
        },
        passes_to="grafana.amazonaws.com",
        linked="grafana.amazonaws.com",
    ),
    "aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan": Rights(
        read="guardduty:GetMalwareProtectionPlan",
        write={
            "any": "guardduty:CreateMalwareProtectionPlan",
            "own": "guardduty:DeleteMalwareProtectionPlan guardduty:UpdateMalwareProtectionPlan",
        },
        passes_to="malware-protection-plan.guardduty.amazonaws.com",
    ),
    # Both are made for pipelines only, by an administrator: see WITHHELD.
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Rights(
        read="iam:GetOpenIDConnectProvider iam:ListOpenIDConnectProviderTags"
    ),
    "aws:iam/policy:Policy": Rights(
        read="iam:GetPolicy iam:GetPolicyVersion iam:ListPolicyTags iam:ListPolicyVersions"
    ),
    "aws:iam/role:Role": Rights(
        read="iam:GetRole iam:ListAttachedRolePolicies iam:ListInstanceProfilesForRole iam:ListRolePolicies",
        write={
            "role": "iam:DeleteRole iam:UpdateAssumeRolePolicy iam:UpdateRole",
            "bounded role": "iam:CreateRole iam:PutRolePermissionsBoundary",
        },
    ),
    "aws:iam/rolePolicy:RolePolicy": Rights(
        read="iam:GetRolePolicy",
        write={"role": "iam:DeleteRolePolicy", "bounded role": "iam:PutRolePolicy"},
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Rights(
        read="iam:ListAttachedRolePolicies",
        write={"role": "iam:DetachRolePolicy", "attachment": "iam:AttachRolePolicy"},
    ),
    "aws:kms/alias:Alias": Rights(
        read="kms:ListAliases",
        # Asked for on the alias and on its key.
        write={
            "alias": "kms:CreateAlias kms:DeleteAlias kms:UpdateAlias",
            "own": "kms:CreateAlias kms:DeleteAlias kms:UpdateAlias",
        },
    ),
    "aws:kms/key:Key": Rights(
        read="kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus",
        write={
            "any": "kms:CreateKey",
            "own": "kms:DisableKeyRotation kms:EnableKey kms:EnableKeyRotation kms:PutKeyPolicy "
            "kms:UpdateKeyDescription",
        },
        destroy={"own": "kms:DisableKey kms:ScheduleKeyDeletion"},
    ),
    "aws:lambda/function:Function": Rights(
        read="lambda:GetFunction lambda:GetFunctionCodeSigningConfig lambda:GetFunctionConcurrency "
        f"lambda:GetFunctionConfiguration lambda:ListVersionsByFunction {_NETWORK}",
        write={
            "any": f"lambda:CreateFunction {_LEFT_BEHIND}",
            "own": "lambda:DeleteFunction lambda:DeleteFunctionConcurrency lambda:PutFunctionConcurrency "
            "lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration",
        },
        passes_to="lambda.amazonaws.com",
        with_key=True,
        decrypted_by="lambda",  # its variables, which hold no secrets: without them a refresh would see them gone
    ),
    "aws:lambda/permission:Permission": Rights(
        read="lambda:GetPolicy", write={"own": "lambda:AddPermission lambda:RemovePermission"}
    ),
    "aws:lb/listener:Listener": Rights(
        read="elasticloadbalancing:DescribeListenerAttributes elasticloadbalancing:DescribeListeners",
        write={
            "any": "elasticloadbalancing:CreateListener",
            "own": "elasticloadbalancing:DeleteListener elasticloadbalancing:ModifyListener "
            "elasticloadbalancing:ModifyListenerAttributes",
        },
    ),
    "aws:lb/listenerRule:ListenerRule": Rights(
        read="elasticloadbalancing:DescribeRules",
        write={
            "any": "elasticloadbalancing:CreateRule",
            "own": "elasticloadbalancing:DeleteRule elasticloadbalancing:ModifyRule "
            "elasticloadbalancing:SetRulePriorities",
        },
    ),
    "aws:lb/loadBalancer:LoadBalancer": Rights(
        read="elasticloadbalancing:DescribeCapacityReservation "
        "elasticloadbalancing:DescribeLoadBalancerAttributes elasticloadbalancing:DescribeLoadBalancers "
        f"{_NETWORK}",
        write={
            "any": "elasticloadbalancing:CreateLoadBalancer",
            "own": "elasticloadbalancing:DeleteLoadBalancer elasticloadbalancing:ModifyLoadBalancerAttributes "
            "elasticloadbalancing:SetIpAddressType elasticloadbalancing:SetSecurityGroups "
            "elasticloadbalancing:SetSubnets",
        },
        linked="elasticloadbalancing.amazonaws.com",
    ),
    "aws:lb/targetGroup:TargetGroup": Rights(
        read="elasticloadbalancing:DescribeTargetGroupAttributes elasticloadbalancing:DescribeTargetGroups",
        write={
            "any": "elasticloadbalancing:CreateTargetGroup",
            "own": "elasticloadbalancing:DeleteTargetGroup elasticloadbalancing:ModifyTargetGroup "
            "elasticloadbalancing:ModifyTargetGroupAttributes",
        },
    ),
    "aws:mq/broker:Broker": Rights(
        read=f"ec2:DescribeNetworkInterfacePermissions ec2:DescribeVpcEndpoints mq:DescribeBroker "
        f"mq:DescribeUser {_NETWORK}",
        write={
            "any": "ec2:CreateNetworkInterface ec2:CreateNetworkInterfacePermission ec2:CreateVpcEndpoint "
            "ec2:DeleteNetworkInterface ec2:DeleteNetworkInterfacePermission ec2:DetachNetworkInterface "
            "ec2:ModifyNetworkInterfaceAttribute mq:CreateBroker route53:AssociateVPCWithHostedZone",
            "own": "mq:CreateUser mq:DeleteUser mq:RebootBroker mq:UpdateBroker mq:UpdateUser",
        },
        destroy={"any": "ec2:DeleteVpcEndpoints", "own": "mq:DeleteBroker"},
        linked="mq.amazonaws.com",
        with_key=True,
    ),
    "aws:rds/cluster:Cluster": Rights(
        read=f"rds:DescribeDBClusters rds:DescribeDBInstances rds:DescribeGlobalClusters {_DATABASE}",
        write={
            "any": f"rds:CreateDBCluster rds:CreateDBInstance rds:ModifyDBCluster {_MASTER_SECRET}",
        },
        destroy={"any": "rds:CreateDBClusterSnapshot rds:DeleteDBCluster", "own": "rds:DeleteDBInstance"},
        passes_to="monitoring.rds.amazonaws.com rds.amazonaws.com",
        linked="rds.amazonaws.com",
        with_key=True,
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": Rights(
        read="rds:DescribeDBClusterParameterGroups rds:DescribeDBClusterParameters",
        write={
            "any": "rds:CreateDBClusterParameterGroup",
            "own": "rds:DeleteDBClusterParameterGroup rds:ModifyDBClusterParameterGroup "
            "rds:ResetDBClusterParameterGroup",
        },
    ),
    "aws:rds/eventSubscription:EventSubscription": Rights(
        read="rds:DescribeEventSubscriptions",
        write={
            "any": "rds:CreateEventSubscription",
            "own": "rds:AddSourceIdentifierToSubscription rds:DeleteEventSubscription "
            "rds:ModifyEventSubscription rds:RemoveSourceIdentifierFromSubscription",
        },
    ),
    "aws:rds/instance:Instance": Rights(
        read=f"rds:DescribeDBInstances rds:DescribeDBParameterGroups {_DATABASE}",
        write={
            # Also asked for on the default option group, which bears no tags.
            "any": "rds:CreateDBInstance rds:CreateDBInstanceReadReplica rds:ModifyDBInstance "
            f"{_MASTER_SECRET}",
            "own": "rds:RebootDBInstance",
        },
        destroy={
            "any": "rds:CreateDBSnapshot rds:DeleteDBInstanceAutomatedBackup",
            "own": "rds:DeleteDBInstance",
        },
        passes_to="monitoring.rds.amazonaws.com rds.amazonaws.com",
        linked="rds.amazonaws.com",
        with_key=True,
    ),
    "aws:rds/parameterGroup:ParameterGroup": Rights(
        read="rds:DescribeDBParameterGroups rds:DescribeDBParameters",
        write={
            "any": "rds:CreateDBParameterGroup",
            "own": "rds:DeleteDBParameterGroup rds:ModifyDBParameterGroup rds:ResetDBParameterGroup",
        },
    ),
    "aws:rds/proxy:Proxy": Rights(
        read=f"rds:DescribeDBProxies {_NETWORK}",
        write={"any": "rds:CreateDBProxy", "own": "rds:DeleteDBProxy rds:ModifyDBProxy"},
        passes_to="rds.amazonaws.com",
        linked="rds.amazonaws.com",
    ),
    "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": Rights(
        read="rds:DescribeDBProxyTargetGroups",
        write={"any": "rds:ModifyDBProxyTargetGroup"},  # the target group is RDS's own, and bears no tags
    ),
    "aws:rds/proxyTarget:ProxyTarget": Rights(
        read="rds:DescribeDBProxyTargets",
        write={"any": "rds:DeregisterDBProxyTargets rds:RegisterDBProxyTargets"},
    ),
    "aws:rds/subnetGroup:SubnetGroup": Rights(
        read=f"rds:DescribeDBSubnetGroups {_NETWORK}",
        write={
            "any": "rds:CreateDBSubnetGroup",
            "own": "rds:DeleteDBSubnetGroup rds:ModifyDBSubnetGroup",
        },
        linked="rds.amazonaws.com",
    ),
    "aws:route53/healthCheck:HealthCheck": Rights(
        read="route53:GetHealthCheck",
        write={
            "any": "route53:CreateHealthCheck route53:DeleteHealthCheck route53:UpdateHealthCheck",
        },
    ),
    "aws:route53/record:Record": Rights(
        read="route53:GetChange route53:GetHostedZone route53:ListResourceRecordSets",
        write={"zone": "route53:ChangeResourceRecordSets"},
    ),
    "aws:route53/zone:Zone": Rights(
        read="route53:GetChange route53:GetHostedZone route53:ListResourceRecordSets",
        write={
            "any": "route53:CreateHostedZone",
            "zone": "route53:AssociateVPCWithHostedZone route53:ChangeResourceRecordSets "
            "route53:DeleteHostedZone route53:UpdateHostedZoneComment",
        },
    ),
    "aws:s3/bucket:Bucket": Rights(
        read="s3:GetAccelerateConfiguration s3:GetBucketAcl s3:GetBucketCORS s3:GetBucketLocation "
        "s3:GetBucketLogging s3:GetBucketObjectLockConfiguration s3:GetBucketPolicy s3:GetBucketRequestPayment "
        "s3:GetBucketVersioning s3:GetBucketWebsite s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration "
        "s3:GetReplicationConfiguration s3:ListBucket",
        write={"bucket": "s3:CreateBucket"},
        # An unprotected bucket is emptied first.
        destroy={
            "bucket": "s3:DeleteBucket s3:ListBucketVersions",
            "object": "s3:DeleteObject s3:DeleteObjectVersion",
        },
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": Rights(
        read="s3:GetBucketCORS", write={"bucket": "s3:PutBucketCORS"}
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Rights(
        read="s3:GetLifecycleConfiguration", write={"bucket": "s3:PutLifecycleConfiguration"}
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Rights(
        read="s3:GetBucketOwnershipControls", write={"bucket": "s3:PutBucketOwnershipControls"}
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Rights(
        read="s3:GetBucketPolicy", write={"bucket": "s3:DeleteBucketPolicy s3:PutBucketPolicy"}
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Rights(
        read="s3:GetBucketPublicAccessBlock", write={"bucket": "s3:PutBucketPublicAccessBlock"}
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Rights(
        read="s3:GetEncryptionConfiguration", write={"bucket": "s3:PutEncryptionConfiguration"}
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Rights(
        read="s3:GetBucketVersioning", write={"bucket": "s3:PutBucketVersioning"}
    ),
    "aws:scheduler/schedule:Schedule": Rights(
        read="scheduler:GetSchedule",
        write={"any": "scheduler:CreateSchedule scheduler:DeleteSchedule scheduler:UpdateSchedule"},
        passes_to="scheduler.amazonaws.com",
        with_key=True,
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": Rights(
        read="scheduler:GetScheduleGroup",
        write={
            "any": "scheduler:CreateScheduleGroup scheduler:DeleteSchedule",
            "own": "scheduler:DeleteScheduleGroup",
        },
    ),
    "aws:secretsmanager/secret:Secret": Rights(
        read="secretsmanager:DescribeSecret secretsmanager:GetResourcePolicy",
        write={
            "any": "secretsmanager:CreateSecret",
            "own": "secretsmanager:DeleteResourcePolicy secretsmanager:DeleteSecret "
            "secretsmanager:PutResourcePolicy secretsmanager:UpdateSecret",
        },
        with_key=True,
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Rights(
        read="secretsmanager:DescribeSecret",
        # The provider reads what it wrote; whoever only previews does not: see READS_DATA.
        write={
            "own": "secretsmanager:GetSecretValue secretsmanager:PutSecretValue "
            "secretsmanager:UpdateSecretVersionStage"
        },
    ),
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": Rights(
        read=f"route53:GetHostedZone route53:ListHostedZonesByName servicediscovery:GetNamespace "
        f"servicediscovery:GetOperation {_NETWORK}",
        write={
            # Cloud Map makes and removes the zone with the caller's rights; AWS deletes none that still has records.
            "any": "route53:CreateHostedZone route53:DeleteHostedZone "
            "servicediscovery:CreatePrivateDnsNamespace",
            "own": "servicediscovery:DeleteNamespace servicediscovery:UpdatePrivateDnsNamespace",
        },
    ),
    "aws:servicediscovery/service:Service": Rights(
        read="servicediscovery:GetOperation servicediscovery:GetService",
        write={
            "any": "servicediscovery:CreateService",
            "own": "servicediscovery:DeleteService servicediscovery:UpdateService",
        },
    ),
    "aws:sns/topic:Topic": Rights(
        read="sns:GetTopicAttributes",
        write={"any": "sns:CreateTopic", "own": "sns:DeleteTopic sns:SetTopicAttributes"},
    ),
    "aws:sns/topicPolicy:TopicPolicy": Rights(
        read="sns:GetTopicAttributes", write={"own": "sns:SetTopicAttributes"}
    ),
    "aws:sns/topicSubscription:TopicSubscription": Rights(
        read="sns:GetSubscriptionAttributes sns:ListSubscriptionsByTopic",
        write={"any": "sns:SetSubscriptionAttributes sns:Unsubscribe", "own": "sns:Subscribe"},
    ),
    "aws:sqs/queue:Queue": Rights(
        read="sqs:GetQueueAttributes sqs:GetQueueUrl",
        write={"any": "sqs:CreateQueue", "own": "sqs:DeleteQueue sqs:SetQueueAttributes"},
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Rights(
        read="ec2:DescribeSecurityGroupRules",
        # Also asked for on the rule, which is new.
        write={
            "any": "ec2:AuthorizeSecurityGroupEgress ec2:ModifySecurityGroupRules",
            "own": "ec2:RevokeSecurityGroupEgress",
        },
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Rights(
        read="ec2:DescribeSecurityGroupRules",
        write={
            "any": "ec2:AuthorizeSecurityGroupIngress ec2:ModifySecurityGroupRules",
            "own": "ec2:RevokeSecurityGroupIngress",
        },
    ),
    "aws:wafv2/webAcl:WebAcl": Rights(
        read="wafv2:GetWebACL",
        # Also asked for on the rule groups in it, AWS's among them.
        write={"any": "wafv2:CreateWebACL wafv2:UpdateWebACL", "own": "wafv2:DeleteWebACL"},
    ),
    "aws:wafv2/webAclAssociation:WebAclAssociation": Rights(
        read="wafv2:GetWebACL wafv2:GetWebACLForResource",
        write={
            "any": "elasticloadbalancing:CreateWebACLAssociation elasticloadbalancing:DeleteWebACLAssociation "
            "elasticloadbalancing:SetWebAcl wafv2:AssociateWebACL wafv2:DisassociateWebACL"
        },
    ),
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": Rights(
        read=f"wafv2:GetLoggingConfiguration {_LOG_DELIVERY_READ}",
        write={
            "any": _LOG_DELIVERY,
            "own": "wafv2:DeleteLoggingConfiguration wafv2:PutLoggingConfiguration",
        },
        linked="wafv2.amazonaws.com",
    ),
}

# Actions that a type has and no pipeline gets, each with the reason.
_NOT_ITS_OWN = "a pipeline must not widen its own rights"
_NOT_WHO_IT_IS = "who may be the pipeline is an administrator's to say"
WITHHELD: Mapping[str, str] = {
    "backup:DeleteBackupVaultAccessPolicy": "the policy keeps backups from being deleted",
    "backup:DeleteBackupVaultLockConfiguration": "who may lift the lock may delete backups",
    **dict.fromkeys(
        (
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ),
        _NOT_ITS_OWN,
    ),
    **dict.fromkeys(
        (
            "iam:CreateOpenIDConnectProvider",
            "iam:DeleteOpenIDConnectProvider",
            "iam:TagOpenIDConnectProvider",
            "iam:UntagOpenIDConnectProvider",
            "iam:UpdateOpenIDConnectProviderThumbprint",
        ),
        _NOT_WHO_IT_IS,
    ),
}

# What a release does beside `pulumi up`: tasks that it runs and follows, and what it looks at afterwards.
RELEASE = Rights(
    read="backup:ListBackupJobs backup:ListRestoreJobs cloudwatch:DescribeAlarms ecr:DescribeImageScanFindings "
    "ecr:DescribeImages ecs:DescribeTasks ecs:ListTasks elasticloadbalancing:DescribeTargetHealth",
    write={
        "any": "ecs:StopTask",
        "own": "ecs:RunTask logs:FilterLogEvents logs:GetLogEvents",
    },
    passes_to="ecs-tasks.amazonaws.com",
)

# What reads data rather than what a resource is like. No preview needs it, and none may.
READS_DATA = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
)
