"""`groundwork incident done`: a step was taken that nothing else in the record says."""

from typing import Annotated

import typer

from operations import show
from operations.incident import following, record
from operations.incident.eight import Name
from operations.incident.record import Journal
from operations.incident.severity import Severity
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
)


def done(
    step: Annotated[Name, typer.Argument(help="The step, as the checklist has it.")],
    incident: Annotated[
        str | None, typer.Argument(help="The incident, or how its name begins. None: the open one.")
    ] = None,
    note: Annotated[str, typer.Option(help="What was done; the review reads it.")] = "",
    severity: Annotated[Severity | None, typer.Option(help="assess: how bad it is after all.")] = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Write down that a step was taken, by whom and when. `assess --severity` makes it another severity.

    A step may be written down again; the last one stands in the checklist. The review is, after it was closed.

    \b
    Exit code
      0  it is in the record
      2  it is not

    \b
    Examples
      groundwork incident done assess --severity P1 --note "nobody can log in" --stack prod
      groundwork incident done temporary-fix --note "rolled back to 1.0.0" --stack prod
    """
    with explained():
        if severity and step is not Name.assess:
            raise Refusal(f"--severity belongs to `done assess`, and not to {step}.")
        record.check_length({"--note": note})
        platform = opened(system, stack, outputs)
        journal = Journal(platform)
        chosen = journal.choose(incident)
        if chosen.closed and severity:
            raise Refusal(f"{chosen.name} is closed; its severity stays {chosen.severity}.")
        says = f"done: {step}" + (f", {severity}" if severity else "")
        told = f"; {note}" if note else ""
        if not confirm(
            platform, [f"write into {chosen.name}: {says}{told}"], as_json=as_json, yes=yes, dry_run=dry_run
        ):
            return
        marked = journal.add(
            chosen,
            record.DONE,
            says,
            step=str(step),
            note=note,
            **({"severity": str(severity)} if severity else {}),
        )
        show.tell(f"{chosen.name}: {says}.", following.as_json(platform, marked), as_json=as_json)
        if not as_json and severity and severity.topic != chosen.severity.topic:
            typer.echo(f"From now on {severity.topic} is told, and not {chosen.severity.topic}.")
