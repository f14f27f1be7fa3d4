"""`groundwork plan-rest`: what is left of an approved plan, once a first part of it has been applied.

An update plan (`pulumi preview --save-plan`) names the steps of each resource, and `pulumi up --plan` stops unless
exactly those are taken. So a plan cannot be applied in two parts: what the first part replaced is not replaced again.
Here the steps of the first part become `same`, which is stricter than what they were: nothing more may happen to those
resources. Nothing is ever added to a plan.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.exits import refuse
from operations.platform import JsonOption
from operations.show import tell

SAME = ["same"]


class NotPartOf(ValueError):
    """The second plan does more than the first allows; a sentence."""


def rest(whole: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    """The whole plan, with what `applied` did as done. Raises `NotPartOf` where that is not a part of it."""
    planned, done, changed = whole["resourcePlans"], applied["resourcePlans"], touched(applied)
    beyond = sorted(urn for urn in changed if planned.get(urn, {}).get("steps") != done[urn]["steps"])
    if beyond:
        raise NotPartOf(
            "The first part is no part of the whole plan: other steps are planned there for "
            f"{', '.join(beyond)}. Make both plans from the same commit and state."
        )
    narrowed = {urn: {**plan, "steps": SAME} if urn in changed else plan for urn, plan in planned.items()}
    return {**whole, "resourcePlans": narrowed}


def touched(plan: dict[str, Any]) -> set[str]:
    """The URNs of the resources that a plan does something to."""
    steps = {urn: each.get("steps") for urn, each in plan["resourcePlans"].items()}
    return {urn for urn, each in steps.items() if each and each != SAME}


def plan_rest(
    plan: Annotated[Path, typer.Argument(help="The whole plan, as it was approved.")],
    applied: Annotated[Path, typer.Argument(help="The plan of the part that has been applied (`--target`).")],
    output: Annotated[Path, typer.Option(help="Where the rest is written.")],
    as_json: JsonOption = False,
) -> None:
    """What is left of an approved update plan after a first, targeted part of it.

    \b
    Exit code
      0  it is written
      2  a file is no plan, or the part is not of this plan

    \b
    Example
      groundwork plan-rest plan.json ahead.json --output rest.json && pulumi up --plan rest.json
    """
    whole, first = _read(plan), _read(applied)
    try:
        narrowed = rest(whole, first)
    except NotPartOf as problem:
        refuse(str(problem))
    output.write_text(json.dumps(narrowed), encoding="utf-8")
    said = {"output": str(output), "done": sorted(touched(first)), "left": sorted(touched(narrowed))}
    tell(f"{output}: what {applied} has done must stay the same", said, as_json=as_json)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        refuse(f"{path} cannot be read: {problem}")
    if not isinstance(content, dict) or not isinstance(content.get("resourcePlans"), dict):
        refuse(f"{path} is no update plan: `pulumi preview --save-plan {path}` writes one.")
    return content
