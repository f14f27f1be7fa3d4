"""A VPN for administrators: an endpoint of AWS Client VPN that leads to what is named, and nowhere else.

Without it administrators use ECS Exec and Session Manager, which open no port. Two doors stand between a client and a
store: the endpoint's authorization rules, which know subnets, and the security groups, which know the store and its
port. The endpoint has no route to the internet.
"""

# Annotations stay text: evaluated, they would import AWS's modules into every program that declares none of this.
from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components._watch import Metric, Watch

# AWS Client VPN, "Rules and best practices".
LARGEST_PREFIX, SMALLEST_PREFIX = 12, 22
SESSION_HOURS = (8, 10, 12, 24)
EXPIRY_ALARM_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class MutualTls:
    """Each administrator has a certificate that this one, of a CA and in ACM, has signed."""

    root_certificate_arn: str


@dataclass(frozen=True, kw_only=True)
class SingleSignOn:
    """A SAML provider of IAM lets people in; with `group_id` only those of that group."""

    saml_provider_arn: str
    group_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdminAccessArgs:
    """`subnet_ids` by zone letter, one of each zone: where the endpoint has its network interfaces.

    `networks` by label are the blocks that clients may send to, in CIDR notation; `dns_server` is the VPC's own
    resolver, so that private names are known, and home routers that drop private answers do no harm.
    Raises ValueError on a client block that is not /12 to /22, on networks wider than /16 and on an empty list.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: Mapping[str, pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    client_cidr_block: str
    server_certificate_arn: str
    authentication: MutualTls | SingleSignOn
    networks: Mapping[str, str]
    dns_server: str
    split_tunnel: bool = True
    session_timeout_h: int = 8
    log_group_name: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError("admin access: " + "; ".join(problems))


class AdminAccess(pulumi.ComponentResource):
    """`endpoint_id` is what an administrator's configuration file is exported from."""

    endpoint_id: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: AdminAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:network:AdminAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        logs = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        endpoint = aws.ec2clientvpn.Endpoint(
            name,
            description="Administrators",
            client_cidr_block=args.client_cidr_block,
            server_certificate_arn=args.server_certificate_arn,
            authentication_options=[_authentication(args.authentication)],
            connection_log_options={"enabled": True, "cloudwatch_log_group": logs.name},
            vpc_id=args.vpc_id,
            security_group_ids=[args.security_group_id],
            split_tunnel=args.split_tunnel,
            dns_servers=[args.dns_server],
            session_timeout_hours=args.session_timeout_h,
            disconnect_on_session_timeout=True,
            tags={**args.tags, "Name": name},
            opts=child,
        )
        for letter, subnet_id in args.subnet_ids.items():
            aws.ec2clientvpn.NetworkAssociation(
                f"{name}-{letter}", client_vpn_endpoint_id=endpoint.id, subnet_id=subnet_id, opts=child
            )
        group_id = args.authentication.group_id if isinstance(args.authentication, SingleSignOn) else None
        for label, network in {**args.networks, "dns": f"{args.dns_server}/32"}.items():
            aws.ec2clientvpn.AuthorizationRule(
                f"{name}-{label}",
                client_vpn_endpoint_id=endpoint.id,
                target_network_cidr=network,
                access_group_id=group_id,
                authorize_all_groups=None if group_id else True,
                description=label,
                opts=child,
            )

        self.endpoint_id = endpoint.id
        self.watches = list(_watches(name, args, endpoint.id))
        self.register_outputs({"endpoint_id": self.endpoint_id})


def _authentication(
    authentication: MutualTls | SingleSignOn,
) -> aws.ec2clientvpn.EndpointAuthenticationOptionArgsDict:
    if isinstance(authentication, MutualTls):
        return {
            "type": "certificate-authentication",
            "root_certificate_chain_arn": authentication.root_certificate_arn,
        }
    return {"type": "federated-authentication", "saml_provider_arn": authentication.saml_provider_arn}


def _watches(name: str, args: AdminAccessArgs, endpoint_id: pulumi.Output[str]) -> Iterator[Watch]:
    yield Watch(
        name=f"{name}-refused",
        description="Sign-ins at the administrators' VPN that failed in 5 minutes, more than 10: somebody is trying",
        severity="warning",
        threshold=10,
        metrics=[
            Metric(
                id="failures",
                namespace="AWS/ClientVPN",
                metric_name="AuthenticationFailures",
                stat="Sum",
                dimensions={"Endpoint": endpoint_id},
            )
        ],
    )
    certificates = {"server": args.server_certificate_arn}
    if isinstance(args.authentication, MutualTls):
        certificates["client-root"] = args.authentication.root_certificate_arn
    for part, arn in certificates.items():
        yield Watch(
            name=f"{name}-{part}-expiry",
            description=f"Days until the {part.replace('-', ' ')} certificate of the administrators' VPN expires, "
            f"fewer than {EXPIRY_ALARM_DAYS}: nobody can sign in after that",
            severity="warning",
            threshold=EXPIRY_ALARM_DAYS,
            comparison="LessThanThreshold",
            metrics=[
                Metric(
                    id="days",
                    namespace="AWS/CertificateManager",
                    metric_name="DaysToExpiry",
                    stat="Minimum",
                    dimensions={"CertificateArn": arn},
                )
            ],
            period_s=86_400,
        )


def _problems(args: AdminAccessArgs) -> Iterator[str]:
    block = _network(args.client_cidr_block)
    if block is None:
        yield f"client_cidr_block must be an IPv4 block without host bits, got {args.client_cidr_block!r}"
    elif not LARGEST_PREFIX <= block.prefixlen <= SMALLEST_PREFIX:
        yield (
            f"client_cidr_block must be /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}, got {args.client_cidr_block}"
        )
    if not args.subnet_ids:
        yield "subnet_ids is empty; name at least one subnet"
    for label, text in args.networks.items():
        network = _network(text)
        if network is None:
            yield f"networks.{label} must be an IPv4 block without host bits, got {text!r}"
        elif network.prefixlen < 16:
            yield f"networks.{label} is wider than a VPC, got {text}; name the subnets that clients need"
        elif block is not None and network.overlaps(block):
            yield f"networks.{label} {text} overlaps client_cidr_block {args.client_cidr_block}"
    if "dns" in args.networks:
        yield "networks.dns is the resolver's own label; rename it"
    if args.session_timeout_h not in SESSION_HOURS:
        yield f"session_timeout_h must be one of {', '.join(map(str, SESSION_HOURS))}, got {args.session_timeout_h}"


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        return None
