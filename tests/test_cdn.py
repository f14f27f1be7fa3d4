"""Cdn: the private bucket, the API's paths, what is kept and what never is, logs, records, and what is refused."""

import re
from typing import Any

import pytest

from components import cdn
from components.cdn import AnswerHeaders, Api, CachedPath, Cdn, CdnArgs
from tests.recorder import record

DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
ACCESS = "aws:cloudfront/originAccessControl:OriginAccessControl"
HEADERS = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
POLICY = "aws:cloudfront/cachePolicy:CachePolicy"
RECORD = "aws:route53/record:Record"
SOURCE = "aws:cloudwatch/logDeliverySource:LogDeliverySource"
DESTINATION = "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination"
DELIVERY = "aws:cloudwatch/logDelivery:LogDelivery"


def api(**changes):
    values: dict[str, Any] = {"host": "api.example.com", "paths": ["/api/*"], **changes}
    return Api(**values)


def args(**changes):
    values: dict[str, Any] = {
        "host": "cdn.example.com",
        "zone_id": "Z1",
        "bucket_domain_name": "static.s3.eu-west-1.amazonaws.com",
        "certificate_arn": "arn:certificate",
        "web_acl_arn": "arn:acl",
        "log_bucket": "logs",
        **changes,
    }
    return CdnArgs(**values)


def build(*, preview=False, **changes):
    return record(lambda: Cdn("cdn", args(**changes)), preview=preview)


def test_a_private_bucket_is_served_over_https_only():
    declared = build(tags={"owner": "platform"})
    distribution = declared.one(DISTRIBUTION)
    headers, access = declared.one(HEADERS), declared.one(ACCESS)
    assert distribution["aliases"] == ["cdn.example.com"]
    assert distribution["httpVersion"] == "http2and3"
    assert distribution["priceClass"] == "PriceClass_100"
    assert distribution["defaultRootObject"] == "index.html"
    assert distribution["webAclId"] == "arn:acl"
    assert distribution["viewerCertificate"] == {
        "acmCertificateArn": "arn:certificate",
        "sslSupportMethod": "sni-only",
        "minimumProtocolVersion": "TLSv1.2_2021",
    }
    (origin,) = distribution["origins"]
    assert origin["domainName"] == "static.s3.eu-west-1.amazonaws.com"
    assert origin["originAccessControlId"]
    assert distribution.depends_on(access)
    assert access["signingBehavior"] == "always"
    behavior = distribution["defaultCacheBehavior"]
    assert (behavior["targetOriginId"], behavior["viewerProtocolPolicy"]) == ("bucket", "redirect-to-https")
    assert behavior["allowedMethods"] == ["GET", "HEAD", "OPTIONS"]
    assert behavior["compress"] is True
    assert behavior["cachePolicyId"] == cdn.CACHING_OPTIMIZED
    assert behavior["responseHeadersPolicyId"]
    assert distribution.depends_on(headers)
    assert distribution["orderedCacheBehaviors"] == []
    assert distribution["customErrorResponses"] == []
    assert distribution["tags"] == {"owner": "platform", "Name": "cdn.example.com"}
    assert declared.names(POLICY) == []
    assert declared.orphans() == []


def test_every_answer_carries_the_security_headers():
    config = build().one(HEADERS)["securityHeadersConfig"]
    assert config == {
        "strictTransportSecurity": {
            "accessControlMaxAgeSec": 31_536_000,
            "includeSubdomains": True,
            "preload": False,
            "override": True,
        },
        "contentTypeOptions": {"override": True},
        "frameOptions": {"frameOption": "DENY", "override": True},
        "xssProtection": {"protection": True, "modeBlock": True, "override": True},
        "referrerPolicy": {"referrerPolicy": "strict-origin-when-cross-origin", "override": True},
    }
    headers = AnswerHeaders(frame_option="SAMEORIGIN", content_security_policy="default-src 'self'")
    own = build(headers=headers).one(HEADERS)["securityHeadersConfig"]
    assert own["frameOptions"]["frameOption"] == "SAMEORIGIN"
    assert own["contentSecurityPolicy"] == {
        "contentSecurityPolicy": "default-src 'self'",
        "override": True,
    }


def test_the_api_passes_uncached_with_all_it_carries_but_the_host():
    declared = build(api=api())
    distribution = declared.one(DISTRIBUTION)
    origin = distribution["origins"][1]
    assert origin["domainName"] == "api.example.com"
    (header,) = origin["customHeaders"]
    assert header["name"] == "x-origin-verify"
    assert "origins" in distribution.secrets
    assert distribution.depends_on(declared.one("random:index/randomPassword:RandomPassword"))
    assert origin["customOriginConfig"] == {
        "httpPort": 80,
        "httpsPort": 443,
        "originProtocolPolicy": "https-only",
        "originSslProtocols": ["TLSv1.2"],
        "originReadTimeout": 60,
    }
    (behavior,) = distribution["orderedCacheBehaviors"]
    assert (behavior["pathPattern"], behavior["targetOriginId"]) == ("/api/*", "api")
    assert behavior["viewerProtocolPolicy"] == "https-only"
    assert set(behavior["allowedMethods"]) >= {"GET", "POST", "DELETE"}
    assert behavior["cachePolicyId"] == cdn.CACHING_DISABLED
    # With the viewer's Host header the load balancer would look for a service called cdn.
    assert behavior["originRequestPolicyId"] == cdn.ALL_VIEWER_EXCEPT_HOST
    assert behavior["responseHeadersPolicyId"]


def test_what_is_kept_was_asked_for_by_a_stranger():
    cached = [CachedPath(path="/api/stores*", ttl_s=60), CachedPath(path="/api/menu", ttl_s=60)]
    declared = build(api=api(cached=cached))
    policy = declared.one(POLICY)
    assert (policy.name, policy["minTtl"], policy["defaultTtl"], policy["maxTtl"]) == ("cdn-60s", 0, 60, 60)
    key = policy["parametersInCacheKeyAndForwardedToOrigin"]
    assert key["cookiesConfig"] == {"cookieBehavior": "none"}
    assert key["headersConfig"] == {"headerBehavior": "whitelist", "headers": {"items": ["Origin"]}}
    assert key["queryStringsConfig"] == {"queryStringBehavior": "all"}
    assert key["enableAcceptEncodingGzip"] is key["enableAcceptEncodingBrotli"] is True
    stores, menu, rest = declared.one(DISTRIBUTION)["orderedCacheBehaviors"]
    assert [each["pathPattern"] for each in (stores, menu, rest)] == ["/api/stores*", "/api/menu", "/api/*"]
    # CloudFront takes Authorization off these, unless an origin request policy puts it back.
    assert "originRequestPolicyId" not in stores
    assert "originRequestPolicyId" not in menu
    assert stores["cachePolicyId"] == menu["cachePolicyId"]
    assert stores["cachedMethods"] == ["GET", "HEAD"]


def test_each_age_has_a_policy():
    cached = [CachedPath(path="/api/stores*", ttl_s=60), CachedPath(path="/api/menu", ttl_s=300)]
    assert build(api=api(cached=cached)).names(POLICY) == ["cdn-300s", "cdn-60s"]


def test_only_an_api_needs_to_know_who_asks():
    kept = []
    record(lambda: kept.extend([Cdn("cdn", args()), Cdn("other", args(api=api()))]))
    assert kept[0].origin_header is None
    assert kept[1].origin_header[0] == "x-origin-verify"


def test_a_single_page_app_answers_unknown_paths_with_its_page():
    responses = build(single_page_app=True, default_page="app.html").one(DISTRIBUTION)["customErrorResponses"]
    assert [(each["errorCode"], each["responseCode"]) for each in responses] == [(403, 200), (404, 200)]
    assert {each["responsePagePath"] for each in responses} == {"/app.html"}


def test_logs_go_to_the_bucket_by_way_of_us_east_1():
    declared = build()
    source, destination, delivery = (declared.one(each) for each in (SOURCE, DESTINATION, DELIVERY))
    assert {each["region"] for each in (source, destination, delivery)} == {"us-east-1"}
    assert source["logType"] == "ACCESS_LOGS"
    assert source.depends_on(declared.one(DISTRIBUTION))
    assert destination["deliveryDestinationConfiguration"] == {"destinationResourceArn": "arn:aws:s3:::logs"}
    assert destination["outputFormat"] == "json"
    assert delivery.depends_on(source)
    assert delivery.depends_on(destination)


def test_the_host_leads_to_the_distribution_in_both_families():
    declared = build()
    records = declared.all(RECORD)
    assert [(each.name, each["type"]) for each in records] == [
        ("cdn-cdn.example.com", "A"),
        ("cdn-cdn.example.com-ipv6", "AAAA"),
    ]
    for each in records:
        assert (each["zoneId"], each["name"]) == ("Z1", "cdn.example.com")
        assert each.depends_on(declared.one(DISTRIBUTION))
        assert each["aliases"][0]["evaluateTargetHealth"] is False


def test_a_preview_declares_the_same():
    changes = {"api": api(cached=[CachedPath(path="/api/stores*", ttl_s=60)])}
    assert build(preview=True, **changes).names() == build(**changes).names()


def test_errors_are_watched_where_cloudfront_counts_them():
    kept = []
    record(lambda: kept.append(Cdn("cdn", args())))
    server, client = kept[0].watches
    assert (server.name, server.severity, server.threshold) == ("cdn-5xx", "critical", 5)
    assert (client.name, client.severity, client.threshold) == ("cdn-4xx", "warning", 25)
    for watch in (server, client):
        assert watch.region == "us-east-1"
        assert watch.expression == "IF(requests > 20, rate, 0)"
        assert watch.metrics[0].dimensions["Region"] == "Global"


def test_outputs():
    outputs = build().outputs("cdn")
    assert sorted(outputs) == ["arn", "distribution_id", "domain_name"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"default_page": "/index.html"},
            "CDN cdn.example.com: default_page is a name in the bucket and begins with no slash, got '/index.html'",
        ),
        (
            {"headers": AnswerHeaders(hsts_max_age_s=0)},
            "headers.hsts_max_age_s must be at least 1, got 0",
        ),
        (
            {"single_page_app": True, "api": api()},
            "single_page_app hides the errors of api: leave one of the two out",
        ),
        ({"api": api(paths=[])}, "api.paths is empty: name what goes to the service"),
        (
            {"api": api(cached=[CachedPath(path="/api/*", ttl_s=60)])},
            "/api/* stands more than once among api.paths and api.cached",
        ),
        (
            {"api": api(paths=[f"/{n}" for n in range(26)])},
            "api.paths and api.cached are at most 25, got 26",
        ),
        (
            {"api": api(cached=[CachedPath(path="/api/a", ttl_s=0)])},
            "api.cached /api/a: ttl_s must be at least 1, got 0",
        ),
        ({"api": api(read_timeout_s=121)}, "api.read_timeout_s must be 1 to 120, got 121"),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(**changes)
