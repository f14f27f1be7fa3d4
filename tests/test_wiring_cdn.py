"""A stack with content delivery: the bucket, the distribution and the two firewalls know of each other."""

from functools import cache

import pytest

from tests.program import configuration, run

# Together with what else looks at RentalFix's production: each shape of it here is recorded once.
pytestmark = pytest.mark.xdist_group("prod ")
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
ACL = "aws:wafv2/webAcl:WebAcl"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
CERTIFICATE = "aws:acm/certificate:Certificate"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
KEY = "aws:kms/key:Key"
TARGETS = "aws:lb/targetGroup:TargetGroup"
RULE = "aws:lb/listenerRule:ListenerRule"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"

API = {
    "service": "core-matching",
    "paths": ["/api/*"],
    "cached": [{"path": "/api/stores*", "ttl_s": 60}],
}


def with_cdn(api=True, region="us-east-1"):
    config = configuration("prod")
    config["groundwork:cdn"] = {"enabled": True, "host": "cdn", "bucket": "static"} | (
        {"api": API} if api else {}
    )
    config["groundwork:buckets"] = {"static": {}}
    config["aws:region"] = region
    config["groundwork:network"]["zones"] = [f"{region}{zone}" for zone in "abc"]
    return config


@cache
def stack(*, api=True, region="us-east-1", preview=False):
    return run("prod", with_cdn(api, region), preview=preview)


def test_only_the_distribution_reads_the_bucket():
    declared = stack()
    distribution, policy = declared.one(DISTRIBUTION), declared.one(POLICY, "bucket-static-policy")
    (reads,) = [each for each in policy.json("policy")["Statement"] if each["Sid"] == "OneDistributionReads"]
    (arn,) = reads["Condition"]["StringEquals"].values()
    assert ":distribution/" in arn
    assert distribution["origins"][0]["domainName"].startswith("bucket-static-")
    # CloudFront has no right to a key of ours.
    (rule,) = declared.one(ENCRYPTION, "bucket-static-encryption")["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}


def test_the_logs_bucket_takes_deliveries_of_this_account_only():
    policy = stack().one(POLICY, "cdn-logs-policy").json("policy")
    (writes,) = [each for each in policy["Statement"] if each["Sid"] == "DistributionLogs"]
    assert writes["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert writes["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:logs:us-east-1:111122223333:delivery-source:*"},
    }
    assert writes["Resource"][0].endswith("/AWSLogs/111122223333/*")


def test_the_balancers_firewall_knows_what_the_cdn_has_counted():
    declared = stack()
    (header,) = declared.one(DISTRIBUTION)["origins"][1]["customHeaders"]
    rate = declared.one(ACL, "waf")["rules"][0]["statement"]["rateBasedStatement"]
    match = rate["scopeDownStatement"]["notStatement"]["statement"]["byteMatchStatement"]
    assert match["searchString"] == header["value"]
    assert match["fieldToMatch"] == {"singleHeader": {"name": header["name"]}}
    front = declared.one(ACL, "cdn-waf")["rules"][0]["statement"]["rateBasedStatement"]
    assert "scopeDownStatement" not in front
    assert front["limit"] == rate["limit"]


def test_without_an_api_the_balancer_counts_everybody():
    rate = stack(api=False).one(ACL, "waf")["rules"][0]["statement"]["rateBasedStatement"]
    assert "scopeDownStatement" not in rate


def test_it_is_watched_and_told_of():
    declared = stack()
    assert {
        "alarms-cdn-5xx",
        "alarms-cdn-4xx",
        "alarms-cdn-waf-blocked",
        "alarms-cdn-certificate-expiry",
    } <= {*declared.names(ALARM)}
    assert declared.one(ALARM, "alarms-cdn-5xx")["region"] == "us-east-1"
    assert declared.value["cdn"]["url"] == "https://cdn.rentfix.com"
    assert declared.value["cdn"]["domainName"].endswith(".cloudfront.net")


def test_everything_hangs_from_a_component_and_a_preview_sees_it_all():
    assert stack().orphans() == []
    assert stack(preview=True).names() == stack().names()


def test_the_stack_may_be_elsewhere():
    declared = stack(region="eu-west-1")
    assert declared.one(CERTIFICATE, "cdn-certificate")["region"] == "us-east-1"
    assert "region" not in declared.one(CERTIFICATE, "certificate")
    assert declared.one(ACL, "cdn-waf")["region"] == "us-east-1"
    logs, key = declared.one(LOGS, "cdn-waf-logs"), declared.one(KEY, "cdn-keys-logs")
    assert logs["region"] == key["region"] == "us-east-1"
    assert logs.depends_on(key)
    assert "logs.us-east-1.amazonaws.com" in key["policy"]
    assert "cdn-keys-logs" not in stack().names(KEY)


def test_a_stack_without_one_declares_nothing_of_it():
    declared = run("prod")
    assert not [resource for resource in declared if "cdn" in resource.name or "cloudfront" in resource.type]
    assert declared.value["cdn"] == {"url": "", "distributionId": "", "domainName": ""}


def test_figures_of_the_way_in_reach_what_is_made():
    config = configuration("prod")
    config["groundwork:names"] = {"load_balancer": "api-alb"}
    config["groundwork:ingress"] |= {
        "idle_timeout_s": 120,
        "waf": {"max_body_bytes": 10_485_760},
        "response_headers": {"x_frame_options": "SAMEORIGIN"},
    }
    config["groundwork:services"]["core-matching"] |= {
        "names": {"target_group": "api-targets"},
        "public": {"rewrites": {"/status": "/api/v1/system/health"}, "check_path": "/status"},
        "health": {
            "interval_s": 10,
            "unhealthy_threshold": 2,
            "live_path": "/live",
            "retries": 5,
            "grace_period_s": 30,
        },
    }
    declared = run("prod", config)
    balancer, group = declared.one(BALANCER), declared.one(TARGETS)
    assert (balancer["name"], balancer["idleTimeout"]) == ("api-alb", 120)
    assert group["name"] == "api-targets"
    assert (group["healthCheck"]["interval"], group["healthCheck"]["unhealthyThreshold"]) == (10, 2)
    https = declared.one(LISTENER, "ingress-https")
    assert https["routingHttpResponseXFrameOptionsHeaderValue"] == "SAMEORIGIN"
    assert declared.one(RULE, "core-matching-rewrite-status")["priority"] == 98
    assert declared.one(ACL)["rules"][-1]["name"] == "body-limit"
    (container,) = declared.one("aws:ecs/taskDefinition:TaskDefinition", "core-matching").json(
        "containerDefinitions"
    )
    check = container["healthCheck"]
    assert check["command"][-1] == "http://127.0.0.1:4400/live"
    assert (check["interval"], check["retries"]) == (10, 5)
    assert declared.one("aws:ecs/service:Service", "core-matching")["healthCheckGracePeriodSeconds"] == 30
    probe = declared.one("aws:route53/healthCheck:HealthCheck")
    assert probe["resourcePath"] == "/status"
