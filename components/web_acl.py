"""A web application firewall before one load balancer or distribution.

First a rate limit per address, then AWS's managed rules, then a limit to what may be uploaded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from components import _body_limit
from components._watch import Metric, Watch

WINDOWS_S = (60, 120, 300, 600)  # AWS WAF API, RateBasedStatement, EvaluationWindowSec
MIN_LIMIT = 10  # AWS WAF quotas, minimum rate
LOG_GROUP_PREFIX = "aws-waf-logs-"  # AWS WAF guide, "Sending logs to a CloudWatch Logs log group"
REDACTED_HEADERS = ("authorization", "cookie", "x-api-key")
SURGE_BLOCKED_REQUESTS = 1000
CLOUDFRONT_REGION = "us-east-1"  # AWS WAF API: everything of scope CLOUDFRONT stands here
BODY_LIMIT_PRIORITY = 100  # after the managed rules, however many they are


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

    `scope` REGIONAL protects the balancer `resource_arn`, or one that somebody else makes and associates with the
    ACL, where `associated_elsewhere` says so. CLOUDFRONT protects the distributions that name the ACL
    themselves; its region is us-east-1, and so is that of its log group and key. `max_body_bytes`: a request whose
    Content-Length says more is answered with 413. Requests that carry `uncounted_header` (name and value) do not
    count towards the rate limit: a distribution in front sends them all from its own few addresses, and has counted
    them by the client's.
    """

    scope: Literal["REGIONAL", "CLOUDFRONT"] = "REGIONAL"
    resource_arn: pulumi.Input[str] | None = None
    associated_elsewhere: bool = False
    rate_limit: RateLimit
    uncounted_header: tuple[str, pulumi.Input[str]] | None = None
    max_body_bytes: int | None = None
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
        if self.associated_elsewhere and (self.scope != "REGIONAL" or self.resource_arn is not None):
            yield "associated_elsewhere is for scope REGIONAL without a resource_arn"
        elif not self.associated_elsewhere and (self.scope == "REGIONAL") == (self.resource_arn is None):
            yield "resource_arn is for scope REGIONAL, which needs it; a distribution names its ACL itself"
        if self.scope == "CLOUDFRONT" and self.region != CLOUDFRONT_REGION:
            yield f"region must be {CLOUDFRONT_REGION} for scope CLOUDFRONT, got {self.region}"
        if self.max_body_bytes is not None and not 1 <= self.max_body_bytes <= _body_limit.MAX_LIMIT:
            yield f"max_body_bytes must be 1 to {_body_limit.MAX_LIMIT}, got {self.max_body_bytes}"
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
        region = CLOUDFRONT_REGION if args.scope == "CLOUDFRONT" else None
        acl = aws.wafv2.WebAcl(
            name,
            description="A rate limit per address, then managed rules",
            scope=args.scope,
            region=region,
            default_action={"allow": {}},
            custom_response_bodies=[
                {
                    "key": "too-many-requests",
                    "content_type": "APPLICATION_JSON",
                    "content": json.dumps({"statusCode": 429, "message": "Too many requests"}),
                },
                *_body_limit_answer(args),
            ],
            rules=[_rate_rule(args), *_managed_rules(args), *_body_limit_rule(args)],
            visibility_config=_visibility(metric_name),
            tags={**args.tags, "Name": name},
            opts=child,
        )
        if args.resource_arn is not None:
            aws.wafv2.WebAclAssociation(
                f"{name}-association",
                resource_arn=args.resource_arn,
                web_acl_arn=acl.arn,
                opts=child,
            )
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=args.log_group_name,
            region=region,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            f"{name}-logging",
            resource_arn=acl.arn,
            region=region,
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
            redacted_fields=[
                {"single_header": {"name": header}}
                for header in [*REDACTED_HEADERS, *(args.uncounted_header or ())[:1]]
            ],
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
                        # CloudFront's have no Region (WAF guide, "AWS WAF metrics and dimensions").
                        dimensions={
                            "WebACL": metric_name,
                            "Rule": "ALL",
                            **({"Region": args.region} if args.scope == "REGIONAL" else {}),
                        },
                    )
                ],
                region=region,
            )
        ]
        self.register_outputs({"arn": self.arn, "log_group_name": self.log_group_name})


def _rate_rule(args: WebAclArgs) -> aws.wafv2.WebAclRuleArgsDict:
    limit = args.rate_limit
    statement: aws.wafv2.WebAclRuleStatementRateBasedStatementArgsDict = {
        "limit": limit.requests + limit.burst,
        "evaluation_window_sec": limit.window_s,
        "aggregate_key_type": "IP",
    }
    if args.uncounted_header is not None:
        header, value = args.uncounted_header
        carries: Any = {
            "byte_match_statement": {
                "search_string": value,
                "positional_constraint": "EXACTLY",
                **_header(header),
            }
        }
        statement["scope_down_statement"] = {"not_statement": {"statement": carries}}
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
        "statement": {"rate_based_statement": statement},
        "visibility_config": _visibility("rate-limit"),
    }


def _body_limit_answer(args: WebAclArgs) -> Iterator[aws.wafv2.WebAclCustomResponseBodyArgsDict]:
    if args.max_body_bytes is not None:
        yield {
            "key": "body-too-large",
            "content_type": "APPLICATION_JSON",
            "content": json.dumps(
                {"statusCode": 413, "message": f"At most {args.max_body_bytes} bytes are accepted"}
            ),
        }


def _body_limit_rule(args: WebAclArgs) -> Iterator[aws.wafv2.WebAclRuleArgsDict]:
    if args.max_body_bytes is None:
        return
    yield {
        "name": "body-limit",
        "priority": BODY_LIMIT_PRIORITY,
        "action": {
            "block": {"custom_response": {"response_code": 413, "custom_response_body_key": "body-too-large"}}
        },
        "statement": {
            "regex_match_statement": {
                "regex_string": _body_limit.above(args.max_body_bytes),
                **_header("content-length"),
            }
        },
        "visibility_config": _visibility("body-limit"),
    }


def _header(name: str) -> Any:
    """A header as it was sent."""
    return {
        "field_to_match": {"single_header": {"name": name}},
        "text_transformations": [{"priority": 0, "type": "NONE"}],
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
