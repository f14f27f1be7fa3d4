"""What is asked of a service after a release: what may be written, each refusal, and what the outputs make of it."""

from typing import Any

import pytest

from operations.verify.expected import expected
from tests.program import ALL_STACKS, configuration, declared, run
from tests.settings_examples import refusal, settle

CHECKS = "services/core-matching/checks"
AT = "systems/rentalfix/system.yaml: services.core-matching.checks"
LOGIN: dict[str, Any] = {"path": "/login", "secret": "sentry-dsn"}


def told(checks):
    """The only refusal of these checks."""
    (line,) = refusal(system={CHECKS: checks})
    return line


def test_what_is_left_out_asks_nothing():
    checks = settle().services["worker-ai"].checks
    assert checks.model_dump() == {
        "answers": {},
        "start_text": None,
        "auth": None,
        "cors_credentials": False,
    }


def test_all_of_it_is_taken():
    wanted = {
        "answers": {"/health": {"status": "ok", "info.database.status": "up", "checks.0": "up"}, "/live": {}},
        "start_text": "Server started on port 4400",
        "auth": {"path": "/me", "login": LOGIN},
        "cors_credentials": True,
    }
    checks = settle(system={CHECKS: wanted}).services["core-matching"].checks
    assert checks.auth
    assert checks.auth.login
    assert checks.auth.login.token == "token"
    assert checks.answers["/health"]["info.database.status"] == "up"
    key = {"path": "/me", "key": {"header": "x-api-key", "secret": "api-key"}}
    assert settle(system={CHECKS: {"auth": key}}).services["core-matching"].checks.auth


@pytest.mark.parametrize(
    ("checks", "trouble"),
    [
        (
            {"answers": {"health": {}}},
            ".answers.health: its name must be a path without wildcards, a slash first and none at the end, got "
            "health. Write it like /health.",
        ),
        (
            {"answers": {"/health": {"a..b": "up"}}},
            ".answers./health.a..b: its name must be a key of the answer, with dots into what is within it; an "
            "entry of a list by its number, got a..b. Write it like services.database.",
        ),
        (
            {"answers": {"/health": {"up": True}}},
            ".answers./health.up: must be text, got true. Put it in quotes.",
        ),
        (
            {"auth": {"path": "/me", "key": {"header": "x api", "secret": "api-key"}}},
            ".auth.key.header: must be the name of a header, got x api. Write it like x-api-key.",
        ),
        ({"start_text": ""}, ".start_text: must not be empty. Write something."),
        (
            {"start_txt": "Started"},
            ".start_txt: is not a key of this block. Did you mean start_text?",
        ),
        (
            {"answers": {"/metrics": {}}},
            ".answers./metrics: is asked from outside, and nobody answers it on this host, got /metrics. Name a path "
            "of this service that the internet reaches.",
        ),
        (
            {"auth": {"path": "/metrics/x"}},
            ".auth.path: is asked from outside, and nobody answers it on this host, got /metrics/x. Name a path of "
            "this service that the internet reaches.",
        ),
        (
            {"auth": {"path": "/me", "login": {**LOGIN, "path": "/metrics"}}},
            ".auth.login.path: is asked from outside, and nobody answers it on this host, got /metrics. Name a path "
            "of this service that the internet reaches.",
        ),
        (
            {"auth": {"path": "/me", "login": {**LOGIN, "secret": "sentry-dns"}}},
            ".auth.login.secret: names sentry-dns, which is not in `secrets`. Did you mean sentry-dsn?",
        ),
        (
            {"auth": {"path": "/me", "key": {"header": "x-api-key", "secret": "api-keys"}}},
            ".auth.key.secret: names api-keys, which is not in `secrets`. Did you mean api-key?",
        ),
        (
            {"auth": {"path": "/me", "login": {**LOGIN, "secret": "api-key"}}},
            ".auth.login.secret: names api-key, which is no external secret: the product knows the user, and the "
            "operator puts the login in. Say what it is in secrets.api-key.external, or name another.",
        ),
        (
            {"auth": {"path": "/me", "login": LOGIN, "key": {"header": "x-api-key", "secret": "api-key"}}},
            ".auth: says both key and login, and a path is opened by one of them. Remove one of the two.",
        ),
    ],
)
def test_each_refusal(checks, trouble):
    assert told(checks) == f"{AT}{trouble}"


def test_a_service_that_the_internet_does_not_reach_is_not_asked_from_outside():
    checks = {"start_text": "Started", "answers": {"/health": {}}}
    lines = refusal(system={"services/worker-ai/checks": checks})
    assert lines == (
        "systems/rentalfix/system.yaml: services.worker-ai.checks.answers./health: is asked from outside, and the "
        "internet does not reach this service, got /health. Remove it, or make the service `public`.",
    )
    assert settle(system={"services/worker-ai/checks": {"start_text": "Started"}})


def test_a_path_of_another_service_is_told_whose_it_is():
    other = {
        "image_tag": "1.0.0",
        "cpu": 256,
        "memory_mib": 512,
        "desired_count": 1,
        "min_count": 1,
        "max_count": 2,
        "user": "1000",
        "ports": {"http": 3000},
        "public": {"host": "api", "paths": ["/v2", "/v2/*"], "priority": 50},
        "health": {"path": "/v2"},
    }
    (line,) = refusal(system={"services/gateway": other, CHECKS: {"answers": {"/v2/health": {}}}})
    assert line.startswith(
        f"{AT}.answers./v2/health: is asked from outside, and gateway answers it on this host, got /v2/health."
    )


def test_credentials_are_for_a_service_that_knows_its_origins():
    lines = refusal(system={"services/worker-ai/checks": {"cors_credentials": True}})
    assert lines == (
        "systems/rentalfix/system.yaml: services.worker-ai.checks.cors_credentials: is about pages of other "
        "origins, and the service is not told which may call it. Give it ${cors.allow_origins} in a "
        "variable such as CORS_ORIGIN, or remove it.",
    )


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", ["TLSv1.2", "TLSv1.3"]),
        ("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04", ["TLSv1.2", "TLSv1.3"]),
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", ["TLSv1.3"]),
        ("ELBSecurityPolicy-FS-1-2-Res-2020-10", ["TLSv1.2"]),
    ],
)
def test_a_policys_name_says_which_versions_it_accepts(policy, versions):
    assert settle(system={"ingress/tls_policy": policy}).ingress.tls_versions == versions


# What the outputs say


def edge(stack):
    return declared(stack).value["edge"]


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_every_public_service_that_is_started_is_among_the_outputs(stack):
    value = declared(stack).value
    assert value["edge"]["services"].keys() == value["healthUrls"].keys()
    assert [entry.service for entry in expected(value).entries] == [*value["healthUrls"]]
    for name, said in value["edge"]["services"].items():
        assert value["healthUrls"][name] == f"https://{said['host']}{said['healthPath']}"


def test_sports_nutritions_sign_in_is_the_guides():
    value = declared("sports-nutrition/prod").value
    said = value["edge"]["services"]["api"]
    assert said["answers"] == {
        "/api/health": {"status": "healthy", "database": "connected", "redis": "connected"}
    }
    assert said["auth"] == {
        "path": "/api/profile",
        "keyHeader": "",
        "keySecretArn": "",
        "loginPath": "/api/auth/login",
        "loginSecretArn": value["secrets"]["test-login"],
        "token": "token",
    }
    assert value["services"]["api"]["startText"] == "Server started on port 3000"


def test_origins_are_told_where_a_service_is_told_of_them():
    said = edge("prod")["services"]["core-matching"]
    assert said["corsOrigins"] == ["https://rentfix.com", "https://app.rentfix.com"]
    assert said["corsCredentials"] is True
    assert edge("fixrx/prod")["services"]["fixrx-api"]["corsOrigins"] == []
    services = edge("nx-monorepo/prod")["services"]
    assert services["web-portal"]["corsOrigins"] == []
    assert services["api-gateway"]["corsOrigins"] == ["https://api.yourdomain.com"]


def test_origins_may_stand_in_a_variable():
    origins = {"services/core-matching/environment/CORS_ORIGIN": "https://a.example, https://b.example"}
    assert settle(system=origins).origins_of("core-matching") == ["https://a.example", "https://b.example"]
    assert settle().origins_of("worker-ai") == []


def test_limits_headers_and_variables_are_the_declared_ones():
    said = edge("nx-monorepo/prod")
    assert said["maxBodyBytes"] == 52428800
    assert said["rateLimit"] == {"requests": 600, "burst": 0, "windowS": 60}
    assert edge("prod")["headers"] == {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    variables = declared("ts-service/prod").value["services"]["worker"]["variables"]
    assert variables == sorted(variables)
    assert {"MODE", "DATABASE_URL"} <= {*variables}


def test_the_cdns_headers_are_those_of_its_policy():
    recorded = declared("fixrx/prod")
    [policy] = recorded.all("aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy")
    config = policy.inputs["securityHeadersConfig"]
    assert edge("fixrx/prod")["cdn"] == {
        "host": "cdn.fixrx.com",
        "headers": {
            "Referrer-Policy": config["referrerPolicy"]["referrerPolicy"],
            "Strict-Transport-Security": (
                f"max-age={config['strictTransportSecurity']['accessControlMaxAgeSec']}; includeSubDomains"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": config["frameOptions"]["frameOption"],
            "X-XSS-Protection": "1; mode=block",
        },
        "tlsVersions": ["TLSv1.2", "TLSv1.3"],
    }
    assert config["xssProtection"] == {"protection": True, "modeBlock": True, "override": True}
    assert edge("prod")["cdn"] == {"host": "", "headers": {}, "tlsVersions": []}


def test_a_content_policy_is_a_header_like_the_others():
    config = configuration("prod")
    config["groundwork:ingress"]["response_headers"] = {"content_security_policy": "default-src 'self'"}
    assert run("prod", config).value["edge"]["headers"]["Content-Security-Policy"] == "default-src 'self'"
