"""A topic of SNS: who is subscribed to it, and what it takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from operations.platform import Platform, Refusal

Severity = Literal["critical", "warning"]

MOST_SUBJECT = 99  # SNS API, Publish: fewer than 100 characters, no line break and no control character
MOST_MESSAGE_BYTES = 262_144  # SNS API, Publish: 256 KiB in UTF-8


@dataclass(frozen=True)
class Subscription:
    """`endpoint` is an address, or the name of a function; of a URL only the host, for the rest may be a credential."""

    protocol: str
    endpoint: str
    is_confirmed: bool

    def __str__(self) -> str:
        return f"{self.protocol} {self.endpoint}"


@dataclass(frozen=True)
class Topic:
    """`name` is the severity that the outputs call it by, or the topic's own. `is_gone`: SNS knows none of that ARN."""

    name: str
    arn: str
    subscriptions: Sequence[Subscription] = ()
    is_gone: bool = False

    @property
    def heard_by(self) -> list[Subscription]:
        return [each for each in self.subscriptions if each.is_confirmed]

    @property
    def waiting(self) -> list[Subscription]:
        return [each for each in self.subscriptions if not each.is_confirmed]

    def unheard(self) -> Iterator[str]:
        """Why somebody would not hear what it says."""
        if self.is_gone:
            yield f"The topic {self.name} ({self.arn}) is gone. `pulumi up --refresh` makes it again."
            return
        if self.waiting:
            waiting = ", ".join(each.endpoint for each in self.waiting)
            yield (
                f'{waiting} has not confirmed the subscription to {self.name}: the mail "AWS Notification - '
                'Subscription Confirmation" has the link. `pulumi up` after three days sends another.'
            )
        if not self.heard_by:
            what = "no subscription is confirmed" if self.waiting else "nobody is subscribed"
            yield f"Nobody hears {self.name}: {what}. `notifications` of the stack file says who is."


@dataclass(frozen=True)
class Message:
    """What is published. Raises Refusal on what SNS would not take, all of it in one go."""

    subject: str
    text: str

    def __post_init__(self) -> None:
        if problems := [*self._problems()]:
            raise Refusal(" ".join(problems))

    def _problems(self) -> Iterator[str]:
        if len(self.subject) > MOST_SUBJECT:
            over = len(self.subject) - MOST_SUBJECT
            yield (
                f"The subject would have {len(self.subject)} characters, and SNS takes {MOST_SUBJECT}: shorten the "
                f"title by {over}."
            )
        if odd := sorted({sign for sign in self.subject if not " " <= sign <= "~"}):
            shown = ", ".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in odd)
            yield f"A mail's subject is printable ASCII; the title has {shown}."
        size = len(self.text.encode())
        if size > MOST_MESSAGE_BYTES:
            yield f"The message has {size:,} bytes, and SNS takes {MOST_MESSAGE_BYTES:,}. Put the rest behind a link."


def arn_of(platform: Platform, severity: str) -> str:
    """Raises Refusal where the stack's outputs have no such topic."""
    arns: Mapping[str, str] = platform.outputs["topics"]
    if severity not in arns:
        raise Refusal(
            f"{platform} has no topic {severity}: its outputs name {', '.join(sorted(arns)) or 'none'}. `pulumi up` "
            "makes it."
        )
    return arns[severity]


def look(platform: Platform, name: str, arn: str) -> Topic:
    """In the topic's own region."""
    client = _client(platform, arn)
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    try:
        found = [_subscription(each) for page in pages for each in page["Subscriptions"]]
    except client.exceptions.NotFoundException:
        return Topic(name, arn, is_gone=True)
    return Topic(name, arn, found)


def publish(platform: Platform, arn: str, message: Message) -> str:
    """The message's id. That SNS has taken it does not mean that anybody got it."""
    answer = _client(platform, arn).publish(TopicArn=arn, Subject=message.subject, Message=message.text)
    return answer["MessageId"]


def _client(platform: Platform, arn: str) -> Any:
    return platform.client("sns", region=arn.split(":")[3])


def _subscription(said: Mapping[str, str]) -> Subscription:
    # PendingConfirmation, or Deleted for a moment after somebody has left.
    return Subscription(
        said["Protocol"],
        _shown(said["Protocol"], said["Endpoint"]),
        said["SubscriptionArn"].startswith("arn:"),
    )


def _shown(protocol: str, endpoint: str) -> str:
    if protocol in ("http", "https"):
        return f"{protocol}://{urlsplit(endpoint).hostname}/..."
    return endpoint.rpartition(":")[2] if endpoint.startswith("arn:") else endpoint
