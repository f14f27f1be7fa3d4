"""Managed Grafana, reading Prometheus and CloudWatch's figures. People sign in through IAM Identity Center.

Left out on purpose: the logs, which hold what customers write; and importing dashboards, which Grafana only
takes over its own API: `groundwork grafana import`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components._iam import Statement, assume_role, document, statement

_CONFIGURATION = json.dumps({"unifiedAlerting": {"enabled": True}, "plugins": {"pluginAdminEnabled": False}})

_QUERIES = [
    "aps:DescribeWorkspace",
    "aps:GetLabels",
    "aps:GetMetricMetadata",
    "aps:GetSeries",
    "aps:QueryMetrics",
]


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """`grafana_version` such as "10.4"; the group ids are IAM Identity Center's.

    Without `admin_group_ids` nobody can sign in yet: an operator then grants the first administrator by hand.
    Raises ValueError when one group is given both roles.
    """

    workspace_name: str
    grafana_version: str
    account_id: str
    prometheus_arn: pulumi.Input[str] | None  # None: it reads CloudWatch alone
    admin_group_ids: Sequence[str] = ()
    viewer_group_ids: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        both = sorted(set(self.admin_group_ids) & set(self.viewer_group_ids))
        if both:
            raise ValueError(
                f"grafana {self.workspace_name}: {', '.join(both)} is listed as admin and as viewer; "
                "keep one of the two"
            )


class Grafana(pulumi.ComponentResource):
    """`endpoint` is the host name, without https://."""

    workspace_id: pulumi.Output[str]
    endpoint: pulumi.Output[str]

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:Grafana", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": args.workspace_name}

        role = aws.iam.Role(
            f"{name}-role",
            description=f"Lets Grafana {args.workspace_name} read figures",
            assume_role_policy=assume_role("grafana.amazonaws.com", account_id=args.account_id),
            tags=tags,
            opts=child,
        )
        aws.iam.RolePolicy(f"{name}-read", role=role.name, policy=document(*_statements(args)), opts=child)
        workspace = aws.grafana.Workspace(
            name,
            name=args.workspace_name,
            grafana_version=args.grafana_version,
            account_access_type="CURRENT_ACCOUNT",
            authentication_providers=["AWS_SSO"],
            permission_type="CUSTOMER_MANAGED",
            role_arn=role.arn,
            data_sources=["PROMETHEUS", "CLOUDWATCH"] if args.prometheus_arn is not None else ["CLOUDWATCH"],
            configuration=_CONFIGURATION,
            tags=tags,
            opts=child,
        )
        for role_name, group_ids in {"ADMIN": args.admin_group_ids, "VIEWER": args.viewer_group_ids}.items():
            if group_ids:
                aws.grafana.RoleAssociation(
                    f"{name}-{role_name.lower()}",
                    workspace_id=workspace.id,
                    role=role_name,
                    group_ids=group_ids,
                    opts=child,
                )

        self.workspace_id = workspace.id
        self.endpoint = workspace.endpoint
        self.register_outputs({"workspace_id": self.workspace_id, "endpoint": self.endpoint})


def _statements(args: GrafanaArgs) -> list[Statement]:
    prometheus = args.prometheus_arn
    listed = [
        "cloudwatch:DescribeAlarmsForMetric",
        "cloudwatch:GetMetricData",
        "cloudwatch:ListMetrics",
        "tag:GetResources",
    ]
    return [
        *([statement(_QUERIES, prometheus, sid="QueryPrometheus")] if prometheus is not None else []),
        statement(
            "cloudwatch:DescribeAlarms",
            f"arn:aws:cloudwatch:*:{args.account_id}:alarm:*",
            sid="ReadAlarms",
        ),
        # None of these can be limited to a resource (service authorization reference).
        statement(
            [*(["aps:ListWorkspaces"] if prometheus is not None else []), *listed], "*", sid="ReadFigures"
        ),
    ]
