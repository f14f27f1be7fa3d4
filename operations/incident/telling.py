"""`groundwork incident notify`: people are told, in the same form each time."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Annotated

import typer

from operations.alerts import topics
from operations.alerts.topics import Message, Topic
from operations.exits import FOUND
from operations.incident import record, texts
from operations.incident.record import Incident, Journal, Step
from operations.incident.texts import Template, Words
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
    said,
)
from operations.reaching import taking

# Typed again so soon with the same words, it is the same message.
SAME_WITHIN = timedelta(minutes=5)
PLANNED_TOPIC = "warning"


@taking(Words, nullcontext)
def notify(
    words: Words,
    template: Annotated[Template, typer.Option(help="What kind of message.")],
    incident: Annotated[
        str | None, typer.Argument(help="The incident, or how its name begins. None: the open one.")
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Tell people about an incident: those who hear its severity's topic, and on standard output for a status page.

    P1 and P2 go to the topic critical, P3 and P4 to warning; `resolved` goes to every topic that was told of it. Every
    thirty minutes people expect to hear again. `maintenance` announces planned work, belongs to no incident, and goes
    to warning.

    \b
    Exit code
      0  they were told
      1  it was sent and nobody hears that topic, or it is not in the record
      2  nothing was sent

    \b
    Examples
      groundwork incident notify --template investigating --impact "API response times elevated" --actions \
"Scaling additional servers" --stack prod
      groundwork incident notify --template resolved --resolution "Database connection pool increased" --stack prod
      groundwork incident notify --template maintenance --title "PostgreSQL 17" --starts 2026-12-13T02:00 --ends \
2026-12-13T06:00 --impact "no writes for some minutes" --rollback "the old instance is kept" --stack prod
    """
    with explained():
        now = record.now()
        texts.check(template, words, now)
        platform = opened(system, stack, outputs)
        if template is Template.maintenance:
            if incident:
                raise Refusal("--template maintenance belongs to no incident: leave its name out.")
            done = _announce(platform, words, now, yes=yes, dry_run=dry_run)
        else:
            record.check_length(words.given)
            journal = Journal(platform)
            chosen = journal.choose(incident)
            done = _tell(journal, chosen, template, words, now, yes=yes, dry_run=dry_run)
    if not done:
        raise typer.Exit(FOUND)


def _announce(platform: Platform, words: Words, now: datetime, *, yes: bool, dry_run: bool) -> bool:
    message = texts.of_maintenance(platform, words, now)
    topic = _topic(platform, PLANNED_TOPIC)
    typer.echo(message.text)
    if not confirm(platform, [_touch(topic, message)], yes=yes, dry_run=dry_run):
        return True
    topics.publish(platform, topic.arn, message)
    return _is_heard(topic)


def _tell(
    journal: Journal,
    incident: Incident,
    template: Template,
    words: Words,
    now: datetime,
    *,
    yes: bool,
    dry_run: bool,
) -> bool:
    if incident.closed and template is not Template.resolved:
        raise Refusal(
            f"{incident.name} was closed {incident.closed.at:%Y-%m-%d %H:%M} UTC. What is wrong again is a new "
            "incident."
        )
    message = texts.of_incident(journal.platform, incident, template, words, now)
    typer.echo(message.text)
    wanted = []
    for name in _names(incident, template):
        if before := _told_already(incident, name, template, words, now):
            typer.echo(f"{name} was told so {before.at:%Y-%m-%d %H:%M} UTC, by {before.by}.", err=True)
        else:
            wanted.append(_topic(journal.platform, name))
    touches = [_touch(topic, message) for topic in wanted]
    if not touches or not confirm(journal.platform, touches, yes=yes, dry_run=dry_run):
        return True
    well = True
    for topic in wanted:
        number = topics.publish(journal.platform, topic.arn, message)
        well = _keep(journal, incident, template, words, topic, number) and well
        well = _is_heard(topic) and well
    if template is not Template.resolved:
        typer.echo(f"The next message is due {now + record.UPDATE_EVERY:%H:%M} UTC.", err=True)
    return well


def _names(incident: Incident, template: Template) -> Iterator[str]:
    """The severity's topic; for the end also those that heard of it while it was another severity."""
    yield incident.severity.topic
    if template is Template.resolved:
        told = dict.fromkeys(step.details["topic"] for step in incident.of(record.TOLD))
        yield from (name for name in told if name != incident.severity.topic)


def _told_already(
    incident: Incident, topic: str, template: Template, words: Words, now: datetime
) -> Step | None:
    """The same message, of a run that was interrupted; or the end, which is told once."""
    told = [step for step in incident.of(record.TOLD) if step.details["topic"] == topic]
    if not told or told[-1].details["template"] != template:
        return None
    if template is Template.resolved:
        return told[-1]
    is_same = told[-1].details["words"] == words.given
    return told[-1] if is_same and now - told[-1].at < SAME_WITHIN else None


def _topic(platform: Platform, name: str) -> Topic:
    """Raises Refusal where it is gone. Who hears it is worth a sentence, and no reason to tell nobody."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 so that `--help` stays quick

    arn = topics.arn_of(platform, name)
    try:
        topic = topics.look(platform, name, arn)
    except ClientError as error:
        typer.echo(f"Who hears {name} is not known. {said(error)}", err=True)
        return Topic(name, arn, (topics.Subscription("somebody", "unknown", is_confirmed=True),))
    if topic.is_gone:
        raise Refusal(" ".join(topic.unheard()))
    return topic


def _touch(topic: Topic, message: Message) -> str:
    heard = ", ".join(map(str, topic.heard_by)) or "nobody"
    return f"tell {topic.name}, heard by {heard}: {message.subject}"


def _keep(
    journal: Journal, incident: Incident, template: Template, words: Words, topic: Topic, number: str
) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        journal.add(
            incident,
            record.TOLD,
            f"told {topic.name}: {template.upper()}",
            template=str(template),
            topic=topic.name,
            words=words.given,
            message=number,
        )
    except ClientError as error:
        problem = said(error)
    except (BotoCoreError, Refusal) as error:
        problem = str(error)
    else:
        return True
    typer.echo(f"{topic.name} was told, and it is not in the record. {problem}", err=True)
    return False


def _is_heard(topic: Topic) -> bool:
    for sentence in topic.unheard():
        typer.echo(sentence, err=True)
    return bool(topic.heard_by)
