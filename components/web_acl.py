"""A web application firewall before one load balancer: a rate limit per address, then AWS's managed rules."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components._watch import Metric, Watch

WINDOWS_S = (60, 120, 300, 600)  # AWS WAF API, RateBasedStatement, EvaluationWindowSec
MIN_LIMIT = 10  # AWS WAF quotas, minimum rate
LOG_GROUP_PREFIX = "aws-waf-logs-"  # AWS WAF guide, "Sending logs to a CloudWatch Logs log group"
REDACTED_HEADERS = ("authorization", "cookie", "x-api-key")
SURGE_BLOCKED_REQUESTS = 1000


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """`requests` of one address in `window_s` seconds, and `burst` more at once.

    WAF has no burst of its own, so one address gets `requests` + `burst` in a window, then 429 until the window
    has room again. WAF looks every ten seconds or so: the count is not exact, the application's own limit is.
    """

    requests: int
    window_s: int
    burst: int = 0


@dataclass(frozen=True, kw_only=True)
class WebAclArgs:
    """`managed_rules` are names of AWS's rule groups. `counted_rules`, by group, are rules of them that only count.

    `log_group_name` is a physical name and begins with "aws-waf-logs-";
    only requests that a rule blocked or counted are logged.
    """

    resource_arn: pulumi.Input[str]
    rate_limit: RateLimit
    managed_rules: Sequence[str]
    counted_rules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    log_group_name: str
    log_retention_days: int
    log_key_arn: pulumi.Input[str]
    region: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("web ACL: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        limit = self.rate_limit
        if limit.window_s not in WINDOWS_S:
            yield f"rate_limit.window_s must be one of {', '.join(map(str, WINDOWS_S))} seconds, got {limit.window_s}"
        if limit.burst < 0:
            yield f"rate_limit.burst must be 0 or more, got {limit.burst}"
        if limit.requests + limit.burst < MIN_LIMIT:
            yield (
                f"rate_limit.requests and burst must come to at least {MIN_LIMIT}, "
                f"got {limit.requests + limit.burst}"
            )
        for repeated in sorted({rule for rule in self.managed_rules if self.managed_rules.count(rule) > 1}):
            yield f"managed_rules names {repeated} more than once"
        for group in sorted(self.counted_rules.keys() - set(self.managed_rules)):
            yield f"counted_rules names {group}, which is not one of managed_rules"
        if not self.log_group_name.startswith(LOG_GROUP_PREFIX):
            yield f"log_group_name must begin with {LOG_GROUP_PREFIX}, got {self.log_group_name!r}"


class WebAcl(pulumi.ComponentResource):
    arn: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: WebAclArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:edge:WebAcl", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        # CloudWatch knows the ACL by this name, and another stack of the account must not share it.
        metric_name = args.log_group_name.removeprefix(LOG_GROUP_PREFIX)
        acl = aws.wafv2.WebAcl(
            name,
            description="A rate limit per address, then managed rules",
            scope="REGIONAL",
            default_action={"allow": {}},
            custom_response_bodies=[
                {
                    "key": "too-many-requests",
                    "content_type": "APPLICATION_JSON",
                    "content": json.dumps({"statusCode": 429, "message": "Too many requests"}),
                }
            ],
            rules=[_rate_rule(args.rate_limit), *_managed_rules(args)],
            visibility_config=_visibility(metric_name),
            tags={**args.tags, "Name": name},
            opts=child,
        )
        aws.wafv2.WebAclAssociation(
            f"{name}-association",
            resource_arn=args.resource_arn,
            web_acl_arn=acl.arn,
            opts=child,
        )
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            f"{name}-logging",
            resource_arn=acl.arn,
            log_destination_configs=[log_group.arn],
            logging_filter={
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [
                            {"action_condition": {"action": "BLOCK"}},
                            {"action_condition": {"action": "COUNT"}},
                        ],
                    }
                ],
            },
            redacted_fields=[{"single_header": {"name": header}} for header in REDACTED_HEADERS],
            opts=child,
        )

        self.arn = acl.arn
        self.log_group_name = log_group.name
        self.watches = [
            Watch(
                name=f"{name}-blocked",
                description=(
                    f"Requests that the firewall blocked in five minutes, more than {SURGE_BLOCKED_REQUESTS}: "
                    "an attack, or a rule that hits real users"
                ),
                severity="warning",
                threshold=SURGE_BLOCKED_REQUESTS,
                metrics=[
                    Metric(
                        id="blocked",
                        namespace="AWS/WAFV2",
                        metric_name="BlockedRequests",
                        stat="Sum",
                        dimensions={"WebACL": metric_name, "Region": args.region, "Rule": "ALL"},
                    )
                ],
            )
        ]
        self.register_outputs({"arn": self.arn, "log_group_name": self.log_group_name})


def _rate_rule(limit: RateLimit) -> aws.wafv2.WebAclRuleArgsDict:
    return {
        "name": "rate-limit",
        "priority": 0,
        "action": {
            "block": {
                "custom_response": {
                    "response_code": 429,
                    "custom_response_body_key": "too-many-requests",
                    "response_headers": [{"name": "Retry-After", "value": str(limit.window_s)}],
                }
            }
        },
        "statement": {
            "rate_based_statement": {
                "limit": limit.requests + limit.burst,
                "evaluation_window_sec": limit.window_s,
                "aggregate_key_type": "IP",
            }
        },
        "visibility_config": _visibility("rate-limit"),
    }


def _managed_rules(args: WebAclArgs) -> Iterator[aws.wafv2.WebAclRuleArgsDict]:
    for priority, group in enumerate(args.managed_rules, start=1):
        yield {
            "name": group,
            "priority": priority,
            "override_action": {"none": {}},
            "statement": {
                "managed_rule_group_statement": {
                    "vendor_name": "AWS",
                    "name": group,
                    "rule_action_overrides": [
                        {"name": rule, "action_to_use": {"count": {}}}
                        for rule in args.counted_rules.get(group, ())
                    ],
                }
            },
            "visibility_config": _visibility(group),
        }


def _visibility(metric_name: str) -> aws.wafv2.WebAclRuleVisibilityConfigArgsDict:
    return {
        "metric_name": metric_name,
        "cloudwatch_metrics_enabled": True,
        "sampled_requests_enabled": True,
    }
