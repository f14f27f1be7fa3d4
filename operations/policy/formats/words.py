"""What every format says in the same words."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from operations.policy.catalogue import Rule
from operations.policy.findings import Exempted, FailOn, Finding, Judgement, Status, Waiting


def count(number: int, one: str, many: str = "") -> str:
    """`1 rule`, `2 rules`."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def outcome(judgement: Judgement) -> str:
    """One line: what is broken, exempt, and not known yet."""
    if judgement.problem:
        return "could not be judged"
    broken = len({found.rule for found in judgement.findings})
    violations = f"{count(len(judgement.findings), 'violation')} of {count(broken, 'policy', 'policies')}"
    parts = [violations if broken else "no violation"]
    if judgement.exempted:
        parts.append(f"{count(len(judgement.exempted), 'finding')} exempt")
    if judgement.waiting:
        parts.append(f"{count(judgement.waiting_checks, 'check')} not evaluated")
    return "; ".join(parts)


def tally(judgement: Judgement, rules: Iterable[Rule]) -> str:
    """How many rules came out how, the silent ones included."""
    statuses = judgement.statuses(rules)
    meanings: dict[Status, str] = {
        "passed": "passed",
        "failed": "failed",
        "exempt": "exempt",
        "waits": "waiting for a value",
        "not applicable": "not applicable",
        "off": "turned off",
    }
    said = [f"{statuses[status]} {meaning}" for status, meaning in meanings.items() if statuses[status]]
    return f"{count(statuses.total(), 'rule')}: {', '.join(said)}"


def verdict(judgements: Sequence[Judgement], fail_on: FailOn) -> str:
    """The last line: whether the check failed, by which measure, and what does not count by it."""
    problems = [str(each.stack) for each in judgements if each.problem]
    counted = sum(len(each.counted(fail_on)) for each in judgements)
    found = sum(len(each.findings) for each in judgements)
    graver = "of severity critical" if fail_on == "critical" else f"of severity {fail_on} or graver"
    if problems:
        return f"Not judged: {'; '.join(problems)}."
    if counted and fail_on == "mandatory":
        return f"Failed: {count(counted, 'mandatory finding')}."
    if counted:
        return f"Failed: {count(counted, 'finding')} {graver}."
    if not found:
        return "Passed."
    measures = {"mandatory": "none of them mandatory", "never": "which count for nothing (--fail-on never)"}
    return f"Passed: {count(found, 'finding')}, {measures.get(fail_on, f'none of them {graver}')}."


def by_rule(findings: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each rule, the gravest rules first; they come in that order."""
    for _, group in groupby(findings, key=lambda found: (found.rule, found.mandatory)):
        found = list(group)
        yield found[0].rule, found


def alike(findings: Iterable[Finding]) -> dict[str, list[str]]:
    """The resources of which the same thing was found, by what it is."""
    resources: dict[str, list[str]] = {}
    for found in findings:
        resources.setdefault(found.found, []).append(str(found.resource))
    return resources


def grant(exempted: Exempted) -> str:
    return f"until {exempted.expires} by {exempted.owner}: {exempted.reason}"


def waits(waiting: Waiting) -> str:
    """`policy of access-logs, backups: s3-tls-only`, as the pack says it."""
    if not waiting.rules:
        return waiting.value
    return f"{waiting.value} of {', '.join(waiting.resources)}: {', '.join(waiting.rules)}"


def asides(judgement: Judgement) -> list[str]:
    """What is no verdict on a rule, a line each: what waits for its value, what the pack has changed itself."""
    waiting = [f"Not evaluated before `pulumi up`: {waits(each)}" for each in judgement.waiting]
    return waiting + [f"Remediated by {each.rule}: {each.resource}" for each in judgement.remediated]
