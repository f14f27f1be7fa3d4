"""Who may talk to whom follows from what the services say; nothing else is open."""

import pytest

from settings.reach import Reach, groups, reaches
from tests.settings_examples import ABSENT, settle

AWS_AND_OTHERS = {("endpoints", 443), ("s3", 443), ("internet", 443)}


def ways(settings):
    return {(reach.source, reach.target, reach.port) for reach in reaches(settings)}


def test_all_ways_of_rentalfix():
    expected = {
        ("internet", "load-balancer", 443),
        ("internet", "load-balancer", 80),
        ("load-balancer", "core-matching", 4400),
        ("collector", "core-matching", 9090),
        ("collector", "worker-ai", 9090),
        ("queue-metrics", "cache-queue", 6379),
        *((client, "database", 5432) for client in ("core-matching", "worker-ai", "operations")),
        *(
            (client, f"cache-{cache}", 6379)
            for client in ("core-matching", "worker-ai", "operations")
            for cache in ("cache", "queue")
        ),
        *(
            (client, target, port)
            for client in ("core-matching", "worker-ai", "operations", "collector", "queue-metrics")
            for target, port in AWS_AND_OTHERS
        ),
    }
    assert ways(settle()) == expected


def test_every_end_is_a_group_or_the_outside():
    settings = settle()
    known = {*groups(settings), "internet", "s3"}
    assert {end for source, target, _ in ways(settings) for end in (source, target)} == known


def test_no_way_is_listed_twice():
    listed = reaches(settle({"caches/queue/enabled": False}))
    assert len(listed) == len(set(listed))
    assert Reach("worker-ai", "cache-cache", 6379, "Cache and queues") in listed


def test_a_cache_that_is_not_made_has_no_group():
    assert "cache-queue" not in groups(settle({"caches/queue/enabled": False}))


def test_without_queues_nobody_counts_them():
    changes = {"queues": ABSENT, "services/worker-ai/scaling": [{"metric": "cpu", "target_percent": 80}]}
    changes |= {f"services/{name}/environment/BULL_PREFIX": ABSENT for name in ("core-matching", "worker-ai")}
    settings = settle(None, changes)
    assert "queue-metrics" not in groups(settings)
    assert not [way for way in ways(settings) if "queue-metrics" in way]


@pytest.mark.parametrize(("store", "target"), [("database", "database"), ("cache", "cache-cache")])
def test_a_service_reaches_only_what_it_names(store, target):
    worker = "services/worker-ai/"
    changes = {worker + "environment": {}, worker + "secrets": {}, worker + "database": ABSENT}
    settings = settle(None, {**changes, worker + "connects_to": [store]})
    stores = {target for source, target, _ in ways(settings) if source == "worker-ai"} - {
        name for name, _ in AWS_AND_OTHERS
    }
    assert stores == {target}


def on_kubernetes(**cluster):
    nodes = {"instance_types": ["m7i.large"], "min_count": 3, "max_count": 6}
    made = {"nodes": nodes, "admin_role_arns": ["arn:aws:iam::111122223333:role/admin"]}
    return settle({"compute": "kubernetes", "kubernetes": cluster or made})


def test_a_cluster_adds_only_what_it_needs_itself_and_opens_no_store():
    added = ways(on_kubernetes()) - ways(settle())
    assert ways(settle()) <= ways(on_kubernetes())
    assert added == {
        ("nodes", "core-matching", 4400),
        *((pods, "nodes", 53) for pods in ("core-matching", "worker-ai", "collector", "nodes")),
        ("nodes", "control-plane", 443),
        *(("control-plane", "nodes", port) for port in (6443, 9443, 10250, 10251)),
        ("nodes", "nodes", 10250),
        ("nodes", "nodes", 9666),
        *(("nodes", target, port) for target, port in AWS_AND_OTHERS),
    }
    assert {"nodes", "control-plane"} <= set(groups(on_kubernetes()))


def test_names_are_asked_over_both_protocols():
    asked = {reach.protocol for reach in reaches(on_kubernetes()) if reach.port == 53}
    assert asked == {"tcp", "udp"}


def test_of_a_cluster_that_exists_only_the_pods_ends_are_ours():
    settings = on_kubernetes(
        create_cluster=False, cluster_name="shared", node_security_group_id="sg-0123456789abcdef0"
    )
    assert "nodes" not in groups(settings)
    assert {way for way in ways(settings) - ways(settle()) if "nodes" not in way[:2]} == set()
    assert {reach.source for reach in reaches(settings) if reach.target == "nodes"} == {
        "core-matching",
        "worker-ai",
        "collector",
    }
