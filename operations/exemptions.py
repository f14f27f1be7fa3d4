"""`groundwork policy exemptions`: what somebody has accepted in the policies' configuration, and for how long."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.exits import FOUND, refuse
from operations.notices import Format, Notice, render
from operations.platform import JsonFormatOption

ROOT = Path(__file__).resolve().parent.parent
FILES = ("policies/config/*.json", "policies.*.json", "systems/*/policies.*.json")


class Unreadable(ValueError):
    """A sentence for each file that is no configuration of the pack."""


def granted(root: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Every exemption with the file that it stands in. Raises `Unreadable` with all the files that are wrong."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    problems = []
    for path in sorted(path for pattern in FILES for path in root.glob(pattern)):
        shown = path.relative_to(root).as_posix()
        try:
            entries = _entries(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as problem:
            problems.append(f"{shown}: {problem}")
        else:
            found += [(shown, entry) for entry in entries]
    if problems:
        raise Unreadable("\n".join(problems))
    return found


def _entries(content: Any) -> list[Mapping[str, Any]]:
    if not isinstance(content, dict):
        raise ValueError("must be one object.")  # noqa: TRY004 the same refusal as for what is no JSON
    block = content.get("exemptions") or {}
    entries = block.get("granted", []) if isinstance(block, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("exemptions must be an object whose `granted` is a list of objects.")
    return entries


def due(found: list[tuple[str, Mapping[str, Any]]], today: date, within_days: int) -> Iterator[Notice]:
    """Those that end in so many days or have ended, the soonest first; and those that say no end."""
    dated = [(_date(entry.get("expires")), file, entry) for file, entry in found]
    for ends, file, entry in sorted(dated, key=lambda each: (each[0] or date.min, each[1])):
        if ends is None:
            when = f"says no date at which it ends, got {entry.get('expires')}. Set expires to YYYY-MM-DD."
        elif ends < today:
            when = f"ended on {ends}, so its finding counts again. {_remedy(entry, file)}"
        elif (ends - today).days <= within_days:
            when = f"ends on {ends}, in {(ends - today).days} days. {_remedy(entry, file)}"
        else:
            continue
        subject = f"{entry.get('resource') or '?'} from {entry.get('rule') or '?'}"
        yield Notice("exemptions", subject, when)


def _remedy(entry: Mapping[str, Any], file: str) -> str:
    reason = str(entry.get("reason") or "none given").rstrip(".")
    return f"{entry.get('owner') or 'Somebody'} mends it or extends it in {file} (reason: {reason})."


def _date(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def exemptions(
    within: Annotated[
        int, typer.Option(min=0, help="Days from today; one that ends later is not told.")
    ] = 30,
    format: Annotated[Format, typer.Option(help="How they are written.")] = "text",
    json_output: JsonFormatOption = False,
) -> None:
    """Exemptions from policies that end soon, or have ended.

    \b
    Exit code
      0  none
      1  at least one, each is written
      2  a configuration cannot be read

    \b
    Examples
      groundwork policy exemptions
      groundwork policy exemptions --within 90 --format markdown
    """
    try:
        found = granted(ROOT)
    except Unreadable as problem:
        refuse(str(problem))
    soon = list(due(found, datetime.now(UTC).date(), within))
    nothing = f"None of {len(found)} exemptions ends within {within} days."
    typer.echo(render(soon, "json" if json_output else format, nothing=nothing))
    raise typer.Exit(FOUND if soon else 0)
