"""Brokers in the settings: what Amazon MQ has, who reaches them, what variables may name."""

import pytest

from settings.data import mq
from settings.reach import Reach, groups, reaches
from settings.references import secret_names, variable_names
from tests.settings_examples import refusal, settle

SYSTEM_FILE = "systems/rentalfix/system.yaml"
PRODUCT = {"engine_version": "3.13", "username": "admin", "maintenance_window": "sun:05:00"}
SHAPE = {"instance_type": "mq.m5.large", "deployment_mode": "CLUSTER_MULTI_AZ"}
USES_IT = {
    "services/worker-ai/connects_to": ["database", "cache", "queue", "events"],
    "services/worker-ai/environment/RABBITMQ_HOST": "${brokers.events.host}",
    "services/worker-ai/environment/RABBITMQ_PORT": "${brokers.events.port}",
    "services/worker-ai/environment/RABBITMQ_USER": "${brokers.events.username}",
    "services/worker-ai/secrets/RABBITMQ_PASSWORD": "${brokers.events.password}",
}


def system(**changes):
    return {"brokers": {"events": {**PRODUCT, **changes}}}


def stack(**changes):
    return {"brokers": {"events": {**SHAPE, **changes}}}


def test_the_stack_file_says_how_large_and_the_system_file_what():
    broker = settle(stack(), system()).brokers["events"]
    assert (broker.engine_version, broker.instance_type, broker.backlog_messages) == (
        "3.13",
        "mq.m5.large",
        1000,
    )


def test_without_brokers_nobody_need_write_the_block():
    assert settle().brokers == {}


def test_a_service_that_names_it_reaches_it_and_nobody_else_does():
    settings = settle(stack(), {**system(), **USES_IT})
    assert "broker-events" in groups(settings)
    assert [reach for reach in reaches(settings) if reach.target == "broker-events"] == [
        Reach("worker-ai", "broker-events", 5671, "Publishes and takes messages"),
        Reach("operations", "broker-events", 443, "The console of the broker"),
    ]


def test_what_variables_may_name():
    settings = settle(stack(), system())
    service = settings.services["worker-ai"]
    assert {name for name in variable_names(settings, service) if name.startswith("brokers.")} == {
        "brokers.events.host",
        "brokers.events.port",
        "brokers.events.username",
    }
    assert "brokers.events.password" in secret_names(settings, service)


def test_its_password_may_stand_in_a_url_and_the_service_must_say_that_it_connects():
    url = "amqps://${brokers.events.username}:${brokers.events.password}@${brokers.events.host}:${brokers.events.port}"
    changes = {
        **system(),
        "secrets/amqp-url": {"url": url},
        "services/worker-ai/secrets/RABBITMQ_URL": "${secrets.amqp-url}",
    }
    assert refusal(stack(), changes) == (
        f"{SYSTEM_FILE}: services.worker-ai.connects_to: lacks events, to which RABBITMQ_URL refers. "
        "Add it, or the firewall stays closed.",
    )
    connected = {**changes, "services/worker-ai/connects_to": ["database", "cache", "queue", "events"]}
    assert settle(stack(), connected).secrets["amqp-url"].url == url


@pytest.mark.parametrize(
    ("in_stack", "in_system", "line"),
    [
        (
            {},
            {"engine_version": "3.12"},
            f"{SYSTEM_FILE}: brokers.events.engine_version: must be a version of RabbitMQ that Amazon MQ has, "
            "got 3.12. Set it to one of 3.13, 4.2.",
        ),
        (
            {"instance_type": "mq.m5.lage"},
            {},
            "Pulumi.prod.yaml: groundwork:brokers.events.instance_type: must be an instance type of Amazon MQ for "
            "RabbitMQ (settings/data/mq.py), got mq.m5.lage. Did you mean mq.m5.large?",
        ),
        (
            {},
            {"engine_version": "4.2"},
            "Pulumi.prod.yaml: groundwork:brokers.events.instance_type: must be one on which Amazon MQ runs RabbitMQ "
            f"4.2, got mq.m5.large. Set it to one of {', '.join(mq.CONNECTIONS_BY_VERSION['4.2'])}.",
        ),
        (
            {"instance_type": "mq.t3.micro"},
            {},
            "Pulumi.prod.yaml: groundwork:brokers.events.instance_type: cannot be a node of a cluster, got "
            "mq.t3.micro. Set it to mq.m7g.medium or larger, or set deployment_mode to SINGLE_INSTANCE.",
        ),
        (
            {},
            {"username": "guest"},
            f"{SYSTEM_FILE}: brokers.events.username: must not be RabbitMQ's own guest, which Amazon MQ deletes, got "
            "guest. Set it to admin.",
        ),
        (
            {},
            {"maintenance_window": "sun:05:00-sun:06:00"},
            f"{SYSTEM_FILE}: brokers.events.maintenance_window: must be a day of the week and a time in UTC, "
            "ddd:hh:mm, got sun:05:00-sun:06:00. Write it like sun:05:00.",
        ),
    ],
)
def test_refusals(in_stack, in_system, line):
    assert refusal(stack(**in_stack), system(**in_system)) == (line,)


def test_a_broker_has_a_name_of_its_own():
    assert refusal({"brokers": {"cache": SHAPE}}, {"brokers": {"cache": PRODUCT}}) == (
        f"{SYSTEM_FILE}: brokers.cache: has the name of another store, and `connects_to` could not tell the two apart. "
        "Rename one of the two.",
    )


def test_a_service_may_not_have_the_name_of_a_broker():
    lines = refusal({"brokers": {"worker-ai": SHAPE}}, {"brokers": {"worker-ai": PRODUCT}})
    assert [line for line in lines if "services.worker-ai: has the name of a store" in line]


def test_a_stack_file_names_no_broker_of_its_own():
    lines = refusal({"brokers": {"event": SHAPE}}, system())
    assert lines[0].startswith(
        f"Pulumi.prod.yaml: groundwork:brokers.event: is not in `brokers` of {SYSTEM_FILE}. Did you mean events?"
    )


def test_a_cluster_takes_the_connections_of_its_three_nodes():
    assert mq.connections_at_most("3.13", "mq.m5.large", cluster=False) == 5000
    assert mq.connections_at_most("3.13", "mq.m5.large", cluster=True) == 15_000
    assert mq.connections_at_most("4.2", "mq.m7g.large", cluster=True) == 4500
    assert set(mq.CONNECTIONS_BY_VERSION["4.2"]) < set(mq.INSTANCE_TYPES)


@pytest.mark.parametrize(
    ("shape", "warned"),
    [({}, False), ({"deployment_mode": "SINGLE_INSTANCE", "instance_type": "mq.m7g.large"}, True)],
)
def test_production_with_one_node_is_doubted(shape, warned):
    found = settle(stack(**shape), system()).warnings
    line = (
        "Pulumi.prod.yaml: groundwork:brokers.events.deployment_mode: the failure of a zone, or a patch, would stop "
        "the broker, got SINGLE_INSTANCE. Set it to CLUSTER_MULTI_AZ."
    )
    assert (line in found) is warned


def test_a_type_that_aws_may_no_longer_give_is_doubted():
    found = settle(stack(instance_type="mq.t3.micro", deployment_mode="SINGLE_INSTANCE"), system()).warnings
    assert any("groundwork:brokers.events.instance_type: is refused by Amazon MQ" in line for line in found)
