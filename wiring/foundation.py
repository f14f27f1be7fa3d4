"""What everything else stands on: keys, network, firewall, and who is told when something breaks."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.endpoints import Endpoints, EndpointsArgs
from components.firewall import Edge, Firewall, FirewallArgs
from components.keys import Keys, KeysArgs
from components.network import Network, NetworkArgs
from components.notifications import Notifications, NotificationsArgs
from settings.model import Settings
from settings.reach import ENDPOINTS, S3, groups, reaches

# Route 53 publishes the figures of its health checks in this region only.
HEALTH_CHECK_REGION = "us-east-1"

# The services that tasks in private subnets call; without an endpoint each call would cross the NAT gateway.
PRIVATE_SERVICES = (
    "aps-workspaces",
    "ecr.api",
    "ecr.dkr",
    "logs",
    "monitoring",
    "secretsmanager",
    "ssmmessages",
)


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """`tags` are for everything; `path` ("rentalfix/prod") begins the names that people type.

    `namespace_name` ("prod.rentalfix.internal") is the private zone in which the services find each other.
    """

    tags: Mapping[str, str]
    path: str
    namespace_name: str
    keys: Keys
    network: Network
    firewall: Firewall
    endpoints: Endpoints
    notifications: Notifications


def build(settings: Settings) -> Foundation:
    tags = {
        **settings.tags,
        "system": settings.name,
        "environment": settings.environment,
        "managed-by": "groundwork",
    }
    keys = Keys(
        "keys",
        KeysArgs(
            account_id=settings.account,
            region=settings.region,
            alias_prefix=settings.name_prefix,
            classes=["data", "logs", "secrets", "storage", "messages"],
            deletion_window_days=30,
            protect=settings.protect,
            tags=tags,
        ),
    )
    network = Network(
        "network",
        NetworkArgs(
            cidr_block=settings.network.cidr_block,
            zones=settings.network.zones,
            region=settings.region,
            nat_gateways=settings.network.nat_gateways,
            flow_log_retention_days=settings.network.flow_log_retention_days,
            log_key_arn=keys.arns["logs"],
            tags=tags,
        ),
    )
    firewall = Firewall(
        "firewall",
        FirewallArgs(
            vpc_id=network.vpc_id,
            groups=groups(settings),
            edges=[
                Edge(source=reach.source, target=reach.target, port=reach.port, why=reach.why)
                for reach in reaches(settings)
            ],
            prefix_lists={S3: network.s3_prefix_list_id},
            tags=tags,
        ),
    )
    endpoints = Endpoints(
        "endpoints",
        EndpointsArgs(
            vpc_id=network.vpc_id,
            subnet_ids=network.private_subnet_ids,
            security_group_id=firewall.group_ids[ENDPOINTS],
            region=settings.region,
            services=PRIVATE_SERVICES,
            tags=tags,
        ),
    )
    notifications = Notifications(
        "notifications",
        NotificationsArgs(
            emails={
                "critical": settings.notifications.critical,
                "warning": settings.notifications.warning,
            },
            regions=list(dict.fromkeys([settings.region, HEALTH_CHECK_REGION])),
            kms_key_arn=keys.arns["messages"],
            account_id=settings.account,
            tags=tags,
        ),
    )
    return Foundation(
        tags=tags,
        path=f"{settings.name}/{settings.environment}",
        namespace_name=f"{settings.environment}.{settings.name}.internal",
        keys=keys,
        network=network,
        firewall=firewall,
        endpoints=endpoints,
        notifications=notifications,
    )
