"""What somebody has still to put in, to confirm or to read, and when Pulumi was last there."""

import json
import subprocess
from collections.abc import Sequence
from datetime import datetime

from operations.platform import ROOT, Platform, Refusal
from operations.services.engine import Engine
from operations.status.part import Part

PULUMI_S = 20


def secrets(platform: Platform) -> Part:
    """The ones that somebody has to put in, and has not, and the roles' that `groundwork db bootstrap` makes."""
    part = Part()
    roles = (platform.outputs.get("database") or {}).get("roleSecretArns", {})
    for arns, what, remedy in (
        (platform.outputs["secretsToFill"], "secret without a value", "`groundwork secrets put`."),
        (list(roles.values()), "login without a password", "`groundwork db bootstrap` makes them."),
    ):
        empty = _empty(platform, arns)
        part.rows += [{"to fill": name, "what": what} for name in empty]
        if empty:
            part.needs.append(f"Empty, so that their services cannot start: {', '.join(empty)}. {remedy}")
    for name in platform.outputs["servicesToPush"]:
        part.rows.append({"to fill": name, "what": "service without an image tag"})
        part.notes.append(
            f"{name} does not run: the stack file has no image tag for it. `groundwork deploy` gives one."
        )
    return part


def _empty(platform: Platform, arns: Sequence[str]) -> list[str]:
    """The names of those that hold nothing."""
    client, names = platform.client("secretsmanager"), []
    for arn in arns:
        told = client.describe_secret(SecretId=arn)
        stages = {stage for each in told.get("VersionIdsToStages", {}).values() for stage in each}
        if "AWSCURRENT" not in stages:
            names.append(told["Name"])
    return names


def subscriptions(platform: Platform) -> Part:
    """Who would not hear of an alarm: not confirmed yet, nobody subscribed, or not delivered."""
    part, sns = Part(), platform.client("sns")
    for severity, arn in platform.outputs["topics"].items():
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        found = [each for page in pages for each in page["Subscriptions"]]
        waiting = [each["Endpoint"] for each in found if not each["SubscriptionArn"].startswith("arn:")]
        part.rows += [{"to fill": endpoint, "what": f"{severity}: not confirmed"} for endpoint in waiting]
        if waiting:
            part.needs.append(
                f'{", ".join(waiting)} has not confirmed the subscription to {severity}: the mail "AWS Notification - '
                'Subscription Confirmation" has the link. `pulumi up` after three days sends another.'
            )
        elif not found:
            part.needs.append(
                f"Nobody is subscribed to {severity}, so its alarms reach nobody. Set notifications.{severity}."
            )
    sqs = platform.client("sqs")
    for receiver, url in platform.outputs["undelivered"].items():
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        number = int(told["Attributes"]["ApproximateNumberOfMessages"])
        if number:
            part.rows.append({"to fill": receiver, "what": f"{number} messages not delivered"})
            part.needs.append(f"{receiver} did not get {number} messages. docs/runbooks/notifications.md.")
    return part


def updated(platform: Platform) -> Part:
    """When Pulumi last changed the stack: since then nothing but AWS and people did."""
    engine = Engine.of(platform)
    command = [*engine.plain("stack", "history"), "--json", "--page-size", "1"]
    try:
        answer = subprocess.run(
            command,
            cwd=ROOT,
            env=engine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PULUMI_S,
            check=False,
        )
        history = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        raise Refusal(
            "Pulumi does not tell when it last changed the stack. `pulumi stack history` says why."
        ) from None
    if not history:
        return Part(notes=["Pulumi has not changed the stack yet."])
    last = history[0]
    when = datetime.fromisoformat(last.get("endTime") or last["startTime"])
    part = Part(rows=[{"last change": last["kind"], "ended": when, "result": last["result"]}])
    if last["result"] != "succeeded":
        part.needs.append(
            f"The last `pulumi {last['kind']}` ended as {last['result']}. `pulumi up` goes on from there."
        )
    part.notes.append("What has drifted since then `groundwork nightly --refresh` tells; it takes minutes.")
    return part
