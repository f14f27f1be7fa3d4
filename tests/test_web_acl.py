"""WebAcl: the rate limit, the managed rules, what is logged, and what is refused."""

import json
import re
from typing import Any

import pytest

from components.web_acl import RateLimit, WebAcl, WebAclArgs
from tests.recorder import record

ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
COMMON = "AWSManagedRulesCommonRuleSet"
SQL = "AWSManagedRulesSQLiRuleSet"


def args(**changes):
    values: dict[str, Any] = {
        "resource_arn": "arn:balancer",
        "rate_limit": RateLimit(requests=100, window_s=60, burst=20),
        "managed_rules": [COMMON, SQL],
        "log_group_name": "aws-waf-logs-rentalfix-prod",
        "log_retention_days": 30,
        "log_key_arn": "arn:aws:kms:logs",
        "region": "us-east-1",
        **changes,
    }
    return WebAclArgs(**values)


def build(**changes):
    return record(lambda: WebAcl("edge", args(**changes)))


def test_the_rate_limit_comes_first_and_answers_429():
    acl = build().one(ACL)
    rate = acl["rules"][0]
    assert (rate["name"], rate["priority"]) == ("rate-limit", 0)
    # 100 requests a minute and a burst of 20: WAF has no burst of its own.
    assert rate["statement"] == {
        "rateBasedStatement": {"limit": 120, "evaluationWindowSec": 60, "aggregateKeyType": "IP"}
    }
    assert rate["action"]["block"]["customResponse"] == {
        "responseCode": 429,
        "customResponseBodyKey": "too-many-requests",
        "responseHeaders": [{"name": "Retry-After", "value": "60"}],
    }
    (body,) = acl["customResponseBodies"]
    assert body["key"] == "too-many-requests"
    assert json.loads(body["content"])["statusCode"] == 429


def test_somebody_else_may_associate_it():
    declared = build(resource_arn=None, associated_elsewhere=True)
    assert declared.one(ACL)["scope"] == "REGIONAL"
    assert declared.names(ASSOCIATION) == []


def test_managed_rules_follow_in_their_order():
    acl = build(counted_rules={COMMON: ["SizeRestrictions_BODY"]}).one(ACL)
    common, sql = acl["rules"][1:]
    assert (common["name"], common["priority"]) == (COMMON, 1)
    assert common["overrideAction"] == {"none": {}}
    assert common["statement"]["managedRuleGroupStatement"] == {
        "vendorName": "AWS",
        "name": COMMON,
        "ruleActionOverrides": [{"name": "SizeRestrictions_BODY", "actionToUse": {"count": {}}}],
    }
    assert (sql["name"], sql["priority"]) == (SQL, 2)
    assert sql["statement"]["managedRuleGroupStatement"]["ruleActionOverrides"] == []


def test_the_acl_stands_before_the_balancer_and_lets_the_rest_through():
    declared = build(tags={"owner": "platform"})
    acl = declared.one(ACL)
    assert (acl["scope"], acl["defaultAction"]) == ("REGIONAL", {"allow": {}})
    assert acl["tags"] == {"owner": "platform", "Name": "edge"}
    assert acl["visibilityConfig"] == {
        "metricName": "rentalfix-prod",
        "cloudwatchMetricsEnabled": True,
        "sampledRequestsEnabled": True,
    }
    association = declared.one(ASSOCIATION)
    assert association["resourceArn"] == "arn:balancer"
    assert association["webAclArn"] == declared.outputs("edge")["arn"]
    assert declared.orphans() == []


def test_what_a_rule_hit_is_logged_without_credentials():
    declared = build()
    assert declared.one(LOGS)["name"] == "aws-waf-logs-rentalfix-prod"
    assert declared.one(LOGS)["kmsKeyId"] == "arn:aws:kms:logs"
    assert declared.one(LOGS)["retentionInDays"] == 30
    logging = declared.one(LOGGING)
    assert logging["logDestinationConfigs"] == [
        "arn:aws:logs:us-east-1:111122223333:log-group:aws-waf-logs-rentalfix-prod"
    ]
    assert [field["singleHeader"]["name"] for field in logging["redactedFields"]] == [
        "authorization",
        "cookie",
        "x-api-key",
    ]
    assert logging["loggingFilter"]["defaultBehavior"] == "DROP"
    (kept,) = logging["loggingFilter"]["filters"]
    assert (kept["behavior"], kept["requirement"]) == ("KEEP", "MEETS_ANY")
    assert [condition["actionCondition"]["action"] for condition in kept["conditions"]] == [
        "BLOCK",
        "COUNT",
    ]


def test_a_body_that_announces_too_much_is_answered_with_413():
    acl = build(max_body_bytes=1_048_576).one(ACL)
    rule = acl["rules"][-1]
    assert (rule["name"], rule["priority"]) == ("body-limit", 100)
    statement = rule["statement"]["regexMatchStatement"]
    assert statement["fieldToMatch"] == {"singleHeader": {"name": "content-length"}}
    assert re.search(statement["regexString"], "1048577")
    assert not re.search(statement["regexString"], "1048576")
    assert rule["action"]["block"]["customResponse"] == {
        "responseCode": 413,
        "customResponseBodyKey": "body-too-large",
    }
    assert [body["key"] for body in acl["customResponseBodies"]] == ["too-many-requests", "body-too-large"]
    assert "body-limit" not in [each["name"] for each in build().one(ACL)["rules"]]


def test_what_a_distribution_has_counted_is_not_counted_again():
    declared = build(uncounted_header=("x-origin-verify", "secret"))
    rate = declared.one(ACL)["rules"][0]["statement"]["rateBasedStatement"]
    assert rate["scopeDownStatement"] == {
        "notStatement": {
            "statement": {
                "byteMatchStatement": {
                    "searchString": "secret",
                    "positionalConstraint": "EXACTLY",
                    "fieldToMatch": {"singleHeader": {"name": "x-origin-verify"}},
                    "textTransformations": [{"priority": 0, "type": "NONE"}],
                }
            }
        }
    }
    redacted = declared.one(LOGGING)["redactedFields"]
    assert redacted[-1] == {"singleHeader": {"name": "x-origin-verify"}}


def test_the_acl_of_distributions_stands_in_us_east_1_and_is_named_by_them():
    kept = []
    declared = record(lambda: kept.append(WebAcl("cdn", args(scope="CLOUDFRONT", resource_arn=None))))
    assert declared.one(ACL)["scope"] == "CLOUDFRONT"
    assert {declared.one(each)["region"] for each in (ACL, LOGS, LOGGING)} == {"us-east-1"}
    assert declared.names(ASSOCIATION) == []
    (watch,) = kept[0].watches
    assert watch.region == "us-east-1"
    assert watch.metrics[0].dimensions == {"WebACL": "rentalfix-prod", "Rule": "ALL"}


def test_a_surge_of_blocked_requests_is_noticed():
    kept = []
    record(lambda: kept.append(WebAcl("edge", args())))
    (watch,) = kept[0].watches
    assert (watch.name, watch.severity, watch.threshold) == ("edge-blocked", "warning", 1000)
    assert watch.metrics[0].dimensions == {
        "WebACL": "rentalfix-prod",
        "Region": "us-east-1",
        "Rule": "ALL",
    }


def test_the_smallest_limit_and_each_window_are_accepted():
    for window_s in (60, 120, 300, 600):
        rule = build(rate_limit=RateLimit(requests=10, window_s=window_s)).one(ACL)["rules"][0]
        assert rule["statement"]["rateBasedStatement"]["limit"] == 10
        assert rule["statement"]["rateBasedStatement"]["evaluationWindowSec"] == window_s


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"rate_limit": RateLimit(requests=100, window_s=90)},
            "rate_limit.window_s must be one of 60, 120, 300, 600 seconds, got 90",
        ),
        (
            {"rate_limit": RateLimit(requests=100, window_s=60, burst=-1)},
            "rate_limit.burst must be 0 or more, got -1",
        ),
        (
            {"rate_limit": RateLimit(requests=5, window_s=60, burst=4)},
            "rate_limit.requests and burst must come to at least 10, got 9",
        ),
        (
            {"resource_arn": None},
            "resource_arn is for scope REGIONAL, which needs it; a distribution names its ACL itself",
        ),
        ({"scope": "CLOUDFRONT"}, "resource_arn is for scope REGIONAL"),
        (
            {"associated_elsewhere": True},
            "associated_elsewhere is for scope REGIONAL without a resource_arn",
        ),
        (
            {"associated_elsewhere": True, "scope": "CLOUDFRONT", "resource_arn": None},
            "associated_elsewhere is for scope REGIONAL without a resource_arn",
        ),
        (
            {"scope": "CLOUDFRONT", "resource_arn": None, "region": "eu-west-1"},
            "region must be us-east-1 for scope CLOUDFRONT, got eu-west-1",
        ),
        ({"max_body_bytes": 0}, "max_body_bytes must be 1 to 9999999999, got 0"),
        ({"managed_rules": [SQL, SQL]}, f"managed_rules names {SQL} more than once"),
        (
            {"counted_rules": {"Other": ["Rule"]}},
            "counted_rules names Other, which is not one of managed_rules",
        ),
        (
            {"log_group_name": "/waf"},
            "log_group_name must begin with aws-waf-logs-, got '/waf'",
        ),
        (
            {"log_group_name": "/waf", "rate_limit": RateLimit(requests=100, window_s=90)},
            "web ACL: rate_limit.window_s must be one of 60, 120, 300, 600 seconds, got 90; log_group_name must",
        ),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(**changes)
