"""`groundwork alerts test`: a message that says that it is a test, to everybody whom an alarm would reach."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from operations import show
from operations.alerts import topics
from operations.alerts.topics import Message, Severity, Topic
from operations.exits import FOUND
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
)


def trial(
    severity: Annotated[
        Severity | None, typer.Option(help="Only this topic; left out: all of the stack's.")
    ] = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Send a test message to whoever hears of alarms. It says that it is one, and that nothing is to be done.

    What SNS has taken is not yet read: ask the receivers, and `groundwork alerts status` a few minutes later, which
    says what Slack and PagerDuty did not get.

    \b
    Exit code
      0  it was sent
      1  it was sent, and a topic has nobody who hears it
      2  it was not sent

    \b
    Example
      groundwork alerts test --severity critical --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        names = [severity] if severity else list(platform.outputs["topics"])
        chosen = [topics.look(platform, name, topics.arn_of(platform, name)) for name in names]
        touches = [_touch(topic) for topic in chosen]
        if not confirm(
            platform,
            [*touches, *_alarming(platform.outputs["undelivered"])],
            as_json=as_json,
            yes=yes,
            dry_run=dry_run,
        ):
            return
        sent = []
        for topic in (each for each in chosen if not each.is_gone):
            number = topics.publish(platform, topic.arn, message(platform, topic.name))
            sent.append(
                {"topic": topic.name, "message_id": number, "heard_by": list(map(str, topic.heard_by))}
            )
            typer.echo(f"Sent to {topic.name} as {number}. Should have it: {_heard(topic)}.", err=as_json)
        if as_json:
            typer.echo(show.as_text(sent))
        unheard = [sentence for topic in chosen for sentence in topic.unheard()]
    for sentence in unheard:
        typer.echo(sentence, err=True)
    if any(not topic.heard_by for topic in chosen):
        raise typer.Exit(FOUND)


def message(platform: Platform, severity: str) -> Message:
    where = f"{platform.outputs['system']} {platform.outputs['environment']}"
    return Message(
        subject=f"TEST of {severity} alerts: {where}",
        text=(
            "TEST MESSAGE\n"
            f"Somebody tests whether {severity} alerts of {where} reach you. They do.\n"
            "Nothing is wrong, and nothing is to be done.\n"
            f"Sent: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n"
        ),
    )


def _touch(topic: Topic) -> str:
    return f"send a test message to {topic.name}, heard by {_heard(topic)}"


def _heard(topic: Topic) -> str:
    return ", ".join(map(str, topic.heard_by)) or "nobody"


def _alarming(notifiers: Mapping[str, str]) -> Iterator[str]:
    if "pagerduty" in notifiers:
        yield "wake whoever is on call: PagerDuty opens an incident for it, which somebody resolves there"
