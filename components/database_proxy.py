"""RDS Proxy: many short connections of the services share few of the database's, and outlive its failover.

TLS only. Clients log in with the passwords of the database's roles, which the proxy reads from Secrets Manager; a role
that it has no secret of cannot pass.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import _iam
from components._database_watches import BORROW_TIMEOUT_S, proxy_watches
from components._watch import Watch

MAX_IDLE_CLIENT_TIMEOUT_S = 28_800  # RDS API, CreateDBProxy: eight hours


@dataclass(frozen=True, kw_only=True)
class DatabaseProxyArgs:
    """`database_identifier` is an instance's, `cluster_identifier` a Multi-AZ DB cluster's: one of the two.

    `role_secret_arns` are the logins that may pass, each JSON with username and password, encrypted with
    `secrets_key_arn`. The proxy opens at most `max_connections_percent` of the database's `max_connections`, which
    is None where RDS derives it from the memory.
    """

    proxy_name: str
    database_identifier: pulumi.Input[str] | None = None
    cluster_identifier: pulumi.Input[str] | None = None
    role_secret_arns: Mapping[str, pulumi.Input[str]]
    secrets_key_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    account_id: pulumi.Input[str]
    region: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    max_connections: int | None = None
    max_connections_percent: int = 90
    idle_client_timeout_s: int = 1800
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if found := list(self._problems()):
            raise ValueError(f"database proxy {self.proxy_name}: " + "; ".join(found))

    def _problems(self) -> Iterator[str]:
        if not re.fullmatch(r"[a-z](-?[a-z0-9])*", self.proxy_name) or len(self.proxy_name) > 63:
            yield "proxy_name must be at most 63 lower-case letters, digits and single hyphens, a letter first"
        if (self.database_identifier is None) == (self.cluster_identifier is None):
            yield "it stands before one database: give database_identifier or cluster_identifier"
        if not self.role_secret_arns:
            yield "role_secret_arns is empty: nobody could log in; name the role of a service at least"
        if not 1 <= self.max_connections_percent <= 100:
            yield f"max_connections_percent must be 1 to 100, got {self.max_connections_percent}"
        if not 1 <= self.idle_client_timeout_s <= MAX_IDLE_CLIENT_TIMEOUT_S:
            yield (
                f"idle_client_timeout_s must be 1 to {MAX_IDLE_CLIENT_TIMEOUT_S}, got {self.idle_client_timeout_s}"
            )


class DatabaseProxy(pulumi.ComponentResource):
    """`address` is where services find the database; it answers once the target is registered."""

    name: pulumi.Output[str]
    address: pulumi.Output[str]
    watches: list[Watch]

    def __init__(
        self, name: str, args: DatabaseProxyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:data:DatabaseProxy", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": args.proxy_name}

        # Made before the proxy, which otherwise makes it itself: unencrypted and kept for ever.
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/rds/proxy/{args.proxy_name}",
            retention_in_days=args.log_retention_days,
            kms_key_id=args.log_key_arn,
            tags=tags,
            opts=child,
        )
        role = aws.iam.Role(
            name,
            description=f"Lets {args.proxy_name} read the logins of the database's roles",
            assume_role_policy=_iam.assume_role("rds.amazonaws.com", account_id=args.account_id),
            tags=tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            name, role=role.name, policy=_iam.document(*_read_statements(args)), opts=child
        )
        proxy = aws.rds.Proxy(
            name,
            name=args.proxy_name,
            engine_family="POSTGRESQL",
            require_tls=True,
            # Its debug log holds the text of statements, and so the data in them.
            debug_logging=False,
            idle_client_timeout=args.idle_client_timeout_s,
            role_arn=role.arn,
            auths=[
                {
                    "auth_scheme": "SECRETS",
                    "client_password_auth_type": "POSTGRES_SCRAM_SHA_256",
                    "iam_auth": "DISABLED",
                    "description": f"The role {database_role}",
                    "secret_arn": secret_arn,
                }
                for database_role, secret_arn in args.role_secret_arns.items()
            ],
            vpc_subnet_ids=args.subnet_ids,
            vpc_security_group_ids=[args.security_group_id],
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, log_group]),
        )
        group = aws.rds.ProxyDefaultTargetGroup(
            name,
            db_proxy_name=proxy.name,
            connection_pool_config={
                "max_connections_percent": args.max_connections_percent,
                "max_idle_connections_percent": max(1, args.max_connections_percent // 2),
                "connection_borrow_timeout": BORROW_TIMEOUT_S,
            },
            opts=child,
        )
        aws.rds.ProxyTarget(
            name,
            db_proxy_name=proxy.name,
            target_group_name=group.name,
            db_instance_identifier=args.database_identifier,
            db_cluster_identifier=args.cluster_identifier,
            opts=child,
        )

        self.name = proxy.name
        self.address = proxy.endpoint
        share = args.max_connections
        if share is not None:
            share = share * args.max_connections_percent // 100
        self.watches = proxy_watches(name, proxy.name, max_connections=share)
        self.register_outputs({"name": self.name, "address": self.address})


def _read_statements(args: DatabaseProxyArgs) -> list[_iam.Statement]:
    return [
        _iam.statement(
            "secretsmanager:GetSecretValue", list(args.role_secret_arns.values()), sid="ReadLogins"
        ),
        _iam.statement(
            "kms:Decrypt",
            args.secrets_key_arn,
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{args.region}.amazonaws.com"}},
            sid="DecryptLogins",
        ),
    ]
