"""What the caller may not do of what the stack's own deploy policy says that an `up` does (IAM's policy simulator)."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from operations.doctor import tables
from operations.doctor.declared import Declared, given
from operations.doctor.line import Line, guarded, note, well, wrong
from operations.doctor.names import shortened
from operations.platform import Platform, Refusal

COMPONENT = "groundwork:security:CiAccess$"
POLICY = "aws:iam/policy:Policy"
# Its API reference gives no limit; so many are answered in a second or two.
BATCH = 50
# What a pipeline is never given, and the person of the first `up` has to have, by the type that asks for it.
ADMINISTRATOR: Mapping[str, tuple[str, ...]] = {
    POLICY: (
        "iam:AttachRolePolicy",
        "iam:CreatePolicy",
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:TagPolicy",
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": (
        "iam:CreateOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
    ),
}


@dataclass(frozen=True)
class Asked:
    """Actions that are asked for together: on the same resources, under the same conditions."""

    actions: Sequence[str]
    resources: tuple[str, ...] = ()
    context: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


@dataclass
class Denied:
    by_service: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    organization: int = 0
    boundary: int = 0
    explicit: int = 0


def check(platform: Platform, declared: Declared, arn: str) -> Iterator[Line]:
    yield from guarded("deploy policy", partial(_simulated, platform, declared, arn))
    yield from guarded("services' own roles", partial(_service_roles, platform, declared))


def policies(declared: Declared) -> list[dict[str, Any]]:
    """The documents of the stack's component for pipelines: its reading and writing ones, not the boundaries."""
    found = [change for change in declared.all(POLICY) if COMPONENT in change.urn]
    return [json.loads(text) for change in found if isinstance(text := given(change, "policy"), str)]


def questions(declared: Declared) -> list[Asked]:
    merged: dict[tuple[Any, Any], set[str]] = defaultdict(set)
    for document in policies(declared):
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                resources = tuple(sorted(map(_example, statement["Resource"])))
                merged[resources, tuple(_context(statement.get("Condition", {})))].update(statement["Action"])
    more = {action for type_, actions in ADMINISTRATOR.items() if declared.all(type_) for action in actions}
    if more:
        merged[(), ()].update(more)
    return [
        Asked(batch, tuple(each for each in resources if each != "*"), context)
        for (resources, context), actions in merged.items()
        for batch in _batches(sorted(actions))
    ]


def _batches(actions: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(actions), BATCH):
        yield actions[start : start + BATCH]


def _example(resource: str) -> str:
    """One that the pattern means: the simulator takes a pattern for a name."""
    return resource if resource == "*" else resource.replace("*", "example").replace("?", "0")


def _context(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What the statement's conditions ask for, as the call will have it."""
    for operator, keys in sorted(conditions.items()):
        for key, value in sorted(keys.items()):
            values = tuple(value) if isinstance(value, list) else (str(value),)
            if operator.startswith("ForA"):
                yield key, "stringList", values
            else:
                yield key, "boolean" if operator == "Bool" else "string", values[:1]


def _simulated(platform: Platform, declared: Declared, arn: str) -> Iterator[Line]:
    what, source = "deploy policy", "iam SimulatePrincipalPolicy"
    if not policies(declared):
        yield note(
            what,
            "the stack declares no `ci`, whose policy says what an `up` does, so it cannot be told",
            "A person with administrator's rights has enough.",
        )
        return
    principal = _principal(platform, arn)
    denied, asked = Denied(), 0
    for question in questions(declared):
        asked += len(question.actions)
        _add(denied, _answers(platform, principal, question))
    if not denied.by_service:
        yield well(what, f"all of {asked} actions are allowed to {principal}", source)
        return
    count = sum(map(len, denied.by_service.values()))
    told = "; ".join(
        f"{service}: {shortened(sorted(set(actions)))}"
        for service, actions in sorted(denied.by_service.items())
    )
    yield wrong(what, f"{count} of {asked} actions are denied to {principal}: {told}", _why(denied), source)


def _why(denied: Denied) -> str:
    reasons = [
        f"{number} {text}"
        for number, text in (
            (
                denied.organization,
                "by a service control policy of the organization: its administrators can change it",
            ),
            (denied.boundary, "by the caller's permissions boundary"),
            (denied.explicit, "by a statement that denies them"),
        )
        if number
    ]
    return (
        f"{'; '.join(reasons)}. " if reasons else ""
    ) + "Sign in with administrator's rights for the first `up`; pipelines take the role that it makes."


def _add(denied: Denied, results: Iterable[Mapping[str, Any]]) -> None:
    for each in results:
        if each["EvalDecision"] == "allowed":
            continue
        service, _, action = each["EvalActionName"].partition(":")
        denied.by_service[service].append(action)
        if not each.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
            denied.organization += 1
        elif not each.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
            denied.boundary += 1
        elif each["EvalDecision"] == "explicitDeny":
            denied.explicit += 1


def _answers(platform: Platform, principal: str, asked: Asked) -> Iterator[Mapping[str, Any]]:
    parameters: dict[str, Any] = {"PolicySourceArn": principal, "ActionNames": list(asked.actions)}
    if asked.resources:
        parameters["ResourceArns"] = list(asked.resources)
    if asked.context:
        parameters["ContextEntries"] = [
            {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": list(values)}
            for key, kind, values in asked.context
        ]
    pages = platform.client("iam").get_paginator("simulate_principal_policy").paginate(**parameters)
    for page in pages:
        yield from page["EvaluationResults"]


def _principal(platform: Platform, arn: str) -> str:
    """The simulator wants the role itself, and STS tells only of the session. Raises Refusal for who is neither."""
    resource = arn.split(":", 5)[5]
    kind, _, rest = resource.partition("/")
    if kind == "user":
        return arn
    if kind == "assumed-role":
        return platform.client("iam").get_role(RoleName=rest.partition("/")[0])["Role"]["Arn"]
    raise Refusal(f"IAM simulates users and roles, and {arn} is neither.")


def _service_roles(platform: Platform, declared: Declared) -> Iterator[Line]:
    source = "iam ListRoles"
    wanted = Counter(service for type_, service in tables.service_roles().items() if declared.all(type_))
    missing = []
    for service in sorted(wanted):
        answer = platform.client("iam").list_roles(PathPrefix=f"/aws-service-role/{service}/")
        if not answer["Roles"]:
            missing.append(service)
    if missing:
        yield note(
            "services' own roles",
            f"AWS makes them on first use: {', '.join(missing)}",
            "The caller needs iam:CreateServiceLinkedRole. Should the first `up` be refused for one, run it again.",
            source,
        )
    else:
        yield well("services' own roles", f"all {len(wanted)} are there", source)
