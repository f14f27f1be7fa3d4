"""Services that call each other, share an image or call out; secrets that are URLs; subnets that are laid down."""

from typing import Any

import pytest

from settings import references
from tests.settings_examples import refusal, settle

SYSTEM = "systems/rentalfix/system.yaml"
API = "services/core-matching"
WORKER = "services/worker-ai"
URL = "postgresql://rentfix_app:${database.passwords.rentfix_app}@${database.address}:${database.port}/x"
SMALL: dict[str, Any] = {"user": "1000", "health": {"command": ["true"]}, "cpu": 256, "memory_mib": 512}
SMALL |= {"desired_count": 1, "min_count": 1, "max_count": 1}
CACHE_URL = "rediss://:${caches.cache.auth_token}@${caches.cache.endpoint}:${caches.cache.port}"


def case(line: str, stack: dict[str, Any] | None = None, system: dict[str, Any] | None = None) -> Any:
    return pytest.param(stack, system, line, id=line.split(": ")[1].removeprefix("groundwork:"))


@pytest.mark.parametrize(
    ("stack", "system", "line"),
    [
        case(
            f"{SYSTEM}: services.worker-ai.connects_to[3]: must be database, or a cache, broker or other "
            f"service with a "
            "port, by its name, got worker-ai. Known: cache, core-matching, database, queue.",
            system={f"{WORKER}/connects_to": ["database", "cache", "queue", "worker-ai"]},
        ),
        case(
            f"{SYSTEM}: services.worker-ai.connects_to: lacks core-matching, to which API_HOST refers. Add it, "
            f"or the "
            "firewall stays closed.",
            system={f"{WORKER}/environment/API_HOST": "${services.core-matching.host}"},
        ),
        case(
            f"{SYSTEM}: services.worker-ai.image_of: must be a service with an image of its own, got "
            f"core-match. Did you "
            "mean core-matching?",
            system={f"{WORKER}/image_of": "core-match"},
        ),
        case(
            f"{SYSTEM}: services.worker-ai.command: lets the heap grow to the task's whole memory of 2048 MiB, "
            f"and then "
            "it is killed, got --max-old-space-size=4096. Leave a quarter of memory_mib to the rest of the process.",
            system={f"{WORKER}/command": ["node", "--max-old-space-size=4096", "main.js"]},
        ),
        case(
            f"{SYSTEM}: services.worker-ai.environment.NODE_OPTIONS: lets the heap grow to the task's whole "
            f"memory of "
            "2048 MiB, and then it is killed, got --max_old_space_size=2048. Leave a quarter of memory_mib to "
            "the rest "
            "of the process.",
            system={f"{WORKER}/environment/NODE_OPTIONS": "--max_old_space_size=2048"},
        ),
        case(
            "Pulumi.prod.yaml: groundwork:services.worker-ai.memory_reservation_mib: must not be above "
            "memory_mib 2048, "
            "got 4096. Lower it, or raise memory_mib.",
            stack={f"{WORKER}/memory_reservation_mib": 4096},
        ),
        case(
            f"{SYSTEM}: services.worker-ai.outbound[0].port: must be at most 65535, got 70000. Set it to 65535 "
            f"or less.",
            system={f"{WORKER}/outbound": [{"port": 70000, "why": "Mail"}]},
        ),
        case(
            f"{SYSTEM}: secrets.api-key: must say one of generate, external and url. generate: {{length: 64}} "
            f"makes one; "
            "external: says in words what the operator puts in; url: puts one together.",
            system={"secrets/api-key/url": URL},
        ),
        case(
            f"{SYSTEM}: secrets.api-key.url: refers to database.passwords.rentfix_ap, which does not exist. Did "
            f"you mean "
            "database.passwords.rentfix_app?",
            system={"secrets/api-key": {"url": URL.replace("rentfix_app}", "rentfix_ap}") + CACHE_URL}},
        ),
        case(
            f"{SYSTEM}: secrets.api-key.url: holds nothing that is secret. Write it as a plain variable in the "
            f"service's "
            "`environment`.",
            system={"secrets/api-key": {"url": "https://${hosts.api}/"}},
        ),
        case(
            f"{SYSTEM}: secrets.api-key.url: has a password written into it. Refer to it, such as "
            "${database.passwords.app}; values never stand in a file.",
            system={"secrets/api-key": {"url": f"amqps://me:hunter2@mq.example.com/{CACHE_URL}"}},
        ),
        case(
            "Pulumi.prod.yaml: groundwork:names.load_balancer: makes a name of 33 characters, and 32 are possible "
            f"(Elastic Load Balancing takes no more), got {'a' * 33}. Shorten it by 1.",
            stack={"names": {"load_balancer": "a" * 33}},
        ),
        case(
            "Pulumi.prod.yaml: groundwork:services.core-matching.names.target_group: makes a name of 33 "
            "characters, and "
            f"32 are possible (Elastic Load Balancing takes no more), got {'t' * 33}. Shorten it by 1.",
            stack={f"{API}/names": {"target_group": "t" * 33}},
        ),
        case(
            "Pulumi.prod.yaml: groundwork:caches.cache.replication_group_id: makes a name of 41 characters, and "
            "40 are "
            f"possible (ElastiCache takes no more), got {'c' * 41}. Shorten it by 1.",
            stack={"caches/cache/replication_group_id": "c" * 41},
        ),
    ],
)
def test_refusals(stack, system, line):
    assert line in refusal(stack, system)


def test_a_service_with_a_stores_name_is_refused():
    assert (
        f"{SYSTEM}: services.queue: has the name of a store, and `connects_to` could not tell the two apart. "
        f"Rename one "
        "of the two."
    ) in refusal(system={"services/queue": SMALL})


def test_a_service_with_a_groups_name_is_refused():
    assert (
        f"{SYSTEM}: services.operations: has the name of a security group that every stack may have. Choose another "
        "name; taken are load-balancer, endpoints, operations, collector, queue-metrics, vpn, database-proxy, "
        "internet, "
        "s3, nodes, control-plane."
    ) in refusal(system={"services/operations": SMALL})


def test_a_service_names_another_by_host_and_port():
    settings = settle(
        system={
            f"{WORKER}/connects_to": ["database", "cache", "queue", "core-matching"],
            f"{WORKER}/environment/API": "${services.core-matching.host}:${services.core-matching.port}",
        }
    )
    known = references.known_values(settings, settings.services["worker-ai"])
    assert (known["services.core-matching.host"], known["services.core-matching.port"]) == (
        "core-matching",
        "4400",
    )
    assert settings.port_of("worker-ai") is None, "its only port is for its metrics"


def test_metrics_may_be_answered_on_the_port_of_requests():
    settings = settle(system={f"{API}/ports": {"http": 4400, "metrics": 4400}})
    assert settings.port_of("core-matching") == ("http", 4400)


def test_a_login_may_come_from_a_url_that_holds_the_password():
    secrets = {"secrets/db": {"url": URL}, f"{API}/secrets": {"DATABASE_URL": "${secrets.db}"}}
    assert settle(system=secrets).secrets["db"].url == URL
    other = {**secrets, f"{API}/database/role": "rentfix_worker"}
    assert any("does not hold ${database.password}" in line for line in refusal(system=other))


def test_a_url_leads_to_the_stores_that_it_names():
    settings = settle(system={"secrets/both": {"url": URL + CACHE_URL}})
    assert references.stores_behind(settings, "${secrets.both}") == {"database", "cache"}
    assert references.stores_behind(settings, "${secrets.api-key}") == set()


SUBNETS = {
    "private": ["10.20.1.0/24", "10.20.2.0/24", "10.20.3.0/24"],
    "public": ["10.20.101.0/24", "10.20.102.0/24", "10.20.103.0/24"],
    "isolated": ["10.20.201.0/24", "10.20.202.0/24", "10.20.203.0/24"],
}


def test_subnets_may_be_laid_down():
    subnets = settle({"network/subnets": SUBNETS}).network.subnets
    assert subnets is not None
    assert subnets.private[0] == "10.20.1.0/24"


@pytest.mark.parametrize(
    ("tier", "blocks", "rule"),
    [
        ("private", SUBNETS["private"][:2], "private: must have one block for each of the 3 zones, got 2."),
        (
            "public",
            ["10.21.0.0/24", *SUBNETS["public"][1:]],
            "public[0]: must lie in network.cidr_block 10.20.0.0/16, got 10.21.0.0/24.",
        ),
        (
            "public",
            ["10.20.101.0/28", *SUBNETS["public"][1:]],
            "public[0]: must be /27 or larger, got 10.20.101.0/28.",
        ),
        (
            "isolated",
            ["10.20.1.0/25", *SUBNETS["isolated"][1:]],
            "isolated[0]: overlaps 10.20.1.0/24, another subnet's, got 10.20.1.0/25.",
        ),
    ],
)
def test_subnets_that_do_not_fit_are_refused(tier, blocks, rule):
    (line,) = refusal({"network/subnets": {**SUBNETS, tier: blocks}})
    assert line.startswith(f"Pulumi.prod.yaml: groundwork:network.subnets.{rule}")
