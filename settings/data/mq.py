"""Amazon MQ for RabbitMQ: versions, the instance types of each, and the connections that a node takes.

Amazon MQ developer guide: "Supported instance types", "Maximum resource limits" for RabbitMQ 3, whose limits nobody can
change, "Default resource limits" for RabbitMQ 4 (read 2026-11-25). RabbitMQ 4 runs on m7g only.
"""

CONNECTIONS_BY_VERSION: dict[str, dict[str, int]] = {
    "3.13": {
        "mq.t3.micro": 500,
        "mq.m5.large": 5_000,
        "mq.m5.xlarge": 10_000,
        "mq.m5.2xlarge": 20_000,
        "mq.m5.4xlarge": 40_000,
        "mq.m7g.medium": 300,
        "mq.m7g.large": 5_000,
        "mq.m7g.xlarge": 10_000,
        "mq.m7g.2xlarge": 20_000,
        "mq.m7g.4xlarge": 40_000,
        "mq.m7g.8xlarge": 80_000,
        "mq.m7g.12xlarge": 120_000,
        "mq.m7g.16xlarge": 160_000,
    },
    "4.2": {
        "mq.m7g.medium": 100,
        "mq.m7g.large": 1_500,
        "mq.m7g.xlarge": 3_000,
        "mq.m7g.2xlarge": 6_000,
        "mq.m7g.4xlarge": 12_000,
        "mq.m7g.8xlarge": 24_000,
        "mq.m7g.12xlarge": 36_000,
        "mq.m7g.16xlarge": 48_000,
    },
}

INSTANCE_TYPES: tuple[str, ...] = tuple(CONNECTIONS_BY_VERSION["3.13"])
NOT_IN_A_CLUSTER = ("mq.t3.micro",)
NODES_OF_CLUSTER = 3


def connections_at_most(engine_version: str, instance_type: str, *, cluster: bool) -> int:
    """What the whole broker takes: the clients of a cluster are spread over its nodes."""
    return CONNECTIONS_BY_VERSION[engine_version][instance_type] * (NODES_OF_CLUSTER if cluster else 1)
