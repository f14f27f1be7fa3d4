"""${...} in variables."""

import pytest

from settings.references import (
    Reference,
    known_values,
    parse,
    references,
    resolve,
    secret_names,
    variable_names,
)
from tests.settings_examples import ABSENT, settle


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("${domain}", [Reference("domain")]),
        ("${a.b}:${a.c}", [Reference("a.b"), ":", Reference("a.c")]),
        ("redis://${a}/0", ["redis://", Reference("a"), "/0"]),
        ("$HOME {bull} ${", ["$HOME {bull} ${"]),
    ],
)
def test_parse(template, parts):
    assert parse(template) == parts


def test_references_and_resolve():
    assert references("${a}-${b}") == ["a", "b"]
    assert resolve("x${a}y", {"a": 1}) == ["x", 1, "y"]
    with pytest.raises(KeyError, match="b"):
        resolve("${b}", {"a": 1})


def test_what_settings_know_is_part_of_the_vocabulary():
    settings = settle()
    for service in settings.services.values():
        assert known_values(settings, service).keys() < variable_names(settings, service)


def test_only_outputs_are_left_to_the_program():
    settings = settle()
    core = settings.services["core-matching"]
    assert variable_names(settings, core) - known_values(settings, core).keys() == {
        "database.address",
        "database.port",
        "database.replica_address",
        "caches.cache.endpoint",
        "caches.cache.port",
        "caches.cache.reader_endpoint",
        "caches.queue.endpoint",
        "caches.queue.port",
        "caches.queue.reader_endpoint",
    }


def test_known_values():
    settings = settle()
    assert known_values(settings, settings.services["core-matching"]) == {
        "domain": "rentfix.com",
        "environment": "prod",
        "region": "us-east-1",
        "hosts.api": "api.rentfix.com",
        "hosts.grafana": "grafana.rentfix.com",
        "hosts.prometheus": "prometheus.rentfix.com",
        "queues.matching.prefix": "{bull}",
        "database.name": "rentfix",
        "database.role": "rentfix_app",
        "database.pool_max": "20",
        "database.pool_min": "5",
        "database.pool_idle_timeout_ms": "30000",
        "services.core-matching.host": "core-matching",
        "services.core-matching.port": "4400",
        "caches.cache.cluster": "true",
        "caches.queue.cluster": "false",
        "cors.allow_origins": "https://rentfix.com,https://app.rentfix.com",
    }


def test_a_cache_that_is_not_enabled_has_its_fallbacks_mode():
    settings = settle({"caches/queue/enabled": False})
    assert known_values(settings, settings.services["worker-ai"])["caches.queue.cluster"] == "true"


def test_a_service_without_a_login_or_cors_has_fewer_names():
    worker = "services/worker-ai/"
    changes = {
        worker + "database": ABSENT,
        worker + "environment": {},
        worker + "secrets": {},
        "services/core-matching/environment/CORS_ORIGIN": ABSENT,
        "services/core-matching/checks": ABSENT,
    }
    settings = settle({"ingress/cors": None}, changes)
    service = settings.services["worker-ai"]
    names = variable_names(settings, service)
    assert "database.address" in names
    assert "database.role" not in names
    assert "cors.allow_origins" not in names
    assert "database.password" not in secret_names(settings, service)
    assert known_values(settings, service).keys() < names


def test_secret_names():
    settings = settle()
    assert secret_names(settings, settings.services["worker-ai"]) == {
        "database.password",
        "caches.cache.auth_token",
        "caches.queue.auth_token",
        "secrets.api-key",
        "secrets.sentry-dsn",
    }
