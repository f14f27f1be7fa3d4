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

Hsts = Annotated[
    str,
    Matching(
        r"^max-age=[1-9][0-9]*(; includeSubDomains)?(; preload)?$",
        "max-age and seconds, then perhaps ; includeSubDomains and ; preload",
        "max-age=31536000; includeSubDomains",
    ),
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


class Subnets(Model):
    """The blocks of the subnets, one for each zone in the order of `zones`."""

    private: Items[CidrBlock] = in_stack("For what runs", min_length=1)
    public: Items[CidrBlock] = in_stack("For load balancer and NAT gateways", min_length=1)
    isolated: Items[CidrBlock] = in_stack("For the data", min_length=1)


class Network(Model):
    """The VPC: public, private and isolated subnets in each zone."""

    cidr_block: CidrBlock = in_stack("Block of the VPC; adding a zone later moves nothing")
    zones: Items[Zone] = in_stack("Availability zones, by their full names")
    subnets: Subnets | None = in_stack(
        "Blocks that are laid down elsewhere; none: cut out of cidr_block, with room for eight zones",
        default=None,
    )
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
    """The web firewall before the load balancer, and before the CDN."""

    rate_limit: RateLimit = in_system("Limit per client address; what is above is answered with 429")
    max_body_bytes: Annotated[int, Field(ge=1, le=10**10 - 1)] | None = in_system(
        "Requests that announce a larger body (Content-Length) are answered with 413, before they reach a service; "
        "none: the application decides. Uploads in chunks announce nothing",
        default=None,
    )
    managed_rules: Items[ManagedRules] = in_system("Rule groups that AWS keeps")


class Cors(Model):
    """Which pages of other origins may call the API (RentalFix guide L400-410).

    The application answers for it: it gets the origins as ${cors.allow_origins}. The load balancer can name one only.
    """

    allow_origins: Items[Text] = in_stack("Origins, https:// and a host each; never *", min_length=1)


class ResponseHeaders(Model):
    """Headers that every answer gets, whatever the application says (FixRx guide L192-195)."""

    x_frame_options: Literal["DENY", "SAMEORIGIN"] = in_system(
        "Who may show a page in a frame", default="DENY"
    )
    x_content_type_options: Literal["nosniff"] = in_system(
        "Browsers must not guess content types", default="nosniff"
    )
    strict_transport_security: Hsts = in_system(
        "Browsers insist on HTTPS for so many seconds", default="max-age=31536000; includeSubDomains"
    )
    content_security_policy: Text | None = in_system(
        "What a page may load; none: the application says it", default=None
    )


class Ingress(Model):
    """The load balancer: HTTPS only, port 80 redirects."""

    tls_policy: TlsPolicy = in_system("Security policy of the listener; none with TLS 1.0 or 1.1 is accepted")
    response_headers: ResponseHeaders = in_system(
        "Security headers of every answer", default=ResponseHeaders()
    )
    http2: bool = in_system("HTTP/2 between clients and the load balancer", default=True)
    preserve_host_header: bool = in_system("Services see the host that the client asked for", default=True)
    xff_header_processing_mode: Literal["append", "preserve", "remove"] = in_system(
        "What happens to X-Forwarded-For; append: the client's address is its last entry", default="append"
    )
    idle_timeout_s: Annotated[int, Field(ge=1, le=4000)] = in_system(
        "A connection on which nothing moves is closed after so many seconds: longer than the slowest answer, and "
        "than the pause between two messages of a WebSocket (FixRx guide L212-215: 60)",
        default=60,
    )
    client_keep_alive_s: Annotated[int, Field(ge=60, le=604_800)] | None = in_system(
        "A client's connection is renewed after so many seconds; none: AWS's 3600", default=None
    )
    waf: Waf = in_system("The web firewall")
    cors: Cors | None = in_system("Cross-origin calls; none: they are refused", default=None)
    access_log_retention_days: Annotated[int, Field(ge=1)] = in_stack(
        "Access logs are kept so long in S3, in days"
    )

    @property
    def tls_versions(self) -> list[str]:
        """Those that the listener accepts, the oldest first: the policy's name says it."""
        if self.tls_policy.startswith("ELBSecurityPolicy-TLS13-1-3-"):
            return ["TLSv1.3"]
        return ["TLSv1.2", "TLSv1.3"] if "TLS13" in self.tls_policy else ["TLSv1.2"]
