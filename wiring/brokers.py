"""Message brokers, and the secrets that open them."""

from components.broker import Broker, BrokerArgs
from components.secret import Generate, Secret, SecretArgs
from settings.data import mq
from settings.model import Settings
from settings.reach import broker_group
from wiring.foundation import Foundation

# Its characters are letters, digits and -_.~: Amazon MQ takes no comma, colon and equals sign.
PASSWORD_LENGTH = 48


def logins(settings: Settings, base: Foundation) -> dict[str, Secret]:
    """JSON with `username` and `password`, by broker: the first value. Later ones the task `broker-logins` puts in."""
    return {
        name: Secret(
            f"broker-{name}-login",
            SecretArgs(
                name_prefix=f"{base.path}/broker/{name}-",
                kms_key_arn=base.keys.arns["secrets"],
                description=f"Login of the broker {name}",
                generate=Generate(length=PASSWORD_LENGTH),
                username=broker.username,
                # RabbitMQ would not know another value of Pulumi's.
                rotated_elsewhere=True,
                tags=base.tags,
            ),
        )
        for name, broker in settings.brokers.items()
    }


def build(settings: Settings, base: Foundation, secrets: dict[str, Secret]) -> dict[str, Broker]:
    return {name: _broker(settings, base, name, secrets[name]) for name in settings.brokers}


def _broker(settings: Settings, base: Foundation, name: str, login: Secret) -> Broker:
    wanted = settings.brokers[name]
    if login.value is None:
        raise ValueError(f"the login of the broker {name} must be generated: Amazon MQ wants it at once")
    return Broker(
        f"broker-{name}",
        BrokerArgs(
            engine_version=wanted.engine_version,
            instance_type=wanted.instance_type,
            deployment_mode=wanted.deployment_mode,
            username=wanted.username,
            password=login.value,
            subnet_ids=base.network.isolated_subnet_ids,
            security_group_id=base.firewall.group_ids[broker_group(name)],
            data_key_arn=base.keys.arns["data"],
            maintenance_window=wanted.maintenance_window,
            log_retention_days=settings.observability.log_retention_days,
            account_id=settings.account,
            region=settings.region,
            connections_at_most=mq.connections_at_most(
                wanted.engine_version,
                wanted.instance_type,
                cluster=wanted.deployment_mode == "CLUSTER_MULTI_AZ",
            ),
            backlog_messages=wanted.backlog_messages,
            protect=settings.protect,
            tags=base.tags,
        ),
    )
