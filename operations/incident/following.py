"""`groundwork incident checklist | list | show`: where an incident stands."""

from typing import Annotated, Any

import typer

from operations import show
from operations.exits import FOUND
from operations.incident import eight, picture, record
from operations.incident.record import Incident, Journal
from operations.incident.severity import Severity
from operations.incident.texts import lasted
from operations.platform import (
    LOCAL,
    SYSTEM,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
)

IncidentArgument = Annotated[
    str | None, typer.Argument(help="The incident, or how its name begins. None: the open one.")
]


def checklist(
    incident: IncidentArgument = None,
    severity: Annotated[
        Severity | None, typer.Option(help="The list for such a one, and no incident: asks nobody.")
    ] = None,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """The eight steps of an incident, what has been done so far, and what to type for the others.

    \b
    Exit code
      0  every step is done, or it was asked for no incident
      1  a step is left
      2  there is no such incident

    \b
    Examples
      groundwork incident checklist --stack prod
      groundwork incident checklist --severity P1 --stack prod
    """
    with explained():
        if severity and incident:
            raise Refusal("--severity is for the list without an incident; this one has its own.")
        if severity:
            options = f" --system {system} --stack {stack}"
            if json_output:
                typer.echo(show.as_text(eight.rows(None, severity, options)))
                return
            typer.echo(
                f"{severity}: {severity.means}, answered {severity.answered}, told to {severity.topic}."
            )
            for line in eight.lines(None, severity, options):
                typer.echo(line)
            return
        platform = opened(system, stack, outputs)
        chosen = Journal(platform).choose(incident)
    _tell(chosen, picture.options(platform), as_json=json_output)
    if eight.left(chosen):
        raise typer.Exit(FOUND)


def _tell(incident: Incident, options: str, *, as_json: bool) -> None:
    if as_json:
        steps = eight.rows(incident, incident.severity, options)
        said = {"incident": incident.name, "update_due": incident.update_due, "steps": steps}
        typer.echo(show.as_text(said))
        return
    typer.echo(head(incident))
    for line in eight.lines(incident, incident.severity, options):
        typer.echo(show.printable(line))
    if late := _late(incident):
        typer.echo(late)


def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="So many, the newest.")] = 20,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """The incidents of a stack, the newest first; an open one is shown however old it is.

    \b
    Exit code
      0  none is open
      1  one is open
      2  the stack does not say

    \b
    Example
      groundwork incident list --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        journal = Journal(platform)
        every = journal.found()
        chosen = [each for number, each in enumerate(every) if number < limit or each.is_open]
        rows = [_row(journal.read(each)) for each in chosen]
    show.show(rows, as_json=json_output, nothing=f"No incident of {platform} is in the record.")
    if any(each.is_open for each in every):
        raise typer.Exit(FOUND)


def show_(
    incident: IncidentArgument = None,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Everything that the record has of an incident, in its order: what the review begins with.

    \b
    Exit code
      0  it is shown
      2  there is no such incident

    \b
    Example
      groundwork incident show 20260401-1200 --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        chosen = Journal(platform).choose(incident)
    if json_output:
        typer.echo(show.as_text(as_json(platform, chosen)))
        return
    typer.echo(head(chosen))
    for step in chosen.steps:
        typer.echo(show.printable(str(step)))
        for line in step.details.get("lines", []):
            typer.echo(f"    {show.printable(line)}")


def head(incident: Incident) -> str:
    severity, ended = incident.severity, incident.ended
    state = (
        f"over after {lasted(ended - incident.began)}"
        if ended
        else f"since {incident.began:%Y-%m-%d %H:%M} UTC"
    )
    opened_at = incident.steps[0].at
    late = "late: " if opened_at > severity.answer_due(incident.began) else ""
    return (
        f"{incident.name}, {severity} ({severity.means}), {state}: {incident.title}\n"
        f"Answered {lasted(opened_at - incident.began)} after it began; {late}wanted {severity.answered}."
    )


def _late(incident: Incident) -> str:
    due = incident.update_due
    if due is None:
        return ""
    when = f"{due:%Y-%m-%d %H:%M} UTC"
    return (
        f"The next message is overdue since {when}."
        if due < record.now()
        else f"The next message is due {when}."
    )


def _row(incident: Incident) -> dict[str, Any]:
    ended = incident.ended
    return {
        "incident": incident.name,
        "severity": str(incident.severity),
        "title": incident.title,
        "began": incident.began,
        "state": "closed" if incident.closed else "resolved" if incident.resolved else "open",
        "lasted_s": ((ended or record.now()) - incident.began).total_seconds(),
        "steps_left": len(eight.left(incident)),
    }


def as_json(platform: Platform, incident: Incident) -> dict[str, Any]:
    return {
        "stack": str(platform),
        **_row(incident),
        "steps_left": [str(each.name) for each in eight.left(incident)],
        "steps": [
            {"kind": each.kind, "at": each.at, "by": each.by, **each.details} for each in incident.steps
        ],
    }
