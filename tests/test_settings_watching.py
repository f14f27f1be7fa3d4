"""Alerts, objectives, dashboards and scaling in the settings: all may be left out, and what contradicts is refused."""

import pytest

from settings.model.watching import Alerts, Slo
from tests.settings_examples import ABSENT, refusal, settle

SYSTEM = "systems/rentalfix/system.yaml: "
WITHOUT_PROMETHEUS = {
    "observability/prometheus": ABSENT,
    "observability/business_metric": ABSENT,
    "observability/grafana": ABSENT,
}


def test_a_product_without_prometheus_and_grafana():
    stack = {"observability": {"log_retention_days": 30}}
    settings = settle(stack, WITHOUT_PROMETHEUS)
    assert settings.observability.prometheus is None
    assert settings.observability.grafana is None
    assert settings.scraped == {}
    assert set(settings.hosts) == {"api"}


def test_what_is_scraped_follows_the_metrics_ports():
    assert settle().scraped == {"core-matching": 9090, "worker-ai": 9090}


@pytest.mark.parametrize("block", ["alerts", "slo", "log_fields"])
def test_a_block_may_be_left_out(block):
    without = {f"observability/{block}": ABSENT}
    if block == "log_fields":
        for other in ("alerts", "slo"):
            without[f"observability/{other}/database_query_p95_s"] = ABSENT
    settings = settle(system=without)
    left = {"alerts": Alerts(), "slo": Slo(), "log_fields": None}
    assert getattr(settings.observability, block) == left[block]


@pytest.mark.parametrize("block", ["alerts", "slo"])
@pytest.mark.parametrize("key", ["database_query_p95_s", "cache_hit_ratio"])
def test_a_single_figure_may_be_left_out(block, key):
    settings = settle(system={f"observability/{block}/{key}": ABSENT})
    assert getattr(getattr(settings.observability, block), key) is None


@pytest.mark.parametrize(
    ("stack", "system", "sentence"),
    [
        (
            {},
            {"observability/log_fields": ABSENT},
            "observability.alerts.database_query_p95_s: needs observability.log_fields.query_duration_ms, and there is "
            "none to measure it by, got 1.0. Remove it, or add that.",
        ),
        (
            {},
            {"caches/cache/parameters": {"maxmemory-policy": "noeviction"}},
            "observability.slo.cache_hit_ratio: needs a cache that evicts keys, and there is none to measure it by, "
            "got 0.8. Remove it, or add that.",
        ),
        (
            {},
            {"observability/prometheus/group": ABSENT},
            "observability.prometheus.group: is missing, and the rules stand in it. Name it, such as core-matching.",
        ),
        (
            {"observability": {"log_retention_days": 30}},
            {**WITHOUT_PROMETHEUS, "observability/business_metric": "contractors_available"},
            "observability.business_metric: names a metric of Prometheus, and there is none, got "
            "contractors_available. Remove it, or add observability.prometheus.",
        ),
        (
            {},
            {"observability/prometheus": ABSENT, "observability/business_metric": ABSENT},
            "observability.grafana.redirects.prometheus: would lead to Prometheus, and there is none, got prometheus. "
            "Remove it, or add observability.prometheus.",
        ),
        (
            {},
            {"observability/prometheus/rules/1/alert": "HighErrorRate"},
            "observability.prometheus.rules[1].alert: must be the name of one rule, got HighErrorRate. "
            "Choose another name.",
        ),
        (
            {},
            {"observability/dashboard": {"sections": ["Error Rate", "Error Rate"]}},
            "observability.dashboard.sections[1]: must not stand twice, got Error Rate. Remove one of the two.",
        ),
    ],
)
def test_what_is_refused(stack, system, sentence):
    assert SYSTEM + sentence in refusal(stack, system)


def scaling(*rules):
    return {"services/worker-ai/scaling": list(rules)}


QUEUE = {"metric": "queue", "queue": "matching", "add_above": 100, "remove_below": 10}
WAIT = {"metric": "queue_wait", "queue": "matching", "above_s": 60, "add_tasks": 1}


def test_scaling_on_the_wait_of_a_queue_and_on_several_queues():
    mail = {"queues/mail": {"cache": "queue", "prefix": "{bull}"}}
    other = {**QUEUE, "queue": "mail", "name": "mail"}
    rules = settle(system={**mail, **scaling(QUEUE, other, WAIT)}).services["worker-ai"].scaling
    assert [(rule.metric, rule.name) for rule in rules] == [
        ("queue", None),
        ("queue", "mail"),
        ("queue_wait", None),
    ]


def test_scaling_on_average_latency():
    rule = {"metric": "latency_average", "above_s": 0.5, "add_tasks": 1, "name": "api-latency"}
    (found,) = settle(system={"services/core-matching/scaling": [rule]}).services["core-matching"].scaling
    assert (found.metric, found.name) == ("latency_average", "api-latency")


@pytest.mark.parametrize(
    ("system", "sentence"),
    [
        (
            scaling(QUEUE, QUEUE),
            "services.worker-ai.scaling[1].name: must differ from that of the other rule on queue, or the two cannot "
            "be told apart, got null. Give each rule on a queue a name of its own.",
        ),
        (
            scaling({**QUEUE, "name": "x"}, {**WAIT, "name": "x"}),
            "services.worker-ai.scaling[1].name: must be the name of one rule, got x. Choose another name.",
        ),
        (
            scaling({**WAIT, "queue": "matchin"}),
            "services.worker-ai.scaling[0].queue: must be a queue of `queues`, got matchin. Did you mean matching?",
        ),
        (
            scaling({"metric": "latency_average", "above_s": 1, "add_tasks": 1}),
            "services.worker-ai.scaling[0].metric: needs a public service, because the load balancer measures it, got "
            "latency_average. Use cpu, memory, queue or queue_wait.",
        ),
        (
            scaling(
                {"metric": "cpu", "target_percent": 70}, {"metric": "cpu", "target_percent": 80, "name": "x"}
            ),
            "services.worker-ai.scaling[1].metric: must not stand twice, got cpu. Remove one of the two.",
        ),
    ],
)
def test_scaling_that_is_refused(system, sentence):
    assert SYSTEM + sentence in refusal(system=system)
