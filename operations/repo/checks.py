"""What is wanted of a repository, a line for each, and how it is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operations.repo.github import Github, Untold
from operations.repo.protection import Protection, Protections
from operations.show import printable

RULES = "Settings, Rules or Branches"
SECURITY = "Settings, Security"


class State(StrEnum):
    WELL = "well"
    FOUND = "found"
    TOLD = "told"
    UNASKED = "not asked"  # what had to be asked, and was not answered
    UNKNOWN = "not known"  # what GitHub tells to few


MARKS = {
    State.WELL: "well ",
    State.FOUND: "FOUND",
    State.TOLD: "-    ",
    State.UNASKED: "?    ",
    State.UNKNOWN: "?    ",
}


@dataclass(frozen=True)
class Line:
    check: str
    wanted: str
    state: State
    seen: str
    todo: str = ""

    def as_row(self) -> Mapping[str, str]:
        return {
            "check": self.check,
            "wanted": self.wanted,
            "state": self.state.value,
            "seen": self.seen,
            "todo": self.todo,
        }

    def __str__(self) -> str:
        text = f"{MARKS[self.state]} {self.check:17} {self.wanted}: {self.seen}. {self.todo}"
        return printable(text.rstrip())


def of_branch(told: Protections, reviews: int) -> Iterator[Line]:
    """The branch, by all that protects it."""
    yield _asked(
        told,
        "pull-requests",
        "the branch is changed by pull requests alone",
        lambda each: each.approvals is not None,
        'Tick "Require a pull request before merging"',
    )
    yield _approvals(told, reviews)
    yield _asked(
        told,
        "stale-approvals",
        "an approval ends with the next commit",
        lambda each: each.dismisses_stale,
        'Tick "Dismiss stale pull request approvals when new commits are pushed"',
    )
    yield _code_owners(told)
    yield _asked(
        told,
        "status-checks",
        "one at least before a merge",
        lambda each: bool(each.checks),
        'Tick "Require status checks to pass" and name one',
        lambda each: f"{', '.join(each.checks)} by {each.name}",
    )
    yield _asked(
        told,
        "force-pushes",
        "refused",
        lambda each: each.refuses_force_pushes,
        "Block force pushes",
    )
    yield _asked(
        told,
        "deletion",
        "refused",
        lambda each: each.refuses_deletion,
        "Restrict deletions",
    )
    yield _around(told, reviews)


def _asked(
    told: Protections,
    check: str,
    wanted: str,
    holds: Callable[[Protection], bool],
    todo: str,
    shown: Callable[[Protection], str] = lambda each: f"by {each.name}",
) -> Line:
    holding = [shown(each) for each in told.each if holds(each)]
    if holding:
        return Line(check, wanted, State.WELL, "; ".join(holding))
    return _missing(told, check, wanted, "nothing asks for it", todo)


def _missing(told: Protections, check: str, wanted: str, seen: str, todo: str) -> Line:
    """What is not seen is not there only where everything was told."""
    if told.untold:
        return Line(check, wanted, State.UNASKED, f"{seen} in what GitHub tells", _why(told))
    return Line(check, wanted, State.FOUND, seen, f"{todo} ({RULES}).")


def _why(told: Protections) -> str:
    return f"Not told: {'; '.join(told.untold)}."


def _approvals(told: Protections, reviews: int) -> Line:
    asking = [each for each in told.each if each.approvals is not None]
    wanted = f"{reviews} or more before a merge"
    if not asking:
        return _missing(
            told, "approvals", wanted, "no pull request is required", f'Set "Required approvals" to {reviews}'
        )
    most = max(asking, key=lambda each: each.approvals or 0)
    seen = f"{most.approvals} by {most.name}"
    if (most.approvals or 0) >= reviews:
        return Line("approvals", wanted, State.WELL, seen)
    return _missing(told, "approvals", wanted, seen, f'Set "Required approvals" to {reviews}')


def _code_owners(told: Protections) -> Line:
    wanted = "their approval, where the product wants it"
    asking = [each.name for each in told.each if each.asks_code_owners]
    if asking:
        return Line("code-owners", wanted, State.TOLD, f"asked by {', '.join(asking)}")
    if told.untold:
        return Line(
            "code-owners", wanted, State.UNKNOWN, "nothing asks for it in what GitHub tells", _why(told)
        )
    return Line("code-owners", wanted, State.TOLD, "nothing asks for it")


def _around(told: Protections, reviews: int) -> Line:
    """Who may merge without those approvals. Of several protections that ask for them each has to be got round."""
    check, wanted = "bypass", "nobody gets round the approvals unless named"
    asking = [each for each in told.each if each.approvals is not None]
    enough = [each for each in asking if (each.approvals or 0) >= reviews] or asking
    if not enough:
        return Line(
            check, wanted, State.UNKNOWN if told.untold else State.TOLD, "none are seen to be asked for"
        )
    known = [each for each in enough if each.around is not None]
    if not known:
        names = ", ".join(each.name for each in enough)
        return Line(
            check,
            wanted,
            State.UNKNOWN,
            f"GitHub does not tell of {names}",
            "Ask with the token of somebody who may change it.",
        )
    tightest = min(
        known, key=lambda each: ([actor.is_named for actor in each.around or ()].count(False), each.name)
    )
    actors = sorted(tightest.around or (), key=lambda each: each.is_named)
    seen = f"{', '.join(each.who for each in actors) or 'nobody'} ({tightest.name})"
    if all(each.is_named for each in actors):
        return Line(check, wanted, State.WELL, seen)
    if len(known) < len(enough) or told.untold:
        return Line(check, wanted, State.UNKNOWN, f"{seen}, and of the others GitHub does not tell")
    return Line(
        check,
        wanted,
        State.FOUND,
        seen,
        'Tick "Do not allow bypassing the above settings", or take the role off the ruleset\'s bypass list '
        f"({RULES}).",
    )


def of_security(github: Github, repository: str, told: Mapping[str, Any]) -> Iterator[Line]:
    """`told` is GitHub's answer of the repository ("Get a repository"), with more for its administrators."""
    yield _alerts(github, repository)
    analysis = told.get("security_and_analysis") or {}
    for check, key, what in (
        ("secret-scanning", "secret_scanning", "Secret scanning"),
        ("push-protection", "secret_scanning_push_protection", "Push protection of secret scanning"),
    ):
        status = (analysis.get(key) or {}).get("status")
        if status == "enabled":
            yield Line(check, "on", State.WELL, "it is on")
        elif status:
            yield Line(check, "on", State.FOUND, f"it is {status}", f"Enable {what} ({SECURITY}).")
        else:
            yield _unknown(check, f"GitHub does not tell {github.asker}")


def _alerts(github: Github, repository: str) -> Line:
    """ "Check if vulnerability alerts are enabled for a repository": 204, or 404 with a message that tells why."""
    answer = github.get(f"/repos/{repository}/vulnerability-alerts")
    if not isinstance(answer, Untold):
        return Line("dependabot-alerts", "on", State.WELL, "they are on")
    if answer.code == 404 and "disabled" in answer.said:
        return Line(
            "dependabot-alerts", "on", State.FOUND, "they are off", f"Enable Dependabot alerts ({SECURITY})."
        )
    return _unknown("dependabot-alerts", f"GitHub does not tell {github.asker}: {answer}")


def _unknown(check: str, seen: str) -> Line:
    return Line(check, "on", State.UNKNOWN, seen, "Ask with the token of an administrator of the repository.")
