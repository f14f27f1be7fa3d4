"""CloudWatch's mute rules: between two moments the alarms that a rule names are evaluated, and tell nobody.

An alarm that is still in ALARM when its rule ends takes its actions then (CloudWatch API, DeleteAlarmMuteRule).
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.platform import Platform

MOST_ALARMS = 100  # CloudWatch API, PutAlarmMuteRule: names in one rule
_ARN_NAME = re.compile(r":alarm-mute(?:-rule)?:(.+)$")
_ONCE = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\) PT(\d+)M")


@dataclass(frozen=True)
class Rule:
    """`schedule` is CloudWatch's expression and its ISO 8601 duration. `status` is SCHEDULED, ACTIVE or EXPIRED."""

    name: str
    region: str
    status: str
    schedule: str
    reason: str
    alarms: Sequence[str]

    @property
    def until(self) -> str:
        found = _ONCE.fullmatch(self.schedule)
        if not found:
            return f"by its schedule {self.schedule}"
        ends = datetime.fromisoformat(found[1]) + timedelta(minutes=int(found[2]))
        return f"until {ends:%Y-%m-%d %H:%M} UTC"


def prefix(platform: Platform) -> str:
    """How the rules of this stack are called that were made by this program."""
    return f"{platform.outputs['system']}-{platform.outputs['environment']}-mute-"


def name_of(platform: Platform, alarms: Sequence[str]) -> str:
    """The same for the same alarms, so that a second rule for them takes the first one's place."""
    return prefix(platform) + hashlib.sha256("\n".join(sorted(alarms)).encode()).hexdigest()[:12]


def put(
    platform: Platform, region: str, alarms: Sequence[str], begins: datetime, minutes: int, reason: str
) -> Rule:
    client, name = platform.client("cloudwatch", region=region), name_of(platform, alarms)
    schedule = {
        "Expression": f"at({begins.astimezone(UTC):%Y-%m-%dT%H:%M})",
        "Duration": f"PT{minutes}M",
        "Timezone": "UTC",
    }
    client.put_alarm_mute_rule(
        Name=name, Description=reason, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": list(alarms)}
    )
    return _rule(region, client.get_alarm_mute_rule(AlarmMuteRuleName=name))


def remove(platform: Platform, rule: Rule) -> None:
    platform.client("cloudwatch", region=rule.region).delete_alarm_mute_rule(AlarmMuteRuleName=rule.name)


def look(platform: Platform, region: str, statuses: Sequence[str]) -> Iterator[Rule]:
    """Those of the account in that region, whoever has made them."""
    client = platform.client("cloudwatch", region=region)
    pages = client.get_paginator("list_alarm_mute_rules").paginate(Statuses=list(statuses))
    for page in pages:
        for summary in page.get("AlarmMuteRuleSummaries", []):
            found = _ARN_NAME.search(summary["AlarmMuteRuleArn"])
            if found:
                yield _rule(region, client.get_alarm_mute_rule(AlarmMuteRuleName=found[1]))


def _rule(region: str, said: dict[str, Any]) -> Rule:
    schedule = said["Rule"]["Schedule"]
    return Rule(
        name=said["Name"],
        region=region,
        status=said.get("Status", ""),
        schedule=f"{schedule['Expression']} {schedule['Duration']}",
        reason=said.get("Description", ""),
        alarms=said.get("MuteTargets", {}).get("AlarmNames", []),
    )
