"""What protects a branch: classic branch protection and rulesets, in one shape. The stronger holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from operations.repo.github import Github, Untold
from operations.show import printable

CLASSIC = "branch protection"
# "Get branch protection" answers so where there is none, and with "Not Found" whom it does not tell.
NOT_PROTECTED = "Branch not protected"
# The two with which a ruleset has something run before a merge.
CHECKS = {"required_status_checks": "required_status_checks", "workflows": "workflows"}
# GitHub's own, by their ids; an organization's custom roles have others.
ROLES = {2: "maintain", 4: "write", 5: "admin"}
# What a bypass list may name that is not one team, app or person.
ANYBODY = {
    "OrganizationAdmin": "every owner of the organization",
    "EnterpriseOwner": "every owner of the enterprise",
    "DeployKey": "every deploy key",
}


@dataclass(frozen=True)
class Actor:
    """Who gets round a protection; `is_named` is one team, app or person, not whoever has a role."""

    who: str
    is_named: bool


@dataclass(frozen=True, kw_only=True)
class Protection:
    """`approvals` is None where no pull request is required; `around` is None where GitHub does not tell."""

    name: str
    approvals: int | None = None
    dismisses_stale: bool = False
    asks_code_owners: bool = False
    checks: tuple[str, ...] = ()
    refuses_force_pushes: bool = False
    refuses_deletion: bool = False
    around: tuple[Actor, ...] | None = ()


@dataclass(frozen=True)
class Protections:
    """All that GitHub tells; `untold` says of what it does not, and why."""

    each: Sequence[Protection]
    untold: Sequence[str] = ()


def protections(github: Github, repository: str, branch: str, told: Mapping[str, Any]) -> Protections:
    """`told` is GitHub's answer of the branch ("Get a branch"), which every reader gets."""
    found: list[Protection] = []
    untold: list[str] = []
    # "Get branch protection"; the permission is Administration: read.
    classic = github.get(f"/repos/{repository}/branches/{quote(branch, safe='')}/protection")
    if not isinstance(classic, Untold):
        found.append(_classic(classic))
    elif told.get("protected") and classic.said != NOT_PROTECTED and not classic.is_not_in_the_plan:
        untold.append(f"branch protection is told to who may read the repository's administration: {classic}")
        found += _classic_of_a_reader(told)
    # "Get rules for a branch": active rules of the repository, its organization and enterprise; any reader may ask.
    rules = github.pages(f"/repos/{repository}/rules/branches/{quote(branch, safe='')}")
    if not isinstance(rules, Untold):
        found += _rulesets(github, repository, rules)
    elif not rules.is_not_in_the_plan:
        untold.append(f"rulesets: {rules}")
    return Protections(found, untold)


def _classic(told: Mapping[str, Any]) -> Protection:
    reviews = told.get("required_pull_request_reviews")
    checks = told.get("required_status_checks") or {}
    reviewed = reviews or {}
    around = [] if _on(told, "enforce_admins") else [Actor("every administrator of the repository", False)]
    for kind, name in (("users", "login"), ("teams", "slug"), ("apps", "slug")):
        for each in (reviewed.get("bypass_pull_request_allowances") or {}).get(kind) or []:
            around.append(Actor(f"{kind[:-1]} {each.get(name)}", True))
    return Protection(
        name=CLASSIC,
        approvals=None if reviews is None else reviewed.get("required_approving_review_count") or 0,
        dismisses_stale=bool(reviewed.get("dismiss_stale_reviews")),
        asks_code_owners=bool(reviewed.get("require_code_owner_reviews")),
        checks=_contexts(checks),
        refuses_force_pushes=not _on(told, "allow_force_pushes"),
        refuses_deletion=not _on(told, "allow_deletions"),
        around=tuple(around),
    )


def _on(told: Mapping[str, Any], key: str) -> bool:
    return bool((told.get(key) or {}).get("enabled"))


def _classic_of_a_reader(told: Mapping[str, Any]) -> Iterator[Protection]:
    """The one part of it that stands in the branch itself."""
    checks = (told.get("protection") or {}).get("required_status_checks") or {}
    if _contexts(checks) and checks.get("enforcement_level") != "off":
        yield Protection(name=CLASSIC, checks=_contexts(checks), around=None)


def _contexts(checks: Mapping[str, Any]) -> tuple[str, ...]:
    """GitHub gives them twice; `contexts` is to go."""
    return tuple(each["context"] for each in checks.get("checks") or ()) or tuple(
        checks.get("contexts") or ()
    )


def _rulesets(github: Github, repository: str, rules: Sequence[Mapping[str, Any]]) -> Iterator[Protection]:
    """A ruleset may have several rules of one kind; it asks for all of them."""
    for number in dict.fromkeys(rule["ruleset_id"] for rule in rules):
        own = [rule for rule in rules if rule["ruleset_id"] == number]
        kinds = {rule["type"] for rule in own}
        reviews = [rule.get("parameters") or {} for rule in own if rule["type"] == "pull_request"]
        # "Get a repository ruleset"; the list of who gets round it is only for who may change it.
        told = github.get(f"/repos/{repository}/rulesets/{number}?includes_parents=true")
        told = {} if isinstance(told, Untold) else told
        actors = told.get("bypass_actors")
        yield Protection(
            name=f"ruleset {told.get('name') or number}",
            approvals=max(
                (each.get("required_approving_review_count") or 0 for each in reviews), default=None
            ),
            dismisses_stale=any(each.get("dismiss_stale_reviews_on_push") for each in reviews),
            asks_code_owners=any(each.get("require_code_owner_review") for each in reviews),
            checks=tuple(_checks(own)),
            refuses_force_pushes="non_fast_forward" in kinds,
            refuses_deletion="deletion" in kinds,
            around=None if actors is None else tuple(_actor(each) for each in actors),
        )


def _checks(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for rule in rules:
        for each in (rule.get("parameters") or {}).get(CHECKS.get(rule["type"], ""), ()):
            yield str(each.get("context") or each.get("path"))


def _actor(told: Mapping[str, Any]) -> Actor:
    kind, number = told.get("actor_type"), told.get("actor_id")
    where = " on pull requests" if told.get("bypass_mode") == "pull_request" else ""
    if kind == "RepositoryRole":
        return Actor(f"everybody with the role {ROLES.get(number or 0, number)}{where}", False)
    if kind in ANYBODY:
        return Actor(f"{ANYBODY[kind]}{where}", False)
    return Actor(printable(f"{kind} {number}{where}"), True)
