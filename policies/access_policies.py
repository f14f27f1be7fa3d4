"""Reads the policies that stand on resources: who is let in or kept out, to do what, and under which condition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openings import is_world

Statement = Mapping[str, Any]

# Condition keys that say who calls or on whose behalf ("The meaning of 'public'", Amazon S3 User Guide); with one of
# them a statement for everybody is for somebody.
CALLERS = {
    "aws:calledvia",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "kms:calleraccount",
    "kms:viaservice",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
}
ADDRESSES = {"aws:sourceip", "aws:vpcsourceip"}
# Whoever can mount a file system is already inside the network (EFS User Guide, "Blocking public access").
MOUNTED = "elasticfilesystem:accessedviamounttarget"


def statements(policy: Any, effect: str) -> Iterator[tuple[str, Statement]]:
    """Each statement with that effect, with how to call it; nothing where the policy is no document."""
    found = policy.get("Statement") if isinstance(policy, Mapping) else None
    for number, statement in enumerate([found] if isinstance(found, Mapping) else found or [], 1):
        if statement.get("Effect") == effect:
            yield f"statement {statement.get('Sid') or number}", statement


def listed(value: Any) -> list[str]:
    """IAM writes one value or a list of them."""
    if value is None:
        return []
    many = isinstance(value, Sequence) and not isinstance(value, str)
    return [str(item) for item in value] if many else [str(value)]


def actions(statement: Statement) -> list[str]:
    return listed(statement.get("Action"))


def is_for_everybody(statement: Statement) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        return any("*" in listed(who) for who in principal.values())
    return principal == "*"


def condition(statement: Statement, operator: str, key: str) -> Any:
    return ((statement.get("Condition") or {}).get(operator) or {}).get(key)


def names_callers(statement: Statement) -> bool:
    """Whether a condition narrows everybody down to callers that somebody chose."""
    return any(
        _narrows(operator.lower().removeprefix("foranyvalue:"), key.lower(), listed(values))
        for operator, tests in (statement.get("Condition") or {}).items()
        for key, values in tests.items()
    )


def _narrows(operator: str, key: str, values: list[str]) -> bool:
    # "…IfExists" and "ForAllValues:…" hold too where the caller does not send the key at all.
    if operator == "ipaddress":
        return key in ADDRESSES and not any(map(is_world, values))
    if operator == "bool":
        return key == MOUNTED and values == ["true"]
    if operator in {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}:
        return key in CALLERS and not any(value.strip("*") == "" for value in values)
    return False
