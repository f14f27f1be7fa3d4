"""`groundwork status`: a stack on one screen, and what in it needs somebody."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from operations import show
from operations.exits import FOUND
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
    said,
)
from operations.show import Row
from operations.status.filling import secrets, subscriptions, updated
from operations.status.part import Asked, Look, Part
from operations.status.running import services
from operations.status.stores import brokers, caches, database, maintenance
from operations.status.watching import alarms, backed_up, certificates

LIMIT_S = 20  # a part that takes longer is told as such

SECTIONS: Mapping[str, Mapping[str, Look]] = {
    "Services": {"services": services},
    "Data stores": {"database": database, "caches": caches, "brokers": brokers, "maintenance": maintenance},
    "Alarms": {"alarms": alarms},
    "Backups": {
        store: partial(backed_up, store=store)
        for store in ("database", "vaults", "dumps", "caches", "proofs")
    },
    "Certificates": {"certificates": certificates},
    "To fill": {"secrets": secrets, "subscriptions": subscriptions},
    "Pulumi": {"updates": updated},
}


def look(platform: Platform, *, limit_s: float = LIMIT_S) -> dict[str, dict[str, Part]]:
    """Every part at once, each in a thread of its own; what has not answered by then is told so."""
    found: dict[str, dict[str, Part]] = {section: {} for section in SECTIONS}
    threads = []
    for section, parts in SECTIONS.items():
        for name, part in parts.items():

            def fill(section: str = section, name: str = name, part: Look = part) -> None:
                found[section][name] = _looked(platform, part)

            # Not waited for when the command ends: one that hangs must not keep the screen from coming.
            thread = threading.Thread(target=fill, daemon=True)
            thread.start()
            threads.append(thread)
    ends = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0, ends - time.monotonic()))
    late = Part(problem=f"did not answer within {limit_s:.0f} s")
    return {
        section: {name: found[section].get(name, late) for name in parts}
        for section, parts in SECTIONS.items()
    }


def _looked(platform: Platform, part: Look) -> Part:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        return part(platform)
    except ClientError as error:
        if platform.endpoint_url and _is_missing(error):
            return Part(notes=[f"the emulator has no {error.operation_name}"])
        return Part(problem=said(error))
    except ResponseParserError as error:
        return (
            Part(notes=["the emulator lacks an operation"])
            if platform.endpoint_url
            else Part(problem=str(error))
        )
    except (BotoCoreError, Refusal) as error:
        return Part(problem=str(error))
    except Exception as error:  # one part must not take the screen with it
        return Part(problem=f"{type(error).__name__}: {error}")


def _is_missing(error: Any) -> bool:
    """How moto says that it has no such operation."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in (404, 500, 501)


def status(
    json_output: JsonOption = False,
    limit_s: Annotated[
        int, typer.Option("--limit", min=1, help="Seconds; what takes longer is left out.")
    ] = LIMIT_S,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """A stack on one screen: services, data stores, alarms, backups, certificates, and what needs somebody.

    It only reads. Each part is looked at by itself: what AWS does not let you see is a sentence, and the rest is there.
    To watch it: `watch --color -n 30 groundwork status --stack prod`.

    \b
    Exit code
      0  nothing needs anybody
      1  something does, or could not be looked at: the last lines
      2  the stack does not stand

    \b
    Examples
      groundwork status --stack prod
      groundwork status --stack prod --json | jq '.needs'
    """
    with explained():
        platform = opened(system, stack, outputs)
        asked = Asked(platform.system, platform.stack, platform.outputs, platform.endpoint_url)
        found = _watched(asked, limit_s)
    needs = [need for parts in found.values() for part in parts.values() for need in part.needs]
    problems = [
        f"{section} ({name}): {part.problem}"
        for section, parts in found.items()
        for name, part in parts.items()
        if part.problem
    ]
    if json_output:
        sections = {
            section: {name: part.as_json() for name, part in parts.items()}
            for section, parts in found.items()
        }
        typer.echo(
            show.as_text({"stack": str(platform), "needs": needs, "problems": problems, "sections": sections})
        )
    else:
        _print(platform, found, needs, problems)
    raise typer.Exit(FOUND if needs or problems else 0)


def _watched(platform: Platform, limit_s: float) -> dict[str, dict[str, Part]]:
    if not sys.stderr.isatty():
        return look(platform, limit_s=limit_s)
    from rich.console import Console  # noqa: PLC0415

    with Console(stderr=True).status(f"Asking AWS for {platform}"):
        return look(platform, limit_s=limit_s)


def _print(
    platform: Platform, found: Mapping[str, Mapping[str, Part]], needs: Sequence[str], problems: Sequence[str]
) -> None:
    typer.echo(str(platform))
    for section, parts in found.items():
        typer.echo(f"\n{section}")
        for rows in _same_columns([part.rows for part in parts.values() if part.rows]):
            show.show(rows, as_json=False, nothing="")
        notes = list(dict.fromkeys(note for part in parts.values() for note in part.notes))
        for note in notes:
            typer.echo(f"  {show.printable(note)}")
        if not notes and not any(part.rows or part.problem for part in parts.values()):
            typer.echo("  none")
    if problems:
        typer.echo("\nNot looked at")
        for problem in problems:
            typer.echo(f"  {show.printable(problem)}")
    typer.echo("\nNeeds somebody" if needs else "\nNothing needs anybody.")
    for need in needs:
        typer.echo(f"  {show.printable(need)}")


def _same_columns(tables: Sequence[Sequence[Row]]) -> Iterator[list[Row]]:
    """Tables of one kind as one."""
    by_columns: dict[tuple[str, ...], list[Row]] = {}
    for rows in tables:
        by_columns.setdefault(tuple(rows[0]), []).extend(rows)
    yield from by_columns.values()
