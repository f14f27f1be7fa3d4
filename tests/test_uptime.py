"""Uptime: the check from outside, its two alarms in us-east-1, and what is refused."""

import re
from typing import Any

import pytest

from components.uptime import Uptime, UptimeArgs
from tests.recorder import record

CHECK = "aws:route53/healthCheck:HealthCheck"


def args(**changes):
    values: dict[str, Any] = {
        "host": "api.rentfix.com",
        "path": "/health",
        "availability_percent": 99.9,
        "tags": {"owner": "platform"},
        **changes,
    }
    return UptimeArgs(**values)


def build(**changes):
    made = args(**changes)

    def program():
        uptime = Uptime("uptime", made)
        checks = [watch.metrics[0].dimensions["HealthCheckId"] for watch in uptime.watches]
        watches.extend(uptime.watches)
        return {"id": uptime.health_check_id, "checks": checks}

    watches: list[Any] = []
    return record(program), {watch.name: watch for watch in watches}


def test_it_asks_over_https_from_outside():
    declared, _ = build()
    assert dict(declared.one(CHECK).inputs) == {
        "type": "HTTPS",
        "fqdn": "api.rentfix.com",
        "port": 443,
        "resourcePath": "/health",
        "enableSni": True,
        "failureThreshold": 3,
        "requestInterval": 30,
        "measureLatency": True,
        "tags": {"owner": "platform", "Name": "https://api.rentfix.com/health"},
    }
    assert declared.orphans() == []


def test_down_is_critical_and_the_objective_a_warning():
    declared, watches = build()
    down, objective = watches["uptime-down"], watches["slo-uptime"]
    assert (down.severity, down.threshold, down.period_s, down.evaluation_periods) == ("critical", 1, 60, 2)
    assert (objective.severity, objective.threshold, objective.period_s) == ("warning", 0.999, 3600)
    assert down.metrics[0].stat == "Minimum"
    assert objective.metrics[0].stat == "Average"
    for watch in watches.values():
        assert watch.region == "us-east-1"
        assert watch.comparison == "LessThanThreshold"
        assert watch.treat_missing_data == "breaching"
    assert set(declared.value["checks"]) == {declared.value["id"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "https://api.rentfix.com"}, "host must be a bare name such as api.example.com"),
        ({"host": ""}, "host must be a bare name such as api.example.com, got ''"),
        ({"path": "health"}, "path must begin with a slash, got 'health'"),
        ({"availability_percent": 100}, "an objective of 100 is missed by the first failed check"),
        ({"availability_percent": 0}, "availability_percent must be above 0 and below 100, got 0"),
        ({"failure_threshold": 11}, "failure_threshold must be 1 to 10, got 11"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_every_problem_is_told_at_once():
    with pytest.raises(ValueError, match=r"host must be.*path must begin"):
        args(host="a/b", path="c")


def test_without_an_objective_only_the_address_is_watched():
    _, watches = build(availability_percent=None)
    assert list(watches) == ["uptime-down"]
