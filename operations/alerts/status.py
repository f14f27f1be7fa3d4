"""`groundwork alerts status`: who hears of what, and who would not."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import typer

from operations import show
from operations.alerts import alarms, rules, topics
from operations.alerts.alarms import Alarm
from operations.alerts.topics import Topic
from operations.exits import FOUND
from operations.platform import (
    LOCAL,
    SYSTEM,
    JsonOption,
    OutputsOption,
    Platform,
    StackOption,
    SystemOption,
    explained,
    opened,
    said,
)
from operations.show import Row


@dataclass
class Seen:
    """`unheard` are sentences on who would not hear of something, `problems` on what AWS did not tell."""

    topics: dict[str, Topic] = field(default_factory=dict)  # by ARN
    alarms: list[Alarm] = field(default_factory=list)
    undelivered: list[Row] = field(default_factory=list)
    mutes: list[Row] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def subscription_rows(self) -> list[Row]:
        return [
            {
                "topic": topic.name,
                "protocol": each.protocol,
                "endpoint": each.endpoint,
                "state": "confirmed" if each.is_confirmed else "pending",
            }
            for topic in self.topics.values()
            for each in topic.subscriptions
        ]

    @property
    def alarm_rows(self) -> list[Row]:
        """Those that are not OK, the oldest first."""
        loud = [each for each in self.alarms if each.state != "OK"]
        return [
            {"alarm": each.name, "state": each.state, "since": each.since, "why": each.why}
            for each in sorted(
                loud, key=lambda each: (each.state, each.since.timestamp() if each.since else 0)
            )
        ]

    @property
    def states(self) -> dict[str, int]:
        counted = Counter(each.state for each in self.alarms)
        return {state: counted[state] for state in alarms.STATES}


def status(
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Who hears of what: subscriptions, alarms and whether they lead to somebody, messages that were not delivered.

    It only reads. An alarm that fires is no fault here; one that fires and that nobody hears of is.

    \b
    Exit code
      0  everybody hears
      1  somebody would not hear of something, or AWS did not tell: the last lines
      2  the stack does not stand

    \b
    Examples
      groundwork alerts status --stack prod
      groundwork alerts status --stack prod --json | jq '.unheard'
    """
    with explained():
        platform = opened(system, stack, outputs)
        with show.waiting(f"Asking AWS for {platform}"):
            seen = look(platform)
    if json_output:
        typer.echo(show.as_text(_as_json(platform, seen)))
    else:
        _print(platform, seen)
    raise typer.Exit(FOUND if seen.unheard or seen.problems else 0)


def look(platform: Platform) -> Seen:
    """Each part by itself: what AWS does not let be seen is a sentence, and the rest is there."""
    seen = Seen()
    for part in (_alarms, _topics, _ways, _undelivered, _mutes):
        part(platform, seen)
    return seen


@contextmanager
def _told(platform: Platform, seen: Seen, what: str) -> Generator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 so that `--help` stays quick

    try:
        yield
    except ClientError as error:
        code = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if platform.endpoint_url and code in (
            500,
            501,
        ):  # how the emulator says that it has no such operation
            seen.notes.append(f"The emulator has no {error.operation_name}.")
        else:
            seen.problems.append(f"{what}: {said(error)}")
    except BotoCoreError as error:
        seen.problems.append(f"{what}: {error}")


def _alarms(platform: Platform, seen: Seen) -> None:
    with _told(platform, seen, "Alarms"):
        seen.alarms, gone = alarms.look(platform)
        if gone:
            seen.unheard.append(
                f"{', '.join(gone)} is declared, and not there any more. `pulumi up --refresh` makes it again."
            )


def _topics(platform: Platform, seen: Seen) -> None:
    """The stack's, and those of other regions and hands that its alarms name."""
    wanted = {arn: severity for severity, arn in platform.outputs["topics"].items()}
    for alarm in seen.alarms:
        for arn in alarm.topic_arns:
            region, name = arn.split(":")[3], arn.rpartition(":")[2]
            wanted.setdefault(arn, name if region == platform.region else f"{name} in {region}")
    for arn, name in wanted.items():
        with _told(platform, seen, f"Topic {name}"):
            topic = topics.look(platform, name, arn)
            seen.topics[arn] = topic
            seen.unheard += topic.unheard()


def _ways(_: Platform, seen: Seen) -> None:
    for alarm in seen.alarms:
        seen.unheard += alarm.unheard(seen.topics)


def _undelivered(platform: Platform, seen: Seen) -> None:
    for receiver, url in platform.outputs["undelivered"].items():
        with _told(platform, seen, f"Undelivered messages of {receiver}"):
            # Those that somebody is reading count, too: they come back.
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            told = platform.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
            number = sum(int(told["Attributes"].get(name, 0)) for name in names)
            seen.undelivered.append({"receiver": receiver, "undelivered": number})
            if number:
                seen.unheard.append(
                    f"{receiver} did not get {number} messages. docs/runbooks/notifications.md."
                )


def _mutes(platform: Platform, seen: Seen) -> None:
    by_region: dict[str, set[str]] = {}
    for alarm in seen.alarms:
        by_region.setdefault(alarm.region, set()).add(alarm.name)
    for region, names in by_region.items():
        with _told(platform, seen, f"Mute rules in {region}"):
            for rule in rules.look(platform, region, ["ACTIVE", "SCHEDULED"]):
                muted = sorted(names & set(rule.alarms))
                if not muted:
                    continue
                seen.mutes.append(
                    {
                        "mute": rule.name,
                        "state": rule.status.lower(),
                        "alarms": muted,
                        "ends": rule.until,
                        "reason": rule.reason,
                    }
                )
                if rule.status == "ACTIVE":
                    seen.unheard.append(
                        f"Nobody hears of {', '.join(muted)} {rule.until}: muted, {rule.reason or 'without a reason'}. "
                        f"`groundwork alerts unmute {rule.name}` ends it."
                    )


def _as_json(platform: Platform, seen: Seen) -> dict[str, Any]:
    return {
        "stack": str(platform),
        "subscriptions": seen.subscription_rows,
        "alarms": {"states": seen.states, "not_ok": seen.alarm_rows},
        "undelivered": seen.undelivered,
        "mutes": seen.mutes,
        "unheard": seen.unheard,
        "problems": seen.problems,
        "notes": seen.notes,
    }


def _print(platform: Platform, seen: Seen) -> None:
    typer.echo(f"{platform}\n\nSubscriptions")
    show.show(seen.subscription_rows, as_json=False, nothing="  none")
    counted = ", ".join(f"{number} {state}" for state, number in seen.states.items())
    typer.echo(f"\nAlarms: {counted}, of {len(platform.outputs['alarms'])} declared")
    tables: list[tuple[str, list[Row]]] = [
        ("", seen.alarm_rows),
        ("\nUndelivered", seen.undelivered),
        ("\nMuted", seen.mutes),
    ]
    for title, rows in tables:
        if rows:
            if title:
                typer.echo(title)
            show.show(rows, as_json=False, nothing="")
    texts = {"Not looked at": [*seen.notes, *seen.problems], "Would not be heard": seen.unheard}
    for title, lines in texts.items():
        if lines:
            typer.echo("\n".join([f"\n{title}", *(f"  {show.printable(line)}" for line in lines)]))
    if not seen.unheard and not seen.problems:
        typer.echo("\nEverybody hears.")
