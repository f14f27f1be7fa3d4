"""The web firewall of a public entry: the same rules before the load balancer and before the CDN."""

from typing import Literal

import pulumi

from components.web_acl import RateLimit, WebAcl, WebAclArgs
from settings.model import Settings
from wiring.foundation import Foundation

# It would refuse every body above 8 kB (WAF guide, "Baseline rule groups"); nginx's own limit is 1 MB.
COUNTED_RULES = {"AWSManagedRulesCommonRuleSet": ["SizeRestrictions_BODY"]}


def build(
    settings: Settings,
    base: Foundation,
    name: str,
    *,
    scope: Literal["REGIONAL", "CLOUDFRONT"] = "REGIONAL",
    resource_arn: pulumi.Input[str] | None = None,
    associated_elsewhere: bool = False,
    uncounted_header: tuple[str, pulumi.Input[str]] | None = None,
    log_group_name: str,
    log_key_arn: pulumi.Input[str],
    region: str,
) -> WebAcl:
    wanted = settings.ingress.waf
    return WebAcl(
        name,
        WebAclArgs(
            scope=scope,
            resource_arn=resource_arn,
            associated_elsewhere=associated_elsewhere,
            rate_limit=RateLimit(
                requests=wanted.rate_limit.requests,
                window_s=wanted.rate_limit.window_s,
                burst=wanted.rate_limit.burst,
            ),
            uncounted_header=uncounted_header,
            max_body_bytes=wanted.max_body_bytes,
            managed_rules=wanted.managed_rules,
            counted_rules={
                group: rules for group, rules in COUNTED_RULES.items() if group in wanted.managed_rules
            },
            log_group_name=log_group_name,
            log_retention_days=settings.observability.log_retention_days,
            log_key_arn=log_key_arn,
            region=region,
            tags=base.tags,
        ),
    )
