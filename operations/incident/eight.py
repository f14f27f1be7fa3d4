"""The eight steps of an incident (FixRx guide L609-617): which are done, by what is in the record, and what to type."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operations.incident.record import DONE, TOLD, Incident, Step
from operations.incident.severity import Severity


class Name(StrEnum):
    acknowledge = "acknowledge"
    assess = "assess"
    notify = "notify"
    investigate = "investigate"
    temporary_fix = "temporary-fix"
    update = "update"
    permanent_fix = "permanent-fix"
    review = "review"


Look = Callable[[Incident], Step | None]


def _first(incident: Incident) -> Step | None:
    return incident.steps[0]


def _told(*templates: str) -> Look:
    def look(incident: Incident) -> Step | None:
        told = incident.of(TOLD)
        return next((each for each in told if not templates or each.details["template"] in templates), None)

    return look


def _told_again(incident: Incident) -> Step | None:
    """A message to another topic at the same time is no update."""
    told = incident.of(TOLD)
    later = [each for each in told if each.details["words"] != told[0].details["words"]]
    return later[-1] if later else None


def _nothing(_: Incident) -> Step | None:
    return None


@dataclass(frozen=True)
class Eighth:
    """`calls` are what is typed after `groundwork`; SERVICE and SEVERITY stand for the incident's.

    `look` finds what says by itself that it is done; `groundwork incident done` says it of every step.
    """

    name: Name
    says: str
    calls: Sequence[str]
    look: Look = _nothing
    hint: str = ""

    def done(self, incident: Incident) -> Step | None:
        marked = [each for each in incident.of(DONE) if each.details["step"] == self.name]
        return marked[-1] if marked else self.look(incident)


STEPS = (
    Eighth(
        Name.acknowledge,
        "Acknowledge the incident",
        ["incident open --severity SEVERITY --title TITLE"],
        _first,
        "opening it says who has it; PagerDuty and Slack want it there, too",
    ),
    Eighth(
        Name.assess,
        "Assess severity and impact",
        ["status", "alerts status", "incident done assess --severity P1 --note IMPACT"],
        _told(),
        "the first message says the impact",
    ),
    Eighth(
        Name.notify,
        "Notify stakeholders",
        ["incident notify --template investigating --impact IMPACT --actions ACTIONS"],
        _told(),
    ),
    Eighth(
        Name.investigate,
        "Begin investigation",
        ["service show SERVICE", "logs SERVICE --errors --since 1h", "incident done investigate"],
        _told("investigating", "identified", "monitoring"),
        "the page of each alarm in docs/runbooks has the rest",
    ),
    Eighth(
        Name.temporary_fix,
        "Implement temporary fix if possible",
        ["rollback SERVICE", "scale SERVICE --desired 6", "incident done temporary-fix --note TEXT"],
        _told("monitoring"),
    ),
    Eighth(
        Name.update,
        "Communicate status updates",
        ["incident notify --template identified --impact IMPACT --actions ACTIONS"],
        _told_again,
        "every 30 minutes",
    ),
    Eighth(
        Name.permanent_fix,
        "Implement permanent fix",
        ["incident done permanent-fix --note TEXT", "incident notify --template resolved --resolution TEXT"],
    ),
    Eighth(
        Name.review,
        "Conduct post-incident review",
        ["incident close", "incident show", "incident done review --note TEXT"],
        hint="within a week, without blame",
    ),
)


def lines(incident: Incident | None, severity: Severity, options: str) -> Iterator[str]:
    """For a person. `options` name system and stack, as each call ends with them."""
    for number, each in enumerate(STEPS, 1):
        step = each.done(incident) if incident else None
        hint = f" ({each.hint})" if each.hint else ""
        yield f"[{'x' if step else ' '}] {number}. {each.says}{hint}"
        if step:
            yield f"       {step}"
        else:
            for call in _typed(each, incident, severity, options):
                yield f"       {call}"


def rows(incident: Incident | None, severity: Severity, options: str) -> list[dict[str, Any]]:
    """For a program: what `lines` says."""
    return [
        {
            "step": str(each.name),
            "says": each.says,
            "done": str(step) if (step := each.done(incident) if incident else None) else None,
            "commands": [] if step else list(_typed(each, incident, severity, options)),
        }
        for each in STEPS
    ]


def _typed(each: Eighth, incident: Incident | None, severity: Severity, options: str) -> Iterator[str]:
    service = next(iter(incident.steps[0].details["services"]), "SERVICE") if incident else "SERVICE"
    named = f" {incident.name}" if incident else ""
    for call in each.calls:
        own = named if call.startswith("incident") and "open" not in call else ""
        filled = call.replace("SERVICE", service).replace("SEVERITY", severity)
        yield f"groundwork {filled}{own}{options}"


def left(incident: Incident) -> list[Eighth]:
    return [each for each in STEPS if not each.done(incident)]
