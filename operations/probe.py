"""`groundwork probe`: do the public services of a stack answer, asked from here over HTTPS."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import typer

from operations.exits import FOUND
from operations.platform import JsonOption
from operations.show import as_text
from operations.standing import standing

TIMEOUT_S = 10


def ask(url: str) -> str:
    """Why the address does not answer well; empty where it does. A redirect is followed."""
    request = urllib.request.Request(url, headers={"User-Agent": "groundwork-probe"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return "" if answer.status == HTTPStatus.OK else f"answered {answer.status}"
    except urllib.error.HTTPError as refused:
        return f"answered {refused.code}"
    except OSError as unreachable:
        return str(unreachable)


def until_well(
    url: str,
    *,
    tries: int,
    in_a_row: int,
    pause_s: float,
    asking: Callable[[str], str] = ask,
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Asks until it has answered well so often without a failure between; else the last failure."""
    well, last = 0, ""
    for number in range(tries):
        if number:
            sleep(pause_s)
        trouble = asking(url)
        well, last = (0, trouble) if trouble else (well + 1, last)
        if well == in_a_row:
            return ""
    return last or f"answered well {well} times in {tries}, and {in_a_row} in a row are wanted"


def probe(
    outputs: Annotated[Path, typer.Option(help="What `pulumi stack output --json` wrote.")],
    tries: Annotated[int, typer.Option(min=1, help="Questions to each service at most.")] = 30,
    in_a_row: Annotated[int, typer.Option(min=1, help="Good answers in a row that make it well.")] = 3,
    pause_s: Annotated[float, typer.Option(min=0, help="Seconds between two questions.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Ask the health path of every public service until it answers well several times in a row.

    Nothing of ours is trusted on the way: name, certificate, web firewall and balancer are those that customers meet.

    \b
    Exit code
      0  every service is well; also where none is public
      1  one is not
      2  the outputs cannot be read

    \b
    Example
      pulumi stack output --json > outputs.json && groundwork probe --outputs outputs.json
    """
    addresses = standing(outputs).outputs["healthUrls"]
    if not addresses:
        typer.echo("No service of this stack is public and started, so nobody was asked.", err=as_json)
    rows = []
    for service, url in addresses.items():
        trouble = until_well(url, tries=tries, in_a_row=in_a_row, pause_s=pause_s)
        typer.echo(f"{service}: {url} {trouble or 'is well'}", err=as_json)
        rows.append({"service": service, "url": url, "trouble": trouble})
    if as_json:
        typer.echo(as_text(rows))
    raise typer.Exit(FOUND if any(row["trouble"] for row in rows) else 0)
