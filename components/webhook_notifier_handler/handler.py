"""Posts what a topic says to Slack or PagerDuty. Runs in Lambda, once for each message of SNS.

A CloudWatch alarm says what, since when, how soon somebody answers, and where to read on; when it is over, that is
posted too, and PagerDuty closes its incident. Anything else that comes over a topic (RDS, AWS Backup, Prometheus) is
posted as it reads. The secret is read each time, so a new one works at once, and it never appears in a log line.
Standard library and boto3, nothing to package.
"""

import hashlib
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import boto3

TIMEOUT_S = 5
ATTEMPTS = 3
LONGEST_WAIT_S = 10.0
PAGERDUTY_HOST = "events.pagerduty.com"
# Slack API, "chat.postMessage" (text); Events API v2, "Send an alert event" (summary, dedup_key).
MAX_TEXT, MAX_SUMMARY, MAX_KEY = 3000, 1024, 255

_RUNBOOK = re.compile(r"\s*Runbook: (\S+)")
_STATUS = re.compile(r"^\[(FIRING|RESOLVED)[^\]]*\]\s*")


class NotDelivered(Exception):
    """The receiver did not take it, after all attempts. Lambda tries again later, and keeps it in the end."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """What a message of this topic means; `response` is "P1, answered within 15 minutes", or empty."""

    severity: str
    response: str


@dataclass(frozen=True, kw_only=True)
class Notice:
    """`key` is the same for a problem and for its end; links are empty where there is none."""

    severity: str
    response: str
    title: str
    text: str
    since: str
    key: str
    is_over: bool = False
    runbook: str = ""
    console: str = ""

    @property
    def headline(self) -> str:
        return f"{'RESOLVED' if self.is_over else self.severity.upper()}: {self.title}"


def read(message: Mapping[str, Any], topic: Topic) -> Notice:
    """What one message of SNS says (`Records[].Sns`)."""
    text = str(message.get("Message", ""))
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if isinstance(content, dict) and "AlarmName" in content:
        return _alarm(content, topic)
    if isinstance(content, dict) and "Event Message" in content:
        return Notice(
            severity=topic.severity,
            response=topic.response,
            title=f"{content.get('Event Source', 'RDS')} {content.get('Source ID', '')}".strip(),
            text=str(content["Event Message"]),
            since=str(content.get("Event Time", message.get("Timestamp", ""))),
            key=f"{content.get('Source ID')}: {content['Event Message']}",
            console=str(content.get("Identifier Link", "")).removeprefix("Identifier Link: "),
        )
    if isinstance(content, dict) and "detail-type" in content:
        title = f"{content.get('source', 'EventBridge')}: {content['detail-type']}"
        return Notice(
            severity=topic.severity,
            response=topic.response,
            title=title,
            text="\n".join([*map(str, content.get("resources", [])), json.dumps(content.get("detail", {}))]),
            since=str(content.get("time", "")),
            key=f"{title}: {content.get('id', '')}",
        )
    subject = str(message.get("Subject") or text.partition("\n")[0])
    status = _STATUS.match(subject)
    title = _STATUS.sub("", subject) or "a message without a subject"
    return Notice(
        severity=topic.severity,
        response=topic.response,
        title=title,
        text=text,
        since=str(message.get("Timestamp", "")),
        key=f"{message.get('TopicArn')}: {title}",
        is_over=status is not None and status[1] == "RESOLVED",
    )


def _alarm(alarm: Mapping[str, Any], topic: Topic) -> Notice:
    description = str(alarm.get("AlarmDescription") or "")
    if topic.response:  # it has a line of its own
        description = description.replace(f" {topic.response}.", "")
    runbook = _RUNBOOK.search(description)
    arn = str(alarm.get("AlarmArn", ""))
    parts = arn.split(":")
    region = parts[3] if len(parts) > 3 else ""
    name = str(alarm["AlarmName"])
    return Notice(
        severity=topic.severity,
        response=topic.response,
        title=name,
        text=_RUNBOOK.sub("", description) or str(alarm.get("NewStateReason", "")),
        since=str(alarm.get("StateChangeTime", "")),
        key=arn or name,
        is_over=alarm.get("NewStateValue") == "OK",
        runbook=runbook[1] if runbook else "",
        console=f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#alarmsV2:alarm/{quote(name, safe='')}"
        if region
        else "",
    )


def slack(notice: Notice) -> dict[str, Any]:
    """The body for an incoming webhook."""
    lines = [f"*{_escaped(notice.headline)}*", _escaped(notice.text)]
    if notice.response and not notice.is_over:
        lines.append(f"*{_escaped(notice.response)}*")
    lines.append(f"{'Over since' if notice.is_over else 'Since'} {_escaped(notice.since)}")
    links = {"Runbook": notice.runbook, "Console": notice.console}
    lines += [" | ".join(f"<{url}|{label}>" for label, url in links.items() if url)]
    return {"text": "\n".join(line for line in lines if line)[:MAX_TEXT]}


def pagerduty(notice: Notice, routing_key: str) -> dict[str, Any]:
    """An event of the Events API v2: opened by the alarm, closed by its end, one incident for each key."""
    key = notice.key
    if len(key) > MAX_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if notice.is_over else "trigger",
        "dedup_key": key,
    }
    if notice.is_over:
        return body
    links = {"Runbook": notice.runbook, "Console": notice.console}
    return {
        **body,
        "payload": {
            "summary": notice.headline[:MAX_SUMMARY],
            "source": os.environ.get("SOURCE", "aws"),
            "severity": notice.severity,
            "custom_details": {
                "what": notice.text,
                "since": notice.since,
                **({"response": notice.response} if notice.response else {}),
            },
        },
        "links": [{"href": url, "text": label} for label, url in links.items() if url],
    }


def _escaped(text: str) -> str:
    """Slack API, "Formatting text for app surfaces": these three are its markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def webhook(secret: str) -> str:
    """The URL that the secret holds; whatever it is, the message does not repeat it."""
    url = urlsplit(secret.strip())
    if url.scheme != "https" or not url.hostname:
        raise NotDelivered("the secret's value must be a URL that begins with https://")
    return url.geturl()


def integration(secret: str) -> tuple[str, str]:
    """The URL of the Events API and the routing key, from a key or from an integration's URL with the key in it."""
    value = secret.strip()
    if re.fullmatch(r"[A-Za-z0-9]{16,64}", value):
        return f"https://{PAGERDUTY_HOST}/v2/enqueue", value
    url = urlsplit(webhook(value))
    key = re.fullmatch(r"/integration/([A-Za-z0-9]{16,64})/enqueue", url.path)
    if key is None:
        raise NotDelivered(
            "the secret's value must be an integration key, or https://<host>/integration/<key>/enqueue"
        )
    return f"https://{url.netloc}/v2/enqueue", key[1]


def post(
    url: str,
    body: Mapping[str, Any],
    *,
    context: ssl.SSLContext,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post until it is taken; a refusal that another attempt cannot change is not tried again.

    No redirect is followed: whoever could send one would get the message.
    """
    parts = urlsplit(url)
    problem = ""
    for attempt in range(1, ATTEMPTS + 1):
        wait_s = float(attempt)
        try:
            status, retry_after = _once(parts.netloc, parts.path, body, context)
        except (OSError, http.client.HTTPException) as error:
            problem = f"{parts.hostname} cannot be reached ({type(error).__name__})"
        else:
            if 200 <= status < 300:
                return
            problem = f"{parts.hostname} answered {status}"
            if status != 429 and status < 500:
                raise NotDelivered(f"{problem}: it does not know the secret, or not this form of message")
            wait_s = retry_after or wait_s
        if attempt < ATTEMPTS:
            sleep(min(wait_s, LONGEST_WAIT_S))
    raise NotDelivered(f"{problem}, {ATTEMPTS} times")


def _once(
    netloc: str, path: str, body: Mapping[str, Any], context: ssl.SSLContext
) -> tuple[int, float | None]:
    connection = http.client.HTTPSConnection(netloc, timeout=TIMEOUT_S, context=context)
    try:
        connection.request(
            "POST", path or "/", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        after = answer.headers.get("Retry-After", "")
        return answer.status, float(after) if after.isdigit() else None
    finally:
        connection.close()


def deliver(
    records: Sequence[Mapping[str, Any]],
    *,
    receiver: str,
    topics: Mapping[str, Topic],
    secret: str,
    context: ssl.SSLContext,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post each record. Raises NotDelivered, and ValueError on a topic that nothing is known of."""
    for record in records:
        message = record["Sns"]
        topic = topics.get(message["TopicArn"])
        if topic is None:
            raise ValueError(f"nothing is known of the topic {message['TopicArn']}")
        notice = read(message, topic)
        if receiver == "slack":
            post(webhook(secret), slack(notice), context=context, sleep=sleep)
        else:
            url, key = integration(secret)
            post(url, pagerduty(notice, key), context=context, sleep=sleep)


def handler(event: Mapping[str, Any], _context: object) -> None:
    value = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])["SecretString"]
    deliver(
        event["Records"],
        receiver=os.environ["RECEIVER"],
        topics={
            each["topic_arn"]: Topic(severity=each["severity"], response=each["response"])
            for each in json.loads(os.environ["TOPICS"])
        },
        secret=value,
        context=ssl.create_default_context(),
    )
