"""The alarms that the stack has declared, as CloudWatch has them now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from operations.alerts.topics import Topic
from operations.platform import Platform

MOST_ALARMS = 100  # CloudWatch API, DescribeAlarms: names in one question
# Alarms on what has its metrics only there (CloudFront, Route 53) stand beside them.
GLOBAL_REGION = "us-east-1"
STATES = ("ALARM", "INSUFFICIENT_DATA", "OK")


@dataclass(frozen=True)
class Alarm:
    name: str
    region: str
    state: str
    since: datetime | None
    why: str
    description: str
    is_on: bool
    actions: Sequence[str]

    @property
    def topic_arns(self) -> list[str]:
        """Those of its actions that tell somebody."""
        return [arn for arn in self.actions if arn.split(":")[2] == "sns"]

    def unheard(self, topics: Mapping[str, Topic]) -> Iterator[str]:
        """Why nobody would hear of it; `topics` by ARN, without those that could not be asked."""
        if not self.is_on:
            yield (
                f"Nobody hears of {self.name}: its actions are switched off. `aws cloudwatch enable-alarm-actions "
                f"--alarm-names {self.name} --region {self.region}`."
            )
        elif not self.topic_arns:
            others = f": its actions are {', '.join(self.actions)}" if self.actions else ": it has no action"
            yield f"Nobody hears of {self.name}{others}. `pulumi up --refresh` gives it its topic again."
        elif all(arn in topics and not topics[arn].heard_by for arn in self.topic_arns):
            names = ", ".join(topics[arn].name for arn in self.topic_arns)
            yield f"Nobody hears of {self.name}: its topic {names} has no confirmed subscription."


def look(platform: Platform) -> tuple[list[Alarm], list[str]]:
    """Those that are there, and the names of those that are gone."""
    missing, found = list(platform.outputs["alarms"]), list[Alarm]()
    for region in dict.fromkeys([platform.region, GLOBAL_REGION]):
        found += _in(platform, region, missing)
        there = {each.name for each in found}
        missing = [name for name in missing if name not in there]
    return found, missing


def _in(platform: Platform, region: str, names: Sequence[str]) -> Iterator[Alarm]:
    client = platform.client("cloudwatch", region=region)
    for start in range(0, len(names), MOST_ALARMS):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNames=names[start : start + MOST_ALARMS], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        for page in pages:
            for said in [*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])]:
                yield _alarm(region, said)


def _alarm(region: str, said: Mapping[str, Any]) -> Alarm:
    return Alarm(
        name=said["AlarmName"],
        region=region,
        state=said["StateValue"],
        # The other time also moves when only the reason does.
        since=said.get("StateTransitionedTimestamp") or said.get("StateUpdatedTimestamp"),
        why=said.get("StateReason", ""),
        description=said.get("AlarmDescription", ""),
        is_on=said.get("ActionsEnabled", True),
        actions=said.get("AlarmActions", []),
    )
