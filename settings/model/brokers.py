"""Message brokers."""

from typing import Annotated, Literal

from settings.model.fields import Matching, Model, Positive, Version, in_stack, in_system

DeploymentMode = Literal["SINGLE_INSTANCE", "CLUSTER_MULTI_AZ"]

BrokerUser = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9_.-]{2,100}$",
        "2 to 100 letters, digits, hyphens, underscores and periods",
        "admin",
    ),
]
WindowStart = Annotated[
    str,
    Matching(
        r"^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$",
        "a day of the week and a time in UTC, ddd:hh:mm",
        "sun:05:00",
    ),
]


class Broker(Model):
    """RabbitMQ on Amazon MQ: private, encrypted, TLS only; a service that needs it names it in `connects_to`.

    Its variables are ${brokers.<name>.host}, .port and .username, and the secret ${brokers.<name>.password}.
    """

    engine_version: Version = in_system('Version of RabbitMQ, such as "3.13"; AWS brings the patches itself')
    username: BrokerUser = in_system(
        "The only account that is made with the broker; its password is generated and kept in Secrets Manager"
    )
    maintenance_window: WindowStart = in_system("When AWS may begin to patch it, UTC: sun:05:00")
    backlog_messages: Positive = in_system(
        "More messages than that, waiting for 15 minutes in all queues together, raise an alarm", default=1000
    )
    instance_type: str = in_stack("Type of each node, such as mq.m5.large")
    deployment_mode: DeploymentMode = in_stack(
        "CLUSTER_MULTI_AZ: three nodes in several zones; SINGLE_INSTANCE: one, which stops with its zone"
    )
