"""Alarms: each watch as CloudWatch takes it, who is told, and what is refused."""

import re
from typing import Any

import pytest

from components._watch import Metric, Watch
from components.alarms import Alarms, AlarmsArgs, Change, runbook_page
from tests.recorder import record

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
TOPICS = {
    "eu-west-1": {"critical": "arn:critical", "warning": "arn:warning"},
    "us-east-1": {"critical": "arn:critical-us", "warning": "arn:warning-us"},
}


def metric(**changes):
    values: dict[str, Any] = {
        "id": "cpu",
        "namespace": "AWS/RDS",
        "metric_name": "CPUUtilization",
        "stat": "Average",
        "dimensions": {"DBInstanceIdentifier": "rentfix-primary"},
        **changes,
    }
    return Metric(**values)


def watch(**changes):
    values: dict[str, Any] = {
        "name": "database-cpu",
        "description": "Percent of the processor in use",
        "severity": "warning",
        "threshold": 80,
        "metrics": [metric()],
        **changes,
    }
    return Watch(**values)


def args(*watches, **changes):
    values: dict[str, Any] = {
        "watches": watches or (watch(),),
        "topic_arns": TOPICS,
        "region": "eu-west-1",
        "name_prefix": "rentalfix-prod",
        "runbook_url_prefix": "https://example.com/runbooks/",
        "tags": {"owner": "platform"},
        **changes,
    }
    return AlarmsArgs(**values)


def build(*watches, **changes):
    made = args(*watches, **changes)
    return record(lambda: vars_of(Alarms("alarms", made)))


def vars_of(alarms):
    return {"names": alarms.names, "arns": alarms.arns, "critical_name": alarms.critical_name}


def test_what_the_product_promises_stands_before_the_runbook():
    declared = build(watch(), responses={"warning": "P3: answered within 4 hours"})
    assert declared.one(ALARM, "alarms-database-cpu")["alarmDescription"] == (
        "Percent of the processor in use. P3: answered within 4 hours. "
        "Runbook: https://example.com/runbooks/database.md"
    )


def test_a_watch_on_one_metric():
    declared = build(watch(evaluation_periods=3, datapoints_to_alarm=2, treat_missing_data="breaching"))
    assert dict(declared.one(ALARM, "alarms-database-cpu").inputs) == {
        "name": "rentalfix-prod-database-cpu",
        "alarmDescription": "Percent of the processor in use. Runbook: https://example.com/runbooks/database.md",
        "namespace": "AWS/RDS",
        "metricName": "CPUUtilization",
        "dimensions": {"DBInstanceIdentifier": "rentfix-primary"},
        "statistic": "Average",
        "period": 300,
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": 80,
        "evaluationPeriods": 3,
        "datapointsToAlarm": 2,
        "treatMissingData": "breaching",
        "alarmActions": ["arn:warning"],
        "okActions": ["arn:warning"],
        "tags": {"owner": "platform", "Name": "rentalfix-prod-database-cpu", "severity": "warning"},
    }
    assert declared.orphans() == []


def test_a_percentile_is_an_extended_statistic():
    alarm = build(watch(metrics=[metric(stat="p95")])).one(ALARM)
    assert alarm["extendedStatistic"] == "p95"
    assert "statistic" not in alarm


def test_an_expression_over_metrics():
    hits, misses = metric(id="hits", metric_name="CacheHits"), metric(id="misses", metric_name="CacheMisses")
    alarm = build(watch(metrics=[hits, misses], expression="hits / (hits + misses)", period_s=60)).one(ALARM)
    result, first, second = alarm["metricQueries"]
    assert result == {
        "id": "result",
        "expression": "hits / (hits + misses)",
        "label": "database-cpu",
        "returnData": True,
    }
    assert first == {
        "id": "hits",
        "returnData": False,
        "metric": {
            "namespace": "AWS/RDS",
            "metricName": "CacheHits",
            "dimensions": {"DBInstanceIdentifier": "rentfix-primary"},
            "stat": "Average",
            "period": 60,
        },
    }
    assert second["id"] == "misses"
    assert {"namespace", "metricName", "dimensions", "statistic", "period"}.isdisjoint(alarm.inputs)


def test_an_expression_over_one_metric_is_an_expression_too():
    alarm = build(watch(expression="DIFF(cpu)")).one(ALARM)
    assert [query["id"] for query in alarm["metricQueries"]] == ["result", "cpu"]


def test_the_severity_chooses_who_is_told():
    alarm = build(watch(severity="critical")).one(ALARM)
    assert alarm["alarmActions"] == alarm["okActions"] == ["arn:critical"]


def test_a_metric_of_another_region_has_its_alarm_there():
    alarm = build(watch(region="us-east-1", severity="critical")).one(ALARM)
    assert alarm["region"] == "us-east-1"
    assert alarm["alarmActions"] == ["arn:critical-us"]


def test_one_composite_covers_what_is_critical_in_the_stacks_region():
    declared = build(
        watch(name="a", severity="critical"),
        watch(name="b"),
        watch(name="c", severity="critical", region="us-east-1"),
        watch(name="d", severity="critical", region="eu-west-1"),
    )
    composite = declared.one(COMPOSITE)
    assert composite.name == "alarms-critical"
    assert composite["alarmName"] == "rentalfix-prod-critical"
    assert composite["alarmRule"] == 'ALARM("rentalfix-prod-a") OR ALARM("rentalfix-prod-d")'
    assert "alarmActions" not in composite
    assert composite.depends_on(declared.one(ALARM, "alarms-a"))
    assert declared.value["critical_name"] == "rentalfix-prod-critical"


def test_more_than_one_composite_takes_are_covered_by_several_under_one():
    declared = build(*(watch(name=f"w{n:03}", severity="critical") for n in range(101)))
    assert declared.names(COMPOSITE) == ["alarms-critical", "alarms-critical-1", "alarms-critical-2"]
    assert declared.one(COMPOSITE, "alarms-critical-2")["alarmRule"] == 'ALARM("rentalfix-prod-w100")'
    assert declared.one(COMPOSITE, "alarms-critical")["alarmRule"] == (
        'ALARM("rentalfix-prod-critical-1") OR ALARM("rentalfix-prod-critical-2")'
    )
    assert declared.value["critical_name"] == "rentalfix-prod-critical"


def test_nothing_critical_needs_no_composite():
    declared = build(watch())
    assert declared.all(COMPOSITE) == []
    assert declared.value["critical_name"] is None


def test_outputs():
    outputs = build(watch(name="b"), watch(name="a")).value
    assert outputs["names"] == ["rentalfix-prod-a", "rentalfix-prod-b"]
    assert outputs["arns"]["b"] == "arn:aws:cloudwatch:us-east-1:111122223333:alarm:rentalfix-prod-b"


@pytest.mark.parametrize(
    ("namespace", "metric_name", "page"),
    [
        ("AWS/RDS", "CPUUtilization", "database"),
        ("ECS/ContainerInsights", "RunningTaskCount", "service"),
        ("RentalFix/prod", "QueueLength", "queues"),
        ("RentalFix/prod", "DumpCompleted", "backups"),
        ("RentalFix/prod", "core-matching-errors", "application"),
        ("AWS/Unheard", "Of", None),
    ],
)
def test_the_page_that_says_what_to_do(namespace, metric_name, page):
    assert runbook_page(watch(metrics=[metric(namespace=namespace, metric_name=metric_name)])) == page


@pytest.mark.parametrize(
    ("watches", "message"),
    [
        ([watch(), watch()], "two watches are called 'database-cpu'; give each its own name"),
        ([watch(name="critical")], "no watch may be called 'critical'"),
        ([watch(region="eu-north-1")], "watch database-cpu: no warning topic in eu-north-1"),
        ([watch(name="x" * 250)], "the alarm's name is longer than 255 characters"),
        ([watch(description="x" * 1024)], "the description is longer than 1024 characters"),
        (
            [watch(metrics=[metric(namespace="AWS/Unheard")])],
            "watch database-cpu: nothing says what to do about AWS/Unheard; write its page in docs/runbooks",
        ),
        ([watch(expression="x", metrics=[metric(id="Cpu")])], "metric id 'Cpu' must be unique"),
        ([watch(expression="x", metrics=[metric(id="result")])], "metric id 'result' must be unique"),
        ([watch(expression="x", metrics=[metric(), metric()])], "metric id 'cpu' must be unique"),
        ([watch(period_s=90)], "period_s must be 10, 20, 30 or a multiple of 60, got 90"),
        (
            [watch(period_s=300, evaluation_periods=289)],
            "289 periods of 300 s are 86700 s, CloudWatch looks back 86400 s at most; take fewer periods",
        ),
        (
            [watch(period_s=3600, evaluation_periods=169)],
            "169 periods of 3600 s are 608400 s, CloudWatch looks back 604800 s at most",
        ),
        ([watch(name="critical-2")], "no watch may be called 'critical-2': that is a composite's name"),
    ],
)
def test_what_is_refused(watches, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(*watches)


def test_a_hundred_critical_watches_fit():
    args(*(watch(name=f"w{n}", severity="critical") for n in range(100)))


@pytest.mark.parametrize(("period_s", "periods"), [(10, 1), (300, 288), (3600, 168)])
def test_as_far_back_as_cloudwatch_looks(period_s, periods):
    args(watch(period_s=period_s, evaluation_periods=periods))


def test_every_problem_is_told_at_once():
    with pytest.raises(ValueError, match=r"called 'database-cpu'.*no warning topic in eu-north-1"):
        args(watch(), watch(region="eu-north-1"))


def test_a_name_that_scripts_use_already():
    declared = build(
        watch(severity="critical"), watch(name="b"), changes={"database-cpu": Change(name="db-high-cpu")}
    )
    alarm = declared.one(ALARM, "alarms-database-cpu")
    assert (alarm["name"], alarm["tags"]["Name"]) == ("db-high-cpu", "db-high-cpu")
    assert declared.one(COMPOSITE)["alarmRule"] == 'ALARM("db-high-cpu")'
    assert declared.value["names"] == ["db-high-cpu", "rentalfix-prod-b"]


def test_the_documents_own_title_and_severity():
    change = Change(title="ApiDown", severity="critical")
    declared = build(watch(), changes={"database-cpu": change})
    alarm = declared.one(ALARM)
    assert alarm["alarmDescription"].startswith("ApiDown: Percent of the processor in use. ")
    assert alarm["alarmActions"] == ["arn:critical"]
    assert declared.one(COMPOSITE)["alarmRule"] == 'ALARM("rentalfix-prod-database-cpu")'


@pytest.mark.parametrize(
    ("watches", "changes", "message"),
    [
        (
            [watch(), watch(name="cache-cpu")],
            {"databse-cpu": Change(name="x")},
            "changes names 'databse-cpu', and no watch is called so; the nearest is 'database-cpu'",
        ),
        (
            [watch(), watch(name="b")],
            {"b": Change(name="rentalfix-prod-database-cpu")},
            "two alarms would have the physical name 'rentalfix-prod-database-cpu'; give each its own",
        ),
        ([watch()], {"database-cpu": Change(name="x" * 256)}, "the alarm's name is longer than 255"),
    ],
)
def test_changes_that_are_refused(watches, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(*watches, changes=changes)
