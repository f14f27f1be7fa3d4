"""What everything else stands on: keys, network, firewall, and who is told when something breaks."""

from collections.abc import Mapping
from dataclasses import dataclass

from components._subnets import Blocks
from components.admin_access import AdminAccess
from components.endpoints import Endpoints, EndpointsArgs
from components.firewall import Edge, Firewall, FirewallArgs
from components.keys import Keys, KeysArgs
from components.network import Network, NetworkArgs
from components.notifications import Notifications, NotificationsArgs
from settings.model import Settings
from settings.reach import ENDPOINTS, NODES, S3, groups, reaches
from wiring import admin_access

# Route 53 publishes the figures of its health checks in this region only.
HEALTH_CHECK_REGION = "us-east-1"

# The services that tasks in private subnets call; without an endpoint each call would cross the NAT gateway.
PRIVATE_SERVICES = (
    "ecr.api",
    "ecr.dkr",
    "logs",
    "monitoring",
    "secretsmanager",
    "ssmmessages",
)
PROMETHEUS_SERVICE = "aps-workspaces"  # only where something is scraped
# What the machines of a cluster call beside them.
KUBERNETES_SERVICES = ("ec2", "eks", "eks-auth", "elasticloadbalancing", "sts")


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
    admin_access: AdminAccess | None
    notifications: Notifications


def _blocks(settings: Settings) -> Blocks | None:
    wanted = settings.network.subnets
    if wanted is None:
        return None
    return Blocks(private=wanted.private, public=wanted.public, isolated=wanted.isolated)


def _private_services(settings: Settings) -> list[str]:
    return [
        *([PROMETHEUS_SERVICE] if settings.observability.prometheus else []),
        *PRIVATE_SERVICES,
        *(KUBERNETES_SERVICES if settings.cluster else ()),
    ]


def own_tags(settings: Settings) -> dict[str, str]:
    """What everything of the stack bears, and nothing else does."""
    return {"system": settings.name, "environment": settings.environment}


def tags_of(settings: Settings) -> dict[str, str]:
    return {**settings.tags, **own_tags(settings), "managed-by": "groundwork"}


def build(settings: Settings) -> Foundation:
    tags = tags_of(settings)
    keys = Keys(
        "keys",
        KeysArgs(
            account_id=settings.account,
            region=settings.region,
            alias_prefix=settings.name_prefix,
            classes=["data", "logs", "secrets", "storage", "messages"],
            deletion_window_days=30,
            cloudfront_reads=settings.cdn is not None and settings.cdn.enabled,
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
            subnets=_blocks(settings),
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
                Edge(
                    source=reach.source,
                    target=reach.target,
                    port=reach.port,
                    why=reach.why,
                    protocol=reach.protocol,
                )
                for reach in reaches(settings)
            ],
            prefix_lists={S3: network.s3_prefix_list_id},
            neighbours=_neighbours(settings),
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
            services=_private_services(settings),
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
            topic_names=settings.notifications.topic_names.by_severity,
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
        admin_access=admin_access.build(settings, keys, network, firewall, _blocks(settings), tags),
        notifications=notifications,
    )


def _neighbours(settings: Settings) -> dict[str, str]:
    """The machines of a cluster that is not the stack's: pods answer them, and ask them for names."""
    cluster = settings.cluster
    if cluster is None or cluster.node_security_group_id is None:
        return {}
    return {NODES: cluster.node_security_group_id}
