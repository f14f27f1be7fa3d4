"""`groundwork incident notify`: people are told, in the same form each time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer

from operations import show
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
    said,
)
from operations.reaching import taking

# Typed again so soon with the same words, it is the same message.
SAME_WITHIN = timedelta(minutes=5)
PLANNED_TOPIC = "warning"


@dataclass(frozen=True)
class Ways:
    """`agreed` names what is touched, and is False for a dry run."""

    agreed: Callable[[list[str]], bool]
    as_json: bool

    def show(self, message: Message) -> None:
        """For a status page; a program finds it in what it is told at the end."""
        typer.echo(message.text, err=self.as_json)


@dataclass(frozen=True)
class Sent:
    """One topic that was told: `number` is SNS' own of the message."""

    topic: Topic
    number: str
    is_recorded: bool = True

    def row(self) -> dict[str, Any]:
        return {
            "topic": self.topic.name,
            "message_id": self.number,
            "heard_by": list(map(str, self.topic.heard_by)),
            "recorded": self.is_recorded,
        }


@dataclass(frozen=True)
class Told:
    """What a run has sent; nothing where each topic was told so before."""

    message: Message
    sent: Sequence[Sent] = ()

    @property
    def is_well(self) -> bool:
        return all(each.is_recorded and each.topic.heard_by for each in self.sent)

    def as_json(self) -> dict[str, Any]:
        message = {"subject": self.message.subject, "text": self.message.text}
        return {**message, "sent": [each.row() for each in self.sent]}


@taking(Words, nullcontext)
def notify(
    words: Words,
    template: Annotated[Template, typer.Option(help="What kind of message.")],
    incident: Annotated[
        str | None, typer.Argument(help="The incident, or how its name begins. None: the open one.")
    ] = None,
    as_json: JsonOption = False,
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
        agreed = partial(confirm, platform, as_json=as_json, yes=yes, dry_run=dry_run)
        ways = Ways(agreed, as_json=as_json)
        if template is Template.maintenance:
            if incident:
                raise Refusal("--template maintenance belongs to no incident: leave its name out.")
            told = _announce(platform, words, now, ways)
        else:
            record.check_length(words.given)
            journal = Journal(platform)
            chosen = journal.choose(incident)
            told = _tell(journal, chosen, template, words, now, ways)
    if told and as_json:
        typer.echo(show.as_text(told.as_json()))
    if told and not told.is_well:
        raise typer.Exit(FOUND)


def _announce(platform: Platform, words: Words, now: datetime, ways: Ways) -> Told | None:
    """None for a dry run."""
    message = texts.of_maintenance(platform, words, now)
    topic = _topic(platform, PLANNED_TOPIC)
    ways.show(message)
    if not ways.agreed([_touch(topic, message)]):
        return None
    sent = Sent(topic, topics.publish(platform, topic.arn, message))
    _warn_of_silence(topic)
    return Told(message, [sent])


def _tell(
    journal: Journal, incident: Incident, template: Template, words: Words, now: datetime, ways: Ways
) -> Told | None:
    """None for a dry run."""
    if incident.closed and template is not Template.resolved:
        raise Refusal(
            f"{incident.name} was closed {incident.closed.at:%Y-%m-%d %H:%M} UTC. What is wrong again is a new "
            "incident."
        )
    message = texts.of_incident(journal.platform, incident, template, words, now)
    ways.show(message)
    wanted = []
    for name in _names(incident, template):
        if before := _told_already(incident, name, template, words, now):
            typer.echo(f"{name} was told so {before.at:%Y-%m-%d %H:%M} UTC, by {before.by}.", err=True)
        else:
            wanted.append(_topic(journal.platform, name))
    if not wanted:
        return Told(message)
    if not ways.agreed([_touch(topic, message) for topic in wanted]):
        return None
    sent = []
    for topic in wanted:
        number = topics.publish(journal.platform, topic.arn, message)
        is_recorded = _keep(journal, incident, template, words, topic, number)
        sent.append(Sent(topic, number, is_recorded))
        _warn_of_silence(topic)
    if template is not Template.resolved:
        typer.echo(f"The next message is due {now + record.UPDATE_EVERY:%H:%M} UTC.", err=True)
    return Told(message, sent)


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


def _warn_of_silence(topic: Topic) -> None:
    for sentence in topic.unheard():
        typer.echo(sentence, err=True)
