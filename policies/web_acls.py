"""Reads the rules of a web ACL of AWS WAF, in both spellings, and which ACLs stand before an entry."""

from collections.abc import Iterator, Mapping
from typing import Any

import ingresses
from ingresses import INGRESS
from pulumi_policy import PolicyResource
from rules import Props, Stack, document, literal

WEB_ACL = "aws:wafv2/webAcl:WebAcl"
WEB_ACL_ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
RULE_GROUP = "aws:wafv2/ruleGroup:RuleGroup"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
COMMON_RULES = "AWSManagedRulesCommonRuleSet"
SIZE_OF_BODY = "SizeRestrictions_BODY"

Part = Mapping[str, Any]


def rules_of(props: Props) -> list[Part]:
    """The rules of a web ACL or a rule group; those in its `ruleJson` as if they stood in `rules`."""
    return [*(props.get("rules") or []), *map(_uncapitalised, document(props, "ruleJson") or [])]


def _uncapitalised(value: Any) -> Any:
    """The API of WAF begins its names with a capital, the provider with a small letter."""
    if isinstance(value, Mapping):
        return {f"{key[:1].lower()}{key[1:]}": _uncapitalised(inner) for key, inner in value.items()}
    return [_uncapitalised(inner) for inner in value] if isinstance(value, list) else value


def acls_of(entry: PolicyResource, stack: Stack) -> list[PolicyResource]:
    """The web ACLs before a load balancer, a stage of an API, a distribution or an Ingress."""
    if entry.resource_type == DISTRIBUTION:
        return stack.referred(entry, "webAclId", [WEB_ACL])
    if entry.resource_type == INGRESS:
        return [acl for acl in stack.of([WEB_ACL]) if _is_named(entry, acl)]
    associations = stack.referring([WEB_ACL_ASSOCIATION], "resourceArn", entry)
    return [acl for each in associations for acl in stack.referred(each, "webAclArn", [WEB_ACL])]


def _is_named(ingress: PolicyResource, acl: PolicyResource) -> bool:
    depends = any(found.urn == acl.urn for found in ingress.property_dependencies.get("metadata", []))
    named = ingresses.said(ingress.props, "wafv2-acl-arn")
    if named is not None:
        return named == literal(acl.props, "arn") or (named != "none" and depends)
    return ingresses.is_said(ingress.props, "wafv2-acl-arn") and depends


def blocks(acl: PolicyResource, stack: Stack) -> Iterator[Part]:
    """The rules that block, those of the ACL's own rule groups among them, unless they only count there."""
    for each in rules_of(acl.props):
        if _has(each, "action", "block"):
            yield each
        elif _has(each, "statement", "ruleGroupReferenceStatement") and not _has(
            each, "overrideAction", "count"
        ):
            for group in stack.referred(acl, "rules", [RULE_GROUP]):
                yield from (one for one in rules_of(group.props) if _has(one, "action", "block"))


def _has(each: Part, name: str, kind: str) -> bool:
    return kind in set(each.get(name) or {})


def statements(statement: Part) -> Iterator[Part]:
    """The statement, and all that it is made of."""
    yield statement
    for name in ("andStatement", "orStatement", "notStatement"):
        parts = statement.get(name) or {}
        for inner in parts.get("statements") or [parts["statement"]] if parts else ():
            yield from statements(inner)


def blocks_by_rate(acl: PolicyResource, stack: Stack) -> bool:
    return any(_has(each, "statement", "rateBasedStatement") for each in blocks(acl, stack))


def managed_groups(props: Props) -> Iterator[tuple[str, Part]]:
    """Each managed group of rules that an ACL uses and does not only count with: its name and its statement."""
    for each in rules_of(props):
        group = (each.get("statement") or {}).get("managedRuleGroupStatement")
        if group and not _has(each, "overrideAction", "count"):
            yield str(group.get("name")), group


def limits_bodies(acl: PolicyResource, stack: Stack) -> bool:
    """By a rule of its own, on the body or the length that its header says, or by the managed rule for 8 KiB."""
    for each in blocks(acl, stack):
        for statement in statements(each.get("statement") or {}):
            for name in ("sizeConstraintStatement", "regexMatchStatement"):
                field = (statement.get(name) or {}).get("fieldToMatch") or {}
                header = str((field.get("singleHeader") or {}).get("name")).lower()
                is_of_body = name == "sizeConstraintStatement" and {"body", "jsonBody"} & set(field)
                if is_of_body or header == "content-length":
                    return True
    for name, group in managed_groups(acl.props):
        overridden = {override.get("name") for override in group.get("ruleActionOverrides") or []}
        if name == COMMON_RULES and SIZE_OF_BODY not in overridden:
            return True
    return False
