"""What people are told: the guide's two templates (FixRx guide L619-632), and one for maintenance (L710-713).

Lines that the guide does not have stand below its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from operations.alerts.topics import Message
from operations.incident.record import Incident
from operations.platform import Platform, Refusal

NEXT_STEPS = "Post-incident review scheduled"
AHEAD = timedelta(days=14)  # FixRx guide L711: planned upgrades are scheduled 2 weeks in advance


class Template(StrEnum):
    investigating = "investigating"
    identified = "identified"
    monitoring = "monitoring"
    resolved = "resolved"
    maintenance = "maintenance"


@dataclass(frozen=True, kw_only=True)
class Words:
    """What the operator puts into a template."""

    impact: Annotated[str | None, typer.Option(help="Who notices what.")] = None
    actions: Annotated[str | None, typer.Option(help="What is done about it.")] = None
    eta: Annotated[str | None, typer.Option(help="When it is over, if that is known.")] = None
    resolution: Annotated[str | None, typer.Option(help="resolved: what ended it.")] = None
    next_steps: Annotated[str | None, typer.Option(help=f"resolved: left out, {NEXT_STEPS}.")] = None
    title: Annotated[str | None, typer.Option(help="maintenance: what is planned.")] = None
    starts: Annotated[
        datetime | None, typer.Option(help="maintenance: when, in UTC.", formats=["%Y-%m-%dT%H:%M"])
    ] = None
    ends: Annotated[
        datetime | None, typer.Option(help="maintenance: until when, in UTC.", formats=["%Y-%m-%dT%H:%M"])
    ] = None
    rollback: Annotated[
        str | None, typer.Option(help="maintenance: the way back, or where it is written.")
    ] = None
    urgent: Annotated[
        bool,
        typer.Option(
            "--urgent", help="maintenance: a security patch or a critical bug, less than two weeks ahead."
        ),
    ] = False

    @property
    def given(self) -> dict[str, str]:
        return {name: str(value) for name, value in vars(self).items() if value}


_UPDATE = (("impact", "actions"), ("eta",))
# By template: what it must have, what it may have besides.
_TAKES: Mapping[Template, tuple[Sequence[str], Sequence[str]]] = {
    Template.investigating: _UPDATE,
    Template.identified: _UPDATE,
    Template.monitoring: _UPDATE,
    Template.resolved: (("resolution",), ("next_steps",)),
    Template.maintenance: (("title", "starts", "ends", "impact", "rollback"), ("actions", "urgent")),
}


def check(template: Template, words: Words, now: datetime) -> None:
    """Raises Refusal with all that does not fit the template."""
    if problems := [*_problems(template, words, now)]:
        raise Refusal(" ".join(problems))


def _problems(template: Template, words: Words, now: datetime) -> Iterator[str]:
    needed, optional = _TAKES[template]
    if missing := [_option(name) for name in needed if name not in words.given]:
        yield f"--template {template} wants {', '.join(missing)}."
    if strange := [_option(name) for name in words.given if name not in (*needed, *optional)]:
        yield f"--template {template} has no place for {', '.join(strange)}."
    for name, text in words.given.items():
        if not text.isprintable():
            yield f"{_option(name)} is one line, without control characters."
    if template is Template.maintenance and words.starts and words.ends:
        starts, ends = words.starts.replace(tzinfo=now.tzinfo), words.ends.replace(tzinfo=now.tzinfo)
        if ends <= starts:
            yield "--ends is not after --starts."
        if starts <= now:
            yield "--starts has passed."
        elif starts - now < AHEAD and not words.urgent:
            yield (
                f"{words.starts:%Y-%m-%d} is less than two weeks ahead, as planned upgrades are announced; "
                "--urgent is for security patches and critical bugs."
            )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def of_incident(
    platform: Platform, incident: Incident, template: Template, words: Words, now: datetime
) -> Message:
    """The subject's beginning is what makes Slack and PagerDuty take the last message as the end of the first.

    Raises Refusal on what SNS would not take.
    """
    resolved = template is Template.resolved
    lines = _resolved(incident, words, now) if resolved else _update(template, words)
    return Message(
        subject=subject(platform, incident.title, resolved=resolved),
        text="\n".join(
            [
                *lines,
                "",
                f"Incident: {incident.title}",
                f"Severity: {incident.severity}, {incident.severity.means}",
                f"System: {_where(platform)}",
                f"Began: {incident.began:%Y-%m-%d %H:%M} UTC",
                f"Sent: {now:%Y-%m-%d %H:%M} UTC",
                "",
            ]
        ),
    )


def check_title(platform: Platform, title: str) -> None:
    """Raises Refusal where no mail could have it in its subject."""
    Message(subject(platform, title, resolved=True), "")


def subject(platform: Platform, title: str, *, resolved: bool) -> str:
    """Prometheus' two words, which the notifiers know (components/webhook_notifier_handler)."""
    return f"[{'RESOLVED' if resolved else 'FIRING'}] INCIDENT {_where(platform)}: {title}"


def _where(platform: Platform) -> str:
    return f"{platform.outputs['system']} {platform.outputs['environment']}"


def _update(template: Template, words: Words) -> list[str]:
    return [
        "INCIDENT NOTIFICATION",
        f"Status: {template.upper()}",
        f"Impact: {words.impact}",
        f"ETA: {words.eta or template.capitalize()}, updates in 30 minutes",
        f"Actions: {words.actions}",
    ]


def _resolved(incident: Incident, words: Words, now: datetime) -> list[str]:
    return [
        "INCIDENT RESOLVED",
        "Status: RESOLVED",
        f"Resolution: {words.resolution}",
        f"Duration: {lasted(now - incident.began)}",
        f"Next Steps: {words.next_steps or NEXT_STEPS}",
    ]


def of_maintenance(platform: Platform, words: Words, now: datetime) -> Message:
    """Raises Refusal on what SNS would not take."""
    assert words.title
    assert words.starts
    assert words.ends
    return Message(
        subject=f"MAINTENANCE {_where(platform)}: {words.title}",
        text="\n".join(
            [
                "PLANNED MAINTENANCE",
                "Status: SCHEDULED",
                f"What: {words.title}",
                f"Starts: {words.starts:%Y-%m-%d %H:%M} UTC",
                f"Ends: {words.ends:%Y-%m-%d %H:%M} UTC",
                f"Impact: {words.impact}",
                *([f"Actions: {words.actions}"] if words.actions else []),
                f"Rollback plan: {words.rollback}",
                "",
                f"System: {_where(platform)}",
                f"Sent: {now:%Y-%m-%d %H:%M} UTC",
                "",
            ]
        ),
    )


def lasted(span: timedelta) -> str:
    """`45 minutes`, `1 hour 5 minutes`, `2 days 3 hours`."""
    minutes = max(0, round(span.total_seconds() / 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "day"), (hours, "hour"), (0 if days else rest, "minute")]
    told = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return " ".join(told) or "less than a minute"
