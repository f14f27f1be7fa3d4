"""The most that a role of the stack may do, whatever its own policies say: permissions boundaries.

Whoever may make roles and write their policies may do everything, unless each role has a boundary that they cannot
lift; so a pipeline makes roles only with one of these. They list what the roles of the components do, a test keeps them
in step with that, and they grant nothing by themselves.

There are three, as one for all would let every service do what AWS Backup must. Its role needs one too, though its
policies are AWS's own: AWSBackupServiceRolePolicyForRestores alone passes any role of the account to a new machine.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components import _iam
from components._iam import bearing, in_regions, statement

Kind = Literal["workloads", "backups", "cluster"]

# By the service that takes the role; all others are workloads.
_KINDS: Mapping[str, Kind] = {
    "backup.amazonaws.com": "backups",
    "ec2.amazonaws.com": "cluster",
    "eks.amazonaws.com": "cluster",
}
_WORKLOADS = """
    aps:DescribeWorkspace aps:GetLabels aps:GetMetricMetadata aps:GetSeries aps:ListWorkspaces aps:QueryMetrics
    aps:RemoteWrite
    cloudwatch:DescribeAlarms cloudwatch:DescribeAlarmsForMetric cloudwatch:GetMetricData cloudwatch:ListMetrics
    cloudwatch:PutMetricData
    ec2:AssignPrivateIpAddresses ec2:CreateNetworkInterface ec2:DeleteNetworkInterface
    ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:UnassignPrivateIpAddresses
    ecr:GetAuthorizationToken
    ecs:DescribeTasks
    events:DeleteRule events:DescribeRule events:ListTargetsByRule events:PutRule events:PutTargets
    events:RemoveTargets
    logs:CreateLogGroup logs:CreateLogStream logs:DescribeLogGroups logs:DescribeLogStreams logs:GetLogEvents
    logs:PutLogEvents logs:PutRetentionPolicy
    secretsmanager:GetRandomPassword
    ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel ssmmessages:OpenControlChannel
    ssmmessages:OpenDataChannel
    tag:GetResources
"""
# Programs in a cluster, beside the services: network plugin, log agent, load balancer controller, DNS.
_PODS = """
    ec2:AttachNetworkInterface ec2:CreateTags ec2:DescribeAccountAttributes ec2:DescribeAvailabilityZones
    ec2:DescribeInstances ec2:DescribeInstanceTypes ec2:DescribeInternetGateways ec2:DescribeRouteTables
    ec2:DescribeSecurityGroups ec2:DescribeTags ec2:DescribeVolumes ec2:DescribeVpcs ec2:DetachNetworkInterface
    ec2:ModifyNetworkInterfaceAttribute
    elasticloadbalancing:AddListenerCertificates elasticloadbalancing:AddTags elasticloadbalancing:CreateListener
    elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:CreateRule elasticloadbalancing:CreateTargetGroup
    elasticloadbalancing:DeleteListener elasticloadbalancing:DeleteLoadBalancer elasticloadbalancing:DeleteRule
    elasticloadbalancing:DeleteTargetGroup elasticloadbalancing:DeregisterTargets
    elasticloadbalancing:DescribeCapacityReservation elasticloadbalancing:DescribeListenerAttributes
    elasticloadbalancing:DescribeListenerCertificates elasticloadbalancing:DescribeListeners
    elasticloadbalancing:DescribeLoadBalancerAttributes elasticloadbalancing:DescribeLoadBalancers
    elasticloadbalancing:DescribeRules elasticloadbalancing:DescribeSSLPolicies elasticloadbalancing:DescribeTags
    elasticloadbalancing:DescribeTargetGroupAttributes elasticloadbalancing:DescribeTargetGroups
    elasticloadbalancing:DescribeTargetHealth elasticloadbalancing:ModifyListener
    elasticloadbalancing:ModifyListenerAttributes elasticloadbalancing:ModifyLoadBalancerAttributes
    elasticloadbalancing:ModifyRule elasticloadbalancing:ModifyTargetGroup
    elasticloadbalancing:ModifyTargetGroupAttributes elasticloadbalancing:RegisterTargets
    elasticloadbalancing:RemoveListenerCertificates elasticloadbalancing:RemoveTags
    elasticloadbalancing:SetIpAddressType elasticloadbalancing:SetRulePriorities
    elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets elasticloadbalancing:SetWebAcl
    route53:ChangeResourceRecordSets route53:ListHostedZones route53:ListResourceRecordSets
    route53:ListTagsForResource
    wafv2:AssociateWebACL wafv2:DisassociateWebACL wafv2:GetWebACL wafv2:GetWebACLForResource
    xray:GetSamplingRules xray:GetSamplingStatisticSummaries xray:GetSamplingTargets xray:PutTelemetryRecords
    xray:PutTraceSegments
"""
_OBJECTS = """
    s3:AbortMultipartUpload s3:DeleteObject s3:GetBucketNotification s3:GetObject s3:GetObjectTagging
    s3:GetObjectVersion s3:GetObjectVersionTagging s3:ListBucket s3:ListMultipartUploadParts
    s3:PutBucketNotification s3:PutObject s3:PutObjectTagging s3:PutObjectVersionTagging
"""
# On what bears the stack's tags.
_OWN = """
    ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer
    ecs:RunTask kms:Decrypt kms:GenerateDataKey lambda:InvokeFunction sns:Publish sqs:SendMessage
"""
# What AWS's two policies for backups and restores say about databases.
_BACKUPS = """
    backup:CopyFromBackupVault backup:CopyIntoBackupVault backup:DescribeBackupVault backup:DescribeRestoreJob
    backup:ListRecoveryPointsByBackupVault backup:ListRestoreJobs backup:StartRestoreJob backup:TagResource
    ec2:DescribeAccountAttributes ec2:DescribeAvailabilityZones ec2:DescribeInternetGateways
    ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs
    rds:AddTagsToResource rds:CopyDBClusterSnapshot rds:CopyDBSnapshot rds:CreateDBClusterSnapshot
    rds:CreateDBInstance rds:CreateDBSnapshot rds:CreateTenantDatabase rds:DeleteDBCluster
    rds:DeleteDBClusterAutomatedBackup rds:DeleteDBClusterSnapshot rds:DeleteDBInstance
    rds:DeleteDBInstanceAutomatedBackup rds:DeleteDBSnapshot rds:DeleteTenantDatabase
    rds:DescribeDBClusterAutomatedBackups rds:DescribeDBClusterSnapshots rds:DescribeDBClusters
    rds:DescribeDBInstances rds:DescribeDBSnapshots rds:ListTagsForResource rds:ModifyDBCluster
    rds:ModifyDBClusterSnapshotAttribute rds:ModifyDBInstance rds:ModifyDBSnapshotAttribute
    rds:RestoreDBClusterFromSnapshot rds:RestoreDBClusterToPointInTime rds:RestoreDBInstanceFromDBSnapshot
    rds:RestoreDBInstanceToPointInTime
    tag:GetResources
"""
_BACKUP_KEYS = """
    kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey
    kms:GenerateDataKeyWithoutPlaintext kms:ReEncryptFrom kms:ReEncryptTo
"""
# What AWS's policies for a cluster of EKS and for its machines say, but for classic load balancers.
_CLUSTER = """
    autoscaling:DescribeAutoScalingGroups autoscaling:UpdateAutoScalingGroup
    ec2:AssignPrivateIpAddresses ec2:AttachNetworkInterface ec2:AttachVolume ec2:AuthorizeSecurityGroupIngress
    ec2:CreateNetworkInterface ec2:CreateNetworkInterfacePermission ec2:CreateRoute ec2:CreateSecurityGroup
    ec2:CreateTags ec2:CreateVolume ec2:DeleteNetworkInterface ec2:DeleteRoute ec2:DeleteSecurityGroup
    ec2:DeleteVolume ec2:DescribeAccountAttributes ec2:DescribeAddresses ec2:DescribeAvailabilityZones
    ec2:DescribeDhcpOptions ec2:DescribeInstanceTopology ec2:DescribeInstanceTypes ec2:DescribeInstances
    ec2:DescribeInternetGateways ec2:DescribeNetworkInterfaces ec2:DescribeRouteTables ec2:DescribeSecurityGroups
    ec2:DescribeSubnets ec2:DescribeVolumes ec2:DescribeVolumesModifications ec2:DescribeVpcs
    ec2:DetachNetworkInterface ec2:DetachVolume ec2:ModifyInstanceAttribute ec2:ModifyNetworkInterfaceAttribute
    ec2:ModifyVolume ec2:RevokeSecurityGroupIngress ec2:UnassignPrivateIpAddresses
    ecr:GetAuthorizationToken
    eks-auth:AssumeRoleForPodIdentity eks:DescribeCluster
    elasticloadbalancing:AddTags elasticloadbalancing:CreateListener elasticloadbalancing:CreateLoadBalancer
    elasticloadbalancing:CreateTargetGroup elasticloadbalancing:DeleteListener
    elasticloadbalancing:DeleteLoadBalancer elasticloadbalancing:DeleteTargetGroup
    elasticloadbalancing:DeregisterTargets elasticloadbalancing:DescribeListeners
    elasticloadbalancing:DescribeLoadBalancerAttributes elasticloadbalancing:DescribeLoadBalancers
    elasticloadbalancing:DescribeTargetGroupAttributes elasticloadbalancing:DescribeTargetGroups
    elasticloadbalancing:DescribeTargetHealth elasticloadbalancing:ModifyListener
    elasticloadbalancing:ModifyLoadBalancerAttributes elasticloadbalancing:ModifyTargetGroup
    elasticloadbalancing:ModifyTargetGroupAttributes elasticloadbalancing:RegisterTargets
"""


@dataclass(frozen=True, kw_only=True)
class RoleBoundariesArgs:
    """`name_prefix` and `policy_path` are the boundaries' own; `role_path` ("/rentalfix/prod/") is that of the roles.

    `secret_names` are patterns that the stack's secrets have ("rentalfix/prod/*"), `ours` the tags that all of the
    stack bears and nothing else does; `state_bucket` is Pulumi's, which no role of the stack may open.
    `with_backups` where AWS Backup has a role, `with_pods` where services run on Kubernetes, `with_cluster` where the
    stack makes the cluster.
    """

    account_id: str
    regions: Sequence[str]
    name_prefix: str
    policy_path: str
    role_path: str
    secret_names: Sequence[str]
    ours: Mapping[str, str]
    with_backups: bool
    with_pods: bool = False
    with_cluster: bool = False
    state_bucket: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> list[Kind]:
        wanted: dict[Kind, bool] = {
            "workloads": True,
            "backups": self.with_backups,
            "cluster": self.with_cluster,
        }
        return [kind for kind, is_wanted in wanted.items() if is_wanted]

    def policy_name(self, kind: Kind) -> str:
        return f"{self.name_prefix}-boundary-of-{kind}"

    @property
    def arns(self) -> list[str]:
        """The ARNs that the boundaries will have."""
        path = f"arn:aws:iam::{self.account_id}:policy{self.policy_path}"
        return [f"{path}{self.policy_name(kind)}" for kind in self.kinds]


class RoleBoundaries(pulumi.ComponentResource):
    """`for_role` says which one a role gets."""

    arns: Mapping[Kind, pulumi.Output[str]]

    def __init__(
        self, name: str, args: RoleBoundariesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:security:RoleBoundaries", name, None, opts)
        statements = {"workloads": _workloads, "backups": _backups, "cluster": _cluster}
        self.arns = {
            kind: aws.iam.Policy(
                f"{name}-{kind}",
                name=args.policy_name(kind),
                path=args.policy_path,
                description=f"The most that roles of the stack's {kind} may do",
                policy=_iam.document(*statements[kind](args), *_not_the_state(args)),
                tags={**args.tags, "Name": args.policy_name(kind)},
                opts=pulumi.ResourceOptions(parent=self),
            ).arn
            for kind in args.kinds
        }
        self.register_outputs({"arns": self.arns})

    def for_role(self, trust_policy: pulumi.Input[str]) -> pulumi.Output[str]:
        """The ARN of the boundary of a role with this trust policy. KeyError where the kind was not wanted."""
        return pulumi.Output.all(trust_policy, self.arns).apply(lambda known: known[1][kind_of(known[0])])


def kind_of(trust_policy: str) -> Kind:
    """Of a role, by the service that may take it."""
    principals = [each["Principal"].get("Service", "") for each in json.loads(trust_policy)["Statement"]]
    return next((_KINDS[service] for service in principals if service in _KINDS), "workloads")


def _workloads(args: RoleBoundariesArgs) -> list[_iam.Statement]:
    account = args.account_id
    secrets = f"arn:aws:secretsmanager:*:{account}:secret"
    made = [
        statement(
            sorted([*_WORKLOADS.split(), *(_PODS.split() if args.with_pods else [])]),
            "*",
            conditions=in_regions(args.regions),
            sid="Work",
        ),
        statement(_OWN.split(), "*", conditions={"StringEquals": bearing(args.ours)}, sid="Own"),
        statement(
            _OBJECTS.split(),
            "arn:aws:s3:::*",
            conditions={"StringEquals": {"aws:ResourceAccount": account}},
            sid="Objects",
        ),
        statement(
            [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            # Those that RDS keeps for its master users begin with rds!.
            [*(f"{secrets}:{name}" for name in args.secret_names), f"{secrets}:rds!*"],
            sid="Secrets",
        ),
        statement(
            "iam:PassRole",
            f"arn:aws:iam::{account}:role{args.role_path}*",
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            sid="PassTaskRoles",
        ),
    ]
    if args.with_pods:
        made += [
            _balancers_own_role(account),
            statement(
                "ssm:GetParameter",
                f"arn:aws:ssm:*:{account}:parameter/AmazonCloudWatch-*",
                sid="AgentsSettings",
            ),
        ]
    return made


def _backups(args: RoleBoundariesArgs) -> list[_iam.Statement]:
    return [
        statement(_BACKUPS.split(), "*", conditions=in_regions(args.regions), sid="Databases"),
        statement(_BACKUP_KEYS.split(), "*", conditions={"StringEquals": bearing(args.ours)}, sid="Keys"),
    ]


def _cluster(args: RoleBoundariesArgs) -> list[_iam.Statement]:
    return [
        statement(_CLUSTER.split(), "*", conditions=in_regions(args.regions), sid="Cluster"),
        statement(
            # The images of EKS's own programs are in an account of AWS's.
            ["ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer"],
            "*",
            conditions=in_regions(args.regions),
            sid="Images",
        ),
        statement("kms:DescribeKey", "*", conditions={"StringEquals": bearing(args.ours)}, sid="Keys"),
        _balancers_own_role(args.account_id),
    ]


def _balancers_own_role(account: str) -> _iam.Statement:
    return statement(
        "iam:CreateServiceLinkedRole",
        f"arn:aws:iam::{account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*",
        sid="BalancersOwnRole",
    )


def _not_the_state(args: RoleBoundariesArgs) -> list[_iam.Statement]:
    if args.state_bucket is None:
        return []
    bucket = f"arn:aws:s3:::{args.state_bucket}"
    return [statement("s3:*", [bucket, f"{bucket}/*"], effect="Deny", sid="NotTheState")]
