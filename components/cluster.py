"""An ECS cluster on Fargate, its log of shell sessions, and the private DNS names of its services."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """`cluster_name`, `namespace_name` (e.g. "prod.rentalfix.internal") and `log_group_name` are physical names."""

    cluster_name: str
    namespace_name: str
    vpc_id: pulumi.Input[str]
    log_group_name: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    tags: Mapping[str, str] = field(default_factory=dict)


class Cluster(pulumi.ComponentResource):
    arn: pulumi.Output[str]
    name: pulumi.Output[str]
    namespace_arn: pulumi.Output[str]
    namespace_id: pulumi.Output[str]
    exec_log_group_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:compute:Cluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        sessions = aws.cloudwatch.LogGroup(
            f"{name}-exec",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        cluster = aws.ecs.Cluster(
            name,
            name=args.cluster_name,
            settings=[{"name": "containerInsights", "value": "enhanced"}],
            configuration={
                "execute_command_configuration": {
                    "kms_key_id": args.log_key_arn,
                    "logging": "OVERRIDE",
                    "log_configuration": {
                        "cloud_watch_encryption_enabled": True,
                        "cloud_watch_log_group_name": sessions.name,
                    },
                }
            },
            tags={**args.tags, "Name": args.cluster_name},
            opts=child,
        )
        aws.ecs.ClusterCapacityProviders(
            f"{name}-capacity",
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            default_capacity_provider_strategies=[{"capacity_provider": "FARGATE", "weight": 1}],
            opts=child,
        )
        namespace = aws.servicediscovery.PrivateDnsNamespace(
            f"{name}-namespace",
            name=args.namespace_name,
            description=f"Services of {args.cluster_name}",
            vpc=args.vpc_id,
            tags={**args.tags, "Name": args.namespace_name},
            opts=child,
        )

        self.arn = cluster.arn
        self.name = cluster.name
        self.namespace_arn = namespace.arn
        self.namespace_id = namespace.id
        self.exec_log_group_arn = sessions.arn
        self.register_outputs(
            {
                "arn": self.arn,
                "name": self.name,
                "namespace_arn": self.namespace_arn,
                "namespace_id": self.namespace_id,
                "exec_log_group_arn": self.exec_log_group_arn,
            }
        )
