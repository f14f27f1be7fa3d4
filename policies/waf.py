"""The web firewall: where it must stand, what it must refuse, and what it writes down."""

from collections.abc import Sequence

import ingresses
from balancers import DISTRIBUTION, LOAD_BALANCERS
from ingresses import INGRESS
from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given_at, rule
from web_acls import RULE_GROUP, WEB_ACL, acls_of, blocks_by_rate, managed_groups, rules_of

API_STAGE = "aws:apigateway/stage:Stage"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
MANAGED = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet")

RULES: list[Rule] = []


@rule(
    RULES,
    "waf-rate-limit-on-public-entry",
    types=[*LOAD_BALANCERS, DISTRIBUTION, INGRESS, API_STAGE],
    severity="high",
    why="Without a limit one address can guess passwords or exhaust the service.",
    remedy="Associate a WebAcl with a rateBasedStatement and the action block (system file: ingress.waf.rate_limit)",
    checklist=["C41"],
    frameworks=[
        "Security Hub ELB.16",
        "FSBP APIGateway.4",
        "FSBP CloudFront.6",
        "CKV2_AWS_28",
        "CKV2_AWS_29",
        "CKV_AWS_68",
    ],
    whole_stack=True,
)
def waf_rate_limit_on_public_entry(entry: PolicyResource, stack: Stack) -> Findings:
    """Every public entry limits how often one address may call."""
    if entry.resource_type == INGRESS and not ingresses.is_public(entry.props):
        return
    if entry.resource_type in LOAD_BALANCERS:
        is_application = entry.props.get("loadBalancerType", "application") == "application"
        if entry.props.get("internal") or not is_application:
            return
    acls = acls_of(entry, stack)
    if not acls:
        yield "no WebAcl is associated"
    elif not any(blocks_by_rate(acl, stack) for acl in acls):
        yield f"WebAcl {', '.join(acl.name for acl in acls)} has no rate-based rule that blocks"


@rule(
    RULES,
    "waf-managed-rules",
    types=[WEB_ACL],
    severity="medium",
    why="They know the attacks that every address on the internet gets each day, and AWS keeps them up to date.",
    remedy="Add a managedRuleGroupStatement for each, with overrideAction none "
    "(system file: ingress.waf.managed_rules)",
    checklist=["C28"],
    frameworks=["FSBP WAF.10", "CKV_AWS_175", "CKV_AWS_192", "CKV2_AWS_47", "CKV2_AWS_76"],
)
def waf_managed_rules(props: Props, *, groups: Sequence[str] = MANAGED) -> Findings:
    """The web firewall refuses what is known to be an attack; `groups` names AWS's or others' groups of such rules."""
    used = {name for name, _ in managed_groups(props)}
    missing = [name for name in groups if name not in used]
    if missing:
        yield f"it does not block by {', '.join(missing)}"


@rule(
    RULES,
    "waf-measured",
    types=[WEB_ACL, RULE_GROUP],
    severity="low",
    why="Without its metrics nobody knows whether a rule refuses attacks, customers, or nothing.",
    remedy="Set visibilityConfig.cloudwatchMetricsEnabled to true, of the ACL and of each rule "
    "(Groundwork's firewall does)",
    checklist=["C58"],
    frameworks=["FSBP WAF.12"],
    must_know=True,
)
def waf_measured(props: Props) -> Findings:
    """Every rule of the web firewall counts what it does."""
    for where, holder in [
        ("", props),
        *((f"rule {each.get('name', '?')}: ", each) for each in rules_of(props)),
    ]:
        # In the JSON spelling AWS's own names come out a little different.
        measured = at(holder, "visibilityConfig.cloudwatchMetricsEnabled")
        if measured is None:
            measured = at(holder, "visibilityConfig.cloudWatchMetricsEnabled")
        if measured is not True:
            yield f"{where}{given_at(holder, 'visibilityConfig.cloudwatchMetricsEnabled')}"


@rule(
    RULES,
    "waf-logged",
    types=[WEB_ACL],
    severity="medium",
    why="After an attack, or a customer's complaint, only the log says what was refused and by which rule.",
    remedy="Declare a WebAclLoggingConfiguration of the ACL (stack file: observability.log_retention_days)",
    checklist=["C60"],
    frameworks=["Security Hub WAF.11", "CKV2_AWS_31"],
    whole_stack=True,
)
def waf_logged(acl: PolicyResource, stack: Stack) -> Findings:
    """What the web firewall refuses is written down."""
    if not stack.referring([LOGGING], "resourceArn", acl):
        yield "no WebAclLoggingConfiguration names it"
