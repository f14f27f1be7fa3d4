"""Where the stack meets the network: domain, VPC, load balancer, firewall."""

from typing import Annotated, Literal

from pydantic import Field

from settings.model.fields import (
    CidrBlock,
    Count,
    DomainName,
    Items,
    Matching,
    Model,
    OneOf,
    Positive,
    RetentionDays,
    Text,
    Zone,
    in_stack,
    in_system,
)

# Policies of Elastic Load Balancing without TLS 1.0 and 1.1 ("Security policies for your Application Load
# Balancer", read 2026-11-22; RentalFix guide L435: TLSv1.2 and TLSv1.3).
TlsPolicy = Literal[
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
    "ELBSecurityPolicy-FS-1-2-Res-2020-10",
]
ManagedRules = Literal[
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesAdminProtectionRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesLinuxRuleSet",
    "AWSManagedRulesUnixRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesAnonymousIpList",
]


class Domain(Model):
    """The stack's domain, and the zone that its records go into. Either `hosted_zone_id` or `create_hosted_zone`."""

    name: DomainName = in_stack("The stack's domain; hosts are labels before it")
    hosted_zone_id: (
        Annotated[
            str,
            Matching(r"^Z[A-Z0-9]{1,31}$", "the id of a hosted zone of Route 53", "Z0123456789ABCDEFGHIJ"),
        ]
        | None
    ) = in_stack("Id of the public zone that exists already", default=None)
    create_hosted_zone: bool = in_stack(
        "Make the zone; its name servers must then be set at the registrar", default=False
    )


class Network(Model):
    """The VPC: public, private and isolated subnets in each zone."""

    cidr_block: CidrBlock = in_stack("Block of the VPC; adding a zone later moves nothing")
    zones: Items[Zone] = in_stack("Availability zones, by their full names")
    nat_gateways: Literal["per_zone", "single", "none"] = in_stack(
        "per_zone: a zone's failure stays there; single: cheaper; none: private subnets reach AWS only"
    )
    flow_log_retention_days: RetentionDays = in_stack("Flow logs are kept so long, in days")
    reserved_cidr_blocks: Items[CidrBlock] = in_stack(
        "Blocks in use elsewhere (offices, other stacks) that this VPC must not overlap", default=()
    )


class RateLimit(Model):
    """Requests that one address may send (RentalFix guide L446-449). WAF blocks above requests + burst per window."""

    requests: Positive = in_system("Requests per window")
    window_s: Annotated[int, OneOf((60, 120, 300, 600))] = in_system(
        "The window, in seconds (WAF: 60, 120, 300 or 600)"
    )
    burst: Count = in_system("Requests beyond that are let through once")


class Waf(Model):
    """The web firewall before the load balancer."""

    rate_limit: RateLimit = in_system("Limit per client address")
    managed_rules: Items[ManagedRules] = in_system("Rule groups that AWS keeps")


class Cors(Model):
    """Which pages of other origins may call the API (RentalFix guide L400-410).

    The application answers for it: it gets the origins as ${cors.allow_origins}. The load balancer can name one only.
    """

    allow_origins: Items[Text] = in_stack("Origins, https:// and a host each; never *", min_length=1)


class Ingress(Model):
    """The load balancer: HTTPS only, port 80 redirects."""

    tls_policy: TlsPolicy = in_system("Security policy of the listener; none with TLS 1.0 or 1.1 is accepted")
    waf: Waf = in_system("The web firewall")
    cors: Cors | None = in_system("Cross-origin calls; none: they are refused", default=None)
    access_log_retention_days: Annotated[int, Field(ge=1)] = in_stack(
        "Access logs are kept so long in S3, in days"
    )
