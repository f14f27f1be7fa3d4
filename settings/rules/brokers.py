"""Brokers: versions, instance types and shapes that Amazon MQ has, names and users."""

from collections.abc import Iterator

from settings.data import mq
from settings.model import Settings
from settings.problems import Problem, nearest


def version_exists(settings: Settings) -> Iterator[Problem]:
    for name, broker in settings.brokers.items():
        if broker.engine_version not in mq.CONNECTIONS_BY_VERSION:
            yield Problem(
                path=("brokers", name, "engine_version"),
                rule="must be a version of RabbitMQ that Amazon MQ has",
                got=broker.engine_version,
                remedy=f"Set it to one of {', '.join(mq.CONNECTIONS_BY_VERSION)}.",
            )


def instance_type_exists(settings: Settings) -> Iterator[Problem]:
    for name, broker in settings.brokers.items():
        path = ("brokers", name, "instance_type")
        if broker.instance_type not in mq.INSTANCE_TYPES:
            yield Problem(
                path=path,
                rule="must be an instance type of Amazon MQ for RabbitMQ (settings/data/mq.py)",
                got=broker.instance_type,
                remedy=nearest(broker.instance_type, mq.INSTANCE_TYPES),
            )
            continue
        fitting = mq.CONNECTIONS_BY_VERSION.get(broker.engine_version)
        if fitting is not None and broker.instance_type not in fitting:
            yield Problem(
                path=path,
                rule=f"must be one on which Amazon MQ runs RabbitMQ {broker.engine_version}",
                got=broker.instance_type,
                remedy=f"Set it to one of {', '.join(fitting)}.",
            )
        if broker.deployment_mode == "CLUSTER_MULTI_AZ" and broker.instance_type in mq.NOT_IN_A_CLUSTER:
            yield Problem(
                path=path,
                rule="cannot be a node of a cluster",
                got=broker.instance_type,
                remedy="Set it to mq.m7g.medium or larger, or set deployment_mode to SINGLE_INSTANCE.",
            )


def name_is_its_own(settings: Settings) -> Iterator[Problem]:
    for name in settings.brokers:
        if name in {"database", *settings.caches}:
            yield Problem(
                path=("brokers", name),
                rule="has the name of another store, and `connects_to` could not tell the two apart",
                remedy="Rename one of the two.",
            )


def user_is_not_the_guest(settings: Settings) -> Iterator[Problem]:
    for name, broker in settings.brokers.items():
        if broker.username == "guest":
            yield Problem(
                path=("brokers", name, "username"),
                rule="must not be RabbitMQ's own guest, which Amazon MQ deletes",
                got=broker.username,
                remedy="Set it to admin.",
            )


RULES = (version_exists, instance_type_exists, name_is_its_own, user_is_not_the_guest)
