"""`groundwork alerts mute | unmute`: silence for alarms that are known, which CloudWatch itself ends."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from operations import show
from operations.alerts import alarms, rules
from operations.alerts.alarms import Alarm
from operations.exits import FOUND
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
)
from operations.policy.stacks import unknown
from operations.services.logs import age

LONGEST = timedelta(days=1)
SHORTEST = timedelta(minutes=1)  # CloudWatch API, PutAlarmMuteRule: PT1M
MOST_REASON = 1024  # the same: Description


def mute(
    names: Annotated[list[str], typer.Argument(metavar="ALARM...", help="Alarms, by their whole names.")],
    for_: Annotated[str, typer.Option("--for", help="How long: 15m, 2h; a day at most.")],
    reason: Annotated[str, typer.Option(help="Why; `alerts status` shows it.")],
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Let alarms tell nobody for a while: a mute rule of CloudWatch, which ends by itself.

    It begins with the next full minute. The alarms are evaluated all the same, and one that is in alarm at the end
    tells its readers then. Typed again for the same alarms it takes the first one's place.

    \b
    Exit code
      0  the rule is there
      2  it is not

    \b
    Example
      groundwork alerts mute rentfix-prod-database-cpu --for 30m --reason "REINDEX by hand" --stack prod
    """
    with explained():
        minutes = _minutes(for_)
        if not reason.strip() or len(reason) > MOST_REASON:
            raise Refusal(
                f"--reason is a sentence of 1 to {MOST_REASON} characters: whoever is on call reads it."
            )
        platform = opened(system, stack, outputs)
        wanted = _chosen(platform, names)
        begins = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        ends = begins + timedelta(minutes=minutes)
        touches = [
            f"mute {each.name} from {begins:%H:%M} to {ends:%Y-%m-%d %H:%M} UTC ({each.state} now)"
            for each in wanted
        ]
        if not confirm(platform, touches, as_json=as_json, yes=yes, dry_run=dry_run):
            return
        made = []
        for region in dict.fromkeys(each.region for each in wanted):
            for old in rules.look(platform, region, ["EXPIRED"]):
                if old.name.startswith(rules.prefix(platform)):
                    rules.remove(platform, old)
            here = [each.name for each in wanted if each.region == region]
            rule = rules.put(platform, region, here, begins, minutes, reason.strip())
            made.append({"mute": rule.name, "alarms": list(rule.alarms), "begins": begins, "ends": ends})
            typer.echo(
                f"{rule.name}: {', '.join(rule.alarms)} muted {rule.until}. `groundwork alerts unmute {rule.name}` "
                "ends it earlier.",
                err=as_json,
            )
        if as_json:
            typer.echo(show.as_text(made))


def unmute(
    names: Annotated[
        list[str], typer.Argument(metavar="MUTE...", help="Mutes, as `alerts status` names them.")
    ],
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """End mutes before their time. An alarm that is in alarm tells its readers at once.

    \b
    Exit code
      0  they are gone
      1  one of them was not there
      2  nothing was done

    \b
    Example
      groundwork alerts unmute rentalfix-prod-mute-0a1b2c3d4e5f --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        if others := [name for name in names if not name.startswith(rules.prefix(platform))]:
            raise Refusal(
                f"{', '.join(others)} is no mute of `groundwork alerts mute` in {platform}: its name would begin with "
                f"{rules.prefix(platform)}."
            )
        there = [
            rule
            for region in dict.fromkeys([platform.region, alarms.GLOBAL_REGION])
            for rule in rules.look(platform, region, ["ACTIVE", "SCHEDULED", "EXPIRED"])
            if rule.name in names
        ]
        absent = sorted(set(names) - {rule.name for rule in there})
        touches = [f"unmute {', '.join(rule.alarms)} ({rule.name})" for rule in there]
        if not touches or confirm(platform, touches, as_json=as_json, yes=yes, dry_run=dry_run):
            for rule in there:
                rules.remove(platform, rule)
                typer.echo(f"{rule.name} is gone.", err=as_json)
            if as_json:
                typer.echo(show.as_text({"unmuted": [rule.name for rule in there], "absent": absent}))
    if absent:
        typer.echo(f"{', '.join(absent)} was not there.", err=True)
        raise typer.Exit(FOUND)


def _minutes(text: str) -> int:
    length = age(text)
    if not SHORTEST <= length <= LONGEST:
        raise Refusal(
            f"--for {text}: a mute is a minute at least and a day at most. What nobody wants to hear of for longer "
            "is no alarm: observability.alarms of the system file."
        )
    return math.ceil(length.total_seconds() / 60)


def _chosen(platform: Platform, names: list[str]) -> list[Alarm]:
    """Raises Refusal for one that the stack does not declare, or that is gone, and for more than a rule takes."""
    declared = platform.outputs["alarms"]
    if strangers := [name for name in names if name not in declared]:
        raise Refusal(
            " ".join(
                unknown("alarm", name, sorted(declared), of=f" of {platform.system}") for name in strangers
            )
        )
    if len(set(names)) > rules.MOST_ALARMS:
        raise Refusal(f"A mute takes {rules.MOST_ALARMS} alarms, not {len(set(names))}.")
    found, _ = alarms.look(platform)
    there = {each.name: each for each in found}
    if gone := [name for name in names if name not in there]:
        raise Refusal(f"{', '.join(gone)} is not there any more. `pulumi up --refresh` makes it again.")
    return [there[name] for name in dict.fromkeys(names)]
