"""`groundwork incident open`: somebody has it, and how bad it is."""

import json
from datetime import datetime
from typing import Annotated

import typer

from operations.incident import following, picture, record, texts
from operations.incident.record import Incident, Journal
from operations.incident.severity import Severity
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
    said,
)
from operations.policy.stacks import unknown
from operations.services.logs import moment
from operations.show import as_text, printable, waiting

LONGEST_TITLE = 80


def open_(
    severity: Annotated[Severity, typer.Option(help="P1 nobody is served ... P4 looks wrong.")],
    title: Annotated[
        str, typer.Option(help="What people notice, in a line of ASCII: it is a mail's subject.")
    ],
    service: Annotated[
        list[str] | None, typer.Option(help="A service that it is about; may be repeated.")
    ] = None,
    began: Annotated[
        str | None, typer.Option(help="When, if not now: 20m ago, or 2026-04-01T12:00 in UTC.")
    ] = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Open an incident: it is recorded who has it since when, and a first picture of the stack is looked at.

    It tells nobody yet: `groundwork incident notify` does. Typed again with the title of one that is open, it says
    which that is, and opens no second.

    \b
    Exit code
      0  it is open
      2  it is not

    \b
    Example
      groundwork incident open --severity P2 --title "API answers slowly" --service core-matching --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        now = record.now()
        start = moment(began, now) if began else now
        _check(platform, title, service or [], start, now)
        journal = Journal(platform)
        if there := _same(journal, title):
            _say(platform, there, "is open already", as_json=as_json)
            return
        if not confirm(
            platform, [f"open an incident, {severity}: {title}"], as_json=as_json, yes=yes, dry_run=dry_run
        ):
            return
        try:
            incident = journal.begin(title, severity, start, service or [])
        except record.Taken:
            raise Refusal(
                "Somebody has opened an incident of nearly that title in this very minute: `groundwork incident list"
                f"{picture.options(platform)}`."
            ) from None
        if not as_json:
            _say(platform, incident, "is open")
        with waiting("Looking at the stack"):
            seen = picture.look(platform)
        # For a program, too: a picture that cannot be kept is in no record.
        for line in seen:
            typer.echo(f"  {printable(line)}", err=as_json)
        kept = _keep(journal, incident, seen)
        if as_json:
            _say(platform, kept, "is open", as_json=True)
            return
        typer.echo(
            "Next: `groundwork incident notify --template investigating --impact ... --actions ..."
            f"{picture.options(platform)}`"
        )


def _check(platform: Platform, title: str, services: list[str], began: datetime, now: datetime) -> None:
    problems = []
    if not title.strip() or len(title) > LONGEST_TITLE or not title.isprintable():
        problems.append(f"--title is one line of 1 to {LONGEST_TITLE} characters.")
    else:
        try:
            texts.check_title(platform, title)
        except Refusal as refusal:
            problems.append(str(refusal))
    known = sorted([*platform.outputs["services"], *platform.outputs["servicesToPush"]])
    problems += [
        unknown("service", name, known, of=f" of {platform.system}") for name in services if name not in known
    ]
    if began > now:
        problems.append("--began lies in the future.")
    if problems:
        raise Refusal(" ".join(problems))


def _same(journal: Journal, title: str) -> Incident | None:
    return next((each for each in journal.open_ones() if each.title.casefold() == title.casefold()), None)


def _say(platform: Platform, incident: Incident, state: str, *, as_json: bool = False) -> None:
    if as_json:
        typer.echo(as_text(following.as_json(platform, incident)))
        return
    severity = incident.severity
    typer.echo(
        f"{incident.name} {state}: {severity}, {severity.means}. By {incident.steps[0].by}, "
        f"{incident.steps[0].at:%Y-%m-%d %H:%M} UTC."
    )
    typer.echo(
        f"{severity} is answered {severity.answered}: by {severity.answer_due(incident.began):%Y-%m-%d %H:%M} UTC. "
        f"`groundwork incident checklist{picture.options(platform)}` has the eight steps."
    )


def _keep(journal: Journal, incident: Incident, seen: list[str]) -> Incident:
    """For the review: the incident with it. That it could not be kept must not stop anybody now."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 so that `--help` stays quick

    try:
        return journal.add(incident, record.PICTURE, "first picture", lines=_fitting(seen))
    except ClientError as error:
        typer.echo(f"The picture is not in the record. {said(error)}", err=True)
    except (BotoCoreError, Refusal) as error:
        typer.echo(f"The picture is not in the record. {error}", err=True)
    return incident


def _fitting(lines: list[str]) -> list[str]:
    """As many as one step of the record takes."""
    kept: list[str] = []
    for line in lines:
        if len(json.dumps([*kept, line], ensure_ascii=False).encode()) > record.MOST_WORDS_BYTES:
            return [*kept, f"... and {len(lines) - len(kept)} more lines"]
        kept.append(line)
    return kept
