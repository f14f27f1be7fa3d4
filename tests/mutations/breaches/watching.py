"""Alarms and who hears them, dashboards, logs."""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from tests.mutations.breaking import (
    Breach,
    altering,
    edited,
    elsewhere,
    gone,
    itself,
    of_companion,
    referring,
    setting,
)
from tests.mutations.carrying import Unfit
from tests.mutations.judging import Bench, Changes, Resource
from tests.policy_builders import BALANCER, BROKER, CLUSTER, INSTANCE, REPLICATION_GROUP, SERVICE

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
CERTIFICATE = "aws:acm/certificate:Certificate"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
GRAFANA = "aws:grafana/workspace:Workspace"
TOPIC = "aws:sns/topic:Topic"
WATCHED = [BALANCER, BROKER, CERTIFICATE, CLUSTER, INSTANCE, REPLICATION_GROUP, SERVICE]

alarms = referring(ALARM, "dimensions", "metricQueries")
subscription = referring("aws:sns/topicSubscription:TopicSubscription", "topic")


def listed_alarm_gone(bench: Bench, _subject: Resource) -> Changes:
    """The first alarm that the stack's configuration lists."""
    listed = bench.setting("required-alarms-present", "declared")
    if not listed:
        raise Unfit("the configuration lists no alarm")
    return {each.urn: None for each in bench.of([ALARM]) if fnmatchcase(each.name, listed[0])}


def listed_section_gone(bench: Bench, _subject: Resource) -> Changes:
    """The first heading that the stack's configuration lists is another one in every dashboard."""
    listed = bench.setting("dashboard-present", "sections")
    if not listed:
        raise Unfit("the configuration lists no heading")
    edit = altering("dashboardBody", lambda text: text.replace(json.dumps(listed[0])[1:-1], "Another"))
    return {each.urn: edit(each) for each in bench.of([DASHBOARD])}


def no_dashboard(bench: Bench, _subject: Resource) -> Changes:
    return {each.urn: None for each in bench.of([DASHBOARD, GRAFANA])}


BREACHES: Mapping[str, Sequence[Breach]] = {
    "required-alarms-present": [
        Breach("its alarms are gone", gone(alarms), WATCHED),
        Breach("its alarms watch another", elsewhere(alarms, "dimensions", "metricQueries"), WATCHED),
        Breach("its alarms do nothing", edited(alarms, setting(alarmActions=[])), WATCHED),
        *of_companion("its subscription", subscription, "topic", on=[TOPIC]),
        Breach("an alarm that is listed is gone", listed_alarm_gone, [TOPIC], once=True),
    ],
    "dashboard-present": [
        Breach("no dashboard is left", no_dashboard, once=True),
        Breach("a heading that is listed is gone", listed_section_gone, once=True),
        Breach(
            "it shows nothing",
            edited(
                itself,
                altering("dashboardBody", lambda text: json.dumps({**json.loads(text), "widgets": []})),
            ),
            [DASHBOARD],
        ),
    ],
}
