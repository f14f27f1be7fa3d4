"""LogInsights: figures out of the log, queries kept, personal data masked."""

import re
from typing import Any

import pytest

from components.log_insights import PERSONAL_DATA, LogFields, LogInsights, LogInsightsArgs, mask
from tests.recorder import record

FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
QUERY = "aws:cloudwatch/queryDefinition:QueryDefinition"
POLICY = "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy"
FIELDS = LogFields(level="level", duration_ms="duration", query_duration_ms="queryDuration")


def args(**changes):
    values: dict[str, Any] = {
        "log_groups": {"core-matching": "/rentalfix/prod/core-matching"},
        "namespace": "RentalFix/prod",
        "query_prefix": "rentalfix-prod",
        "fields": FIELDS,
        **changes,
    }
    return LogInsightsArgs(**values)


def build(**changes):
    made = args(**changes)
    insights: list[Any] = []
    declared = record(lambda: insights.append(LogInsights("logs", made)))
    return declared, insights[0]


def test_errors_are_counted_and_quiet_minutes_are_zero():
    errors = build()[0].one(FILTER, "logs-core-matching-errors")
    assert errors["logGroupName"] == "/rentalfix/prod/core-matching"
    assert errors["pattern"] == '{ $.level = "error" || $.level = "fatal" }'
    assert errors["metricTransformation"] == {
        "name": "core-matching-errors",
        "namespace": "RentalFix/prod",
        "value": "1",
        "defaultValue": "0",
        "unit": "Count",
    }


@pytest.mark.parametrize(
    ("part", "log_field"), [("duration", "duration"), ("query-duration", "queryDuration")]
)
def test_durations_are_milliseconds_of_the_products_field(part, log_field):
    declared = build()[0].one(FILTER, f"logs-core-matching-{part}")
    assert declared["pattern"] == f"{{ $.{log_field} >= 0 }}"
    assert declared["metricTransformation"] == {
        "name": f"core-matching-{part}-ms",
        "namespace": "RentalFix/prod",
        "value": f"$.{log_field}",
        "unit": "Milliseconds",
    }


def test_what_is_offered_is_what_the_filters_publish():
    declared, insights = build()
    published = {f["metricTransformation"]["name"] for f in declared.all(FILTER)}
    offered = [insights.errors, insights.durations, insights.query_durations]
    assert {by_service["core-matching"].metric_name for by_service in offered} == published
    assert insights.query_durations["core-matching"].stat == "p95"


def test_queries_are_kept_under_the_stacks_name():
    declared = build()[0]
    assert {query["name"]: query["queryString"] for query in declared.all(QUERY)} == {
        "rentalfix-prod/core-matching/errors": 'filter level in ["error", "fatal"]\n'
        "| sort @timestamp desc\n| limit 100",
        "rentalfix-prod/core-matching/slowest-requests": "filter ispresent(duration)\n"
        "| sort duration desc\n| limit 50",
        "rentalfix-prod/core-matching/slowest-queries": "filter ispresent(queryDuration)\n"
        "| sort queryDuration desc\n| limit 50",
    }
    assert declared.one(QUERY, "logs-core-matching-errors")["logGroupNames"] == [
        "/rentalfix/prod/core-matching"
    ]


def test_in_plain_text_only_errors_are_counted():
    declared, insights = build(fields=None)
    assert declared.names(FILTER) == ["logs-core-matching-errors"]
    assert declared.one(FILTER)["pattern"] == '?ERROR ?"error:" ?FATAL ?"fatal:"'
    assert {query["name"]: query["queryString"] for query in declared.all(QUERY)} == {
        "rentalfix-prod/core-matching/errors": "filter @message like /ERROR|error:|FATAL|fatal:/\n"
        "| sort @timestamp desc\n| limit 100",
    }
    assert (insights.durations, insights.query_durations) == ({}, {})
    assert [watch.name for watch in insights.watches] == ["core-matching-error-lines"]


def test_logs_that_do_not_say_how_long_it_took():
    declared, insights = build(fields=LogFields(level="level", duration_ms="ms"))
    assert declared.names(FILTER) == ["logs-core-matching-duration", "logs-core-matching-errors"]
    assert list(insights.durations) == ["core-matching"]
    assert insights.query_durations == {}


def test_personal_data_is_masked_in_every_log():
    declared = build(log_groups={"a": "/a", "b": "/b"})[0]
    assert [policy["logGroupName"] for policy in declared.all(POLICY)] == ["/a", "/b"]
    document = declared.one(POLICY, "logs-a-mask").json("policyDocument")
    assert document == mask(PERSONAL_DATA)
    audit, masked = document["Statement"]
    assert audit["DataIdentifier"] == masked["DataIdentifier"]
    assert "arn:aws:dataprotection::aws:data-identifier/EmailAddress" in masked["DataIdentifier"]
    assert masked["Operation"] == {"Deidentify": {"MaskConfig": {}}}


def test_each_service_has_a_watch_on_its_error_lines():
    _, insights = build(error_lines_per_5_minutes=3)
    (watch,) = insights.watches
    assert (watch.name, watch.threshold, watch.severity) == ("core-matching-error-lines", 3, "warning")
    assert watch.metrics == [insights.errors["core-matching"]]


def test_another_service_renames_nothing():
    one = build()[0].names()
    two = build(log_groups={"core-matching": "/a", "worker-ai": "/b"})[0]
    assert set(one) < set(two.names())
    assert two.orphans() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log_groups": {}}, "log_groups is empty"),
        ({"namespace": "AWS/RentalFix"}, "namespace must not begin with AWS/"),
        ({"personal_data": []}, "personal_data is empty"),
        ({"error_lines_per_5_minutes": -1}, "error_lines_per_5_minutes must be at least 0, got -1"),
        (
            {"fields": LogFields(level="le vel", duration_ms="duration", query_duration_ms="q")},
            "fields.level must be a name of letters, digits, _ and ., got 'le vel'",
        ),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_a_nested_field_is_a_name_too():
    assert args(fields=LogFields(level="log.level", duration_ms="http.duration_ms", query_duration_ms="q"))
