"""Managed Prometheus: a workspace, the alert rules, and who hears of them. What fills it: _collector.py.

The workspace is encrypted with AWS's own key: the figures carry no customer data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import pulumi
import pulumi_aws as aws
import yaml

from components._watch import Metric, Severity, Watch


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One alerting rule; `for_` is a Prometheus duration ("5m") and `expr` is PromQL.

    `document_expr` is what the product's documents have in its place, where that could never fire: it is kept beside
    the alert, for whoever compares the two.
    """

    alert: str
    expr: str
    for_: str
    severity: Severity
    summary: str
    document_expr: str | None = None


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """`alias` names the workspace; `group` is the rule group, as in the product's own rule file.

    Without rules it keeps figures for whoever looks at them. Raises ValueError on rules without a group, on repeated
    names, and on a severity without a topic.
    """

    alias: str
    group: str | None = None
    rules: Sequence[Rule] = ()
    region: str
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    log_group_name: str  # under /aws/vendedlogs/, the only place that AWS writes to unasked
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError(f"prometheus {self.alias}: " + "; ".join(problems))


class Prometheus(pulumi.ComponentResource):
    workspace_id: pulumi.Output[str]
    arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:Prometheus", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        logs = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        workspace = aws.amp.Workspace(
            name,
            alias=args.alias,
            logging_configuration={"log_group_arn": pulumi.Output.concat(logs.arn, ":*")},
            tags={**args.tags, "Name": args.alias},
            opts=child,
        )
        if args.group is not None and args.rules:
            aws.amp.RuleGroupNamespace(
                f"{name}-rules",
                name=args.group,
                workspace_id=workspace.id,
                data=rule_file(args.group, args.rules),
                tags={**args.tags, "Name": args.group},
                opts=child,
            )
            aws.amp.AlertManagerDefinition(
                f"{name}-alerts",
                workspace_id=workspace.id,
                definition=pulumi.Output.all(**args.topic_arns).apply(
                    lambda topic_arns: alert_manager_file(topic_arns, args.region)
                ),
                opts=child,
            )

        self.workspace_id = workspace.id
        self.arn = workspace.arn
        self.endpoint = workspace.prometheus_endpoint
        self.watches = [_undelivered(name, workspace.id)] if args.rules else []
        self.register_outputs({"workspace_id": self.workspace_id, "arn": self.arn, "endpoint": self.endpoint})


def rule_file(group: str, rules: Sequence[Rule]) -> str:
    """The rule file in Prometheus' own form, the severity as a label to route by."""
    return _yaml(
        {
            "groups": [
                {
                    "name": group,
                    "rules": [
                        {
                            "alert": rule.alert,
                            "expr": rule.expr,
                            "for": rule.for_,
                            "labels": {"severity": rule.severity},
                            "annotations": _annotations(rule),
                        }
                        for rule in rules
                    ],
                }
            ]
        }
    )


def _annotations(rule: Rule) -> dict[str, str]:
    document = {"document_expr": rule.document_expr} if rule.document_expr is not None else {}
    return {"summary": rule.summary, **document}


def alert_manager_file(topic_arns: Mapping[str, str], region: str) -> str:
    """Critical alerts to the critical topic, everything else to the warnings."""
    route = {
        "receiver": "warning",
        "group_by": ["alertname"],
        "repeat_interval": "4h",
        "routes": [{"receiver": "critical", "match": {"severity": "critical"}}],
    }
    receivers = [
        {
            "name": severity,
            "sns_configs": [
                {"topic_arn": topic_arns[severity], "sigv4": {"region": region}, "send_resolved": True}
            ],
        }
        for severity in get_args(Severity)
    ]
    return _yaml({"alertmanager_config": _yaml({"route": route, "receivers": receivers})})


def _undelivered(name: str, workspace_id: pulumi.Output[str]) -> Watch:
    return Watch(
        name=f"{name}-alerts-undelivered",
        description="Prometheus alerts that could not be handed to SNS in 5 minutes",
        severity="critical",
        threshold=0,
        metrics=[
            Metric(
                id="failed",
                namespace="AWS/Prometheus",
                metric_name="AlertManagerNotificationsFailed",
                stat="Sum",
                dimensions={"Workspace": workspace_id},
            )
        ],
    )


def _yaml(document: Mapping[str, object]) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def _problems(args: PrometheusArgs) -> Iterator[str]:
    if args.rules and args.group is None:
        yield "group is missing; name the group that the rules stand in"
    if not args.log_group_name.startswith("/aws/vendedlogs/"):
        yield f"log_group_name must begin with /aws/vendedlogs/, got {args.log_group_name!r}"
    for severity in get_args(Severity):
        if severity not in args.topic_arns:
            yield f"topic_arns has no {severity} topic; give one"
    alerts = [rule.alert for rule in args.rules]
    for repeated in sorted({alert for alert in alerts if alerts.count(alert) > 1}):
        yield f"two rules are called {repeated!r}; give each its own name"
