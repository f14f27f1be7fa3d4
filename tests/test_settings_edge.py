"""Settings of the way in: headers, rewrites, checks, places on the listener, the CDN. One refusal for each rule."""

from typing import Any

import pytest

from settings.paths import covers
from settings.references import known_stack_values
from tests.settings_examples import refusal, settle

SERVICE = "services/core-matching"
GATEWAY: dict[str, Any] = {
    "image_tag": "1.0.0",
    "cpu": 256,
    "memory_mib": 512,
    "desired_count": 1,
    "min_count": 1,
    "max_count": 2,
    "user": "1000",
    "ports": {"http": 3000},
    "public": {"host": "api", "paths": ["/v2", "/v2/*"], "priority": 50, "strip_prefix": "/v2"},
    "health": {"path": "/ready"},
}
CDN: dict[str, Any] = {
    "host": "cdn",
    "bucket": "static",
    "api": {
        "service": "core-matching",
        "paths": ["/api/*"],
        "cached": [{"path": "/api/stores*", "ttl_s": 60}],
    },
}


def told(stack=None, system=None):
    """The only refusal, without the file that it stands in."""
    (line,) = refusal(stack, system)
    return line


def with_cdn(**changes):
    return {"cdn": {**CDN, **changes}, "buckets": {"static": {}}}


def gateway(**changes):
    return {**GATEWAY, **changes}


def test_what_is_left_out_is_what_it_always_was():
    settings = settle()
    ingress, service = settings.ingress, settings.services["core-matching"]
    assert ingress.response_headers.model_dump() == {
        "x_frame_options": "DENY",
        "x_content_type_options": "nosniff",
        "strict_transport_security": "max-age=31536000; includeSubDomains",
        "content_security_policy": None,
    }
    assert (ingress.idle_timeout_s, ingress.client_keep_alive_s, ingress.http2) == (60, None, True)
    assert (ingress.preserve_host_header, ingress.xff_header_processing_mode) == (True, "append")
    assert ingress.waf.max_body_bytes is None
    health = service.health
    assert (health.interval_s, health.timeout_s, health.retries) == (15, 5, 3)
    assert (health.healthy_threshold, health.unhealthy_threshold) == (2, 3)
    assert (health.own_interval_s, health.own_timeout_s) == (15, 5)
    assert (health.start_period_s, health.grace_period_s) == (60, 60)
    assert service.checked_path == "/health"
    assert settings.cdn is None
    assert settings.cdn_host is None
    assert "cdn.url" not in known_stack_values(settings)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("ingress/response_headers", {"x_frame_options": "ALLOW"}, "x_frame_options: must be"),
        (
            "ingress/response_headers",
            {"strict_transport_security": "1 year"},
            "must be max-age and seconds, then perhaps ; includeSubDomains and ; preload",
        ),
        ("ingress/idle_timeout_s", 4001, "idle_timeout_s"),
        ("ingress/client_keep_alive_s", 59, "client_keep_alive_s"),
        ("ingress/waf/max_body_bytes", 0, "max_body_bytes"),
        (f"{SERVICE}/health/interval_s", 4, "interval_s"),
        (f"{SERVICE}/health/timeout_s", 121, "timeout_s"),
        (f"{SERVICE}/health/healthy_threshold", 1, "healthy_threshold"),
        (f"{SERVICE}/health/unhealthy_threshold", 11, "unhealthy_threshold"),
        (f"{SERVICE}/health/retries", 0, "retries"),
        (f"{SERVICE}/health/start_period_s", 301, "start_period_s"),
        (
            f"{SERVICE}/public/rewrites",
            {"/health*": "/status"},
            "must be a path without wildcards, a slash first and none at the end",
        ),
    ],
)
def test_single_values_out_of_bounds(path, value, sentence):
    assert any(sentence in line for line in refusal(system={path: value}))


def test_checks_must_not_overlap():
    assert "must be less than interval_s 10, or checks overlap, got 10" in told(
        system={f"{SERVICE}/health/interval_s": 10, f"{SERVICE}/health/timeout_s": 10}
    )
    assert "must be less than live_interval_s 5, or checks overlap, got 5" in told(
        system={f"{SERVICE}/health/live_interval_s": 5}
    )


def test_a_containers_own_check_has_a_minute():
    slow = {f"{SERVICE}/health/interval_s": 300, f"{SERVICE}/health/timeout_s": 90}
    assert "must be at most 60, which is all that a container's own check may take" in told(system=slow)
    assert settle(system={**slow, f"{SERVICE}/health/live_timeout_s": 10})


def test_readiness_and_liveness_have_figures_of_their_own():
    health = (
        settle(
            system={
                f"{SERVICE}/health": {
                    "path": "/health/ready",
                    "live_path": "/health",
                    "interval_s": 5,
                    "timeout_s": 3,
                    "live_interval_s": 10,
                    "live_timeout_s": 5,
                    "start_period_s": 30,
                    "grace_period_s": 30,
                }
            }
        )
        .services["core-matching"]
        .health
    )
    assert (health.own_interval_s, health.own_timeout_s) == (10, 5)


def test_two_services_share_a_host():
    settings = settle(system={"services/gateway": gateway()})
    assert list(settings.hosts) == ["api", "grafana", "prometheus"]
    assert settings.services["gateway"].checked_path == "/v2/ready"


def test_a_stripped_prefix_begins_every_path():
    public = {**GATEWAY["public"], "paths": ["/v2", "/v20/*"], "check_path": "/v2/ready"}
    line = told(system={"services/gateway": gateway(public={**public, "paths": ["/v2/*", "/v20/*"]})})
    assert "must be /v2 or begin with /v2/, which strip_prefix takes off, got /v20/*" in line


def test_places_on_the_listener_are_nobody_elses():
    near = {**GATEWAY["public"], "priority": 99}
    line = told(system={"services/gateway": gateway(public=near)})
    assert "is too near that of core-matching: both need place 99" in line
    same = {**GATEWAY["public"], "priority": 100}
    line = told(system={"services/gateway": gateway(public=same)})
    assert "must differ from that of core-matching, got 100" in line
    low = {f"{SERVICE}/public/priority": 3, f"{SERVICE}/public/rewrites": {"/a": "/b", "/c": "/d"}}
    line = told(system=low)
    assert "leaves no room for private_paths and rewrites, which are asked before it, got 3" in line
    assert "Raise it to 4 at least." in line


def test_a_rewrite_opens_no_private_path():
    for target in ("/metrics", "/metrics/jobs"):
        line = told(system={f"{SERVICE}/public/rewrites": {"/status": target}})
        assert f"leads to /metrics, which answers 404 from outside, got {target}" in line


def test_the_check_from_outside_must_reach_the_service_itself():
    gateway_alone = gateway(public={"host": "api", "paths": ["/v2/*"], "priority": 50})
    line = told(system={"services/gateway": gateway_alone})
    assert "is asked from outside, and core-matching answers it on this host, got /ready" in line
    line = told(system={f"{SERVICE}/public/private_paths": ["/health"]})
    assert "is asked from outside, and nobody answers it on this host, got /health" in line
    narrow = {f"{SERVICE}/public/paths": ["/v1/*"]}
    assert "nobody answers it" in told(system=narrow)
    assert settle(system={**narrow, f"{SERVICE}/public/check_path": "/v1/health"})
    assert settle(system={**narrow, f"{SERVICE}/public/rewrites": {"/health": "/v1/health"}})


def test_a_cdn_has_an_address_where_it_is_enabled():
    off = settle(system=with_cdn())
    assert off.cdn_host is None
    on = settle({"cdn": {"enabled": True, "price_class": "PriceClass_All"}}, with_cdn())
    assert on.cdn_host == "cdn.rentfix.com"
    assert known_stack_values(on)["cdn.url"] == "https://cdn.rentfix.com"
    assert on.cdn is not None
    assert (on.cdn.price_class, on.cdn.default_page) == ("PriceClass_All", "index.html")


def test_variables_name_the_cdn_only_where_there_is_one():
    variable = {f"{SERVICE}/environment/ASSETS": "${cdn.url}"}
    assert "refers to cdn.url, which does not exist" in told(system={**with_cdn(), **variable})
    assert settle({"cdn": {"enabled": True}}, {**with_cdn(), **variable})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": "api"}, "cdn.host: must be a host that nothing else has, got api"),
        ({"bucket": "other"}, "cdn.bucket: must be a bucket of `buckets`, got other"),
        (
            {"api": {"service": "worker-ai", "paths": ["/api/*"]}},
            "cdn.api.service: must be a service with `public`, since it is asked through the load balancer",
        ),
        (
            {"single_page_app": True},
            "cdn.single_page_app: cannot stand beside api: the API's own answers of 403 and 404 would become",
        ),
        (
            {"api": {**CDN["api"], "cached": [{"path": "/stores*", "ttl_s": 60}]}},
            "cdn.api.cached[0].path: must lie within /api/*, got /stores*",
        ),
        (
            {"api": {**CDN["api"], "cached": [{"path": "/api/*", "ttl_s": 60}]}},
            "cdn.api.cached[0].path: stands in paths too, where nothing is kept, got /api/*",
        ),
        ({"api": {**CDN["api"], "paths": ["api"]}}, "must be a path pattern of CloudFront"),
        ({"default_page": "/index.html"}, "must be the key of a page in the bucket"),
    ],
)
def test_cdn_refusals(changes, sentence):
    assert any(sentence in line for line in refusal(system=with_cdn(**changes)))


def test_a_cdn_alone_needs_no_api():
    assert settle(system={"cdn": {"host": "cdn", "bucket": "static"}, "buckets": {"static": {}}})


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/*", "/health", True),
        ("/api/*", "/api/stores*", True),
        ("/api/*", "/api", False),
        ("/v?", "/v1", True),
        ("/v?", "/v10", False),
        ("/a.b", "/axb", False),
        ("/health", "/healthy", False),
    ],
)
def test_path_patterns(pattern, path, fits):
    assert covers(pattern, path) is fits
