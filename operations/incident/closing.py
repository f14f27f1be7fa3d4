"""`groundwork incident close`: it is over, and the review is due."""

from datetime import date, timedelta

import typer

from operations import show
from operations.incident import eight, following, picture, record
from operations.incident.eight import Name
from operations.incident.following import IncidentArgument
from operations.incident.record import Incident, Journal
from operations.incident.texts import lasted
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
)

REVIEW_WITHIN = timedelta(days=7)
REVIEW = (
    "what people noticed, how many and how long",
    "the order of events, as the record has it",
    "how it was noticed, and what would have shown it earlier",
    "the causes, of the system and not of persons",
    "what helped, what hindered, where luck was needed",
    "what is changed, by whom, until when",
)


def close(
    incident: IncidentArgument = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Close an incident, and say how long it took and what its review wants, within a week and without blame.

    It tells nobody: `groundwork incident notify --template resolved` does, before or after. A closed one stays in the
    record.

    \b
    Exit code
      0  it is closed
      2  it is not

    \b
    Example
      groundwork incident close --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        journal = Journal(platform)
        chosen = journal.choose(incident)
        if not chosen.closed:
            says = f"close {chosen.name}, {chosen.severity}: {chosen.title}"
            if not confirm(platform, [says], as_json=as_json, yes=yes, dry_run=dry_run):
                return
            chosen = journal.add(chosen, record.CLOSED, "closed")
        if as_json:
            typer.echo(
                show.as_text({**following.as_json(platform, chosen), "review_due": _review_due(chosen)})
            )
        else:
            _say(chosen, picture.options(platform))


def _review_due(incident: Incident) -> date:
    assert incident.closed
    return (incident.closed.at + REVIEW_WITHIN).date()


def _say(incident: Incident, options: str) -> None:
    assert incident.closed
    ended = incident.ended or incident.closed.at
    typer.echo(
        f"{incident.name} was closed {incident.closed.at:%Y-%m-%d %H:%M} UTC, by {incident.closed.by}. It took "
        f"{lasted(ended - incident.began)}."
    )
    if not incident.resolved:
        typer.echo(
            f"Nobody was told that it is over: `groundwork incident notify {incident.name} --template resolved "
            f"--resolution ...{options}`."
        )
    left = [each for each in eight.left(incident) if each.name is not Name.review]
    if left:
        typer.echo(f"Not in the record: {'; '.join(each.says for each in left)}.")
    typer.echo(f"The review is due {_review_due(incident):%Y-%m-%d}, and asks without blame:")
    for question in REVIEW:
        typer.echo(f"  - {question}")
    typer.echo(
        f"`groundwork incident show {incident.name}{options}` has the order of events; `groundwork incident done "
        f"review {incident.name} --note LINK{options}` says that it was held."
    )
