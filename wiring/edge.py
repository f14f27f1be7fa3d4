"""The way in: DNS zone, certificate, load balancer and the web firewall before it."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.bucket import Bucket, BucketArgs
from components.certificate import Certificate, CertificateArgs
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.web_acl import RateLimit, WebAcl, WebAclArgs
from settings.model import Settings
from settings.reach import LOAD_BALANCER
from wiring.foundation import Foundation
from wiring.metrics import Metrics

ACCESS_LOGS = "access-logs"
# It would refuse every body above 8 kB (WAF guide, "Baseline rule groups"); nginx's own limit is 1 MB.
COUNTED_RULES = {"AWSManagedRulesCommonRuleSet": ["SizeRestrictions_BODY"]}


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`zone` only where the stack makes its own; `zone_id` always."""

    zone: aws.route53.Zone | None
    zone_id: pulumi.Input[str]
    certificate: Certificate
    load_balancer: LoadBalancer
    web_acl: WebAcl
    log_bucket: Bucket


def build(settings: Settings, base: Foundation, metrics: Metrics) -> Edge:
    domain = settings.domain
    redirects = _redirects(settings, metrics)
    # The certificate is replaced when its first name changes, so the order must not depend on what is added later.
    hosts = list(settings.hosts.values())
    zone = None
    zone_id: pulumi.Input[str] = domain.hosted_zone_id or ""
    if domain.create_hosted_zone:
        zone = aws.route53.Zone("zone", name=domain.name, comment=settings.description, tags=base.tags)
        zone_id = zone.zone_id

    certificate = Certificate(
        "certificate",
        CertificateArgs(
            domain_name=hosts[0],
            subject_alternative_names=hosts[1:],
            zone_id=zone_id,
            tags=base.tags,
        ),
    )
    log_bucket = Bucket(
        ACCESS_LOGS,
        BucketArgs(
            kms_key_arn=None,
            expire_days={"": settings.ingress.access_log_retention_days},
            log_delivery="load_balancer",
            account_id=settings.account,
            protect=settings.protect,
            tags=base.tags,
        ),
    )
    load_balancer = LoadBalancer(
        "ingress",
        LoadBalancerArgs(
            subnet_ids=base.network.public_subnet_ids,
            security_group_id=base.firewall.group_ids[LOAD_BALANCER],
            certificate_arn=certificate.arn,
            tls_policy=settings.ingress.tls_policy,
            access_log_bucket=log_bucket.name,
            access_log_prefix="ingress",
            hosts=[host for host in hosts if host not in redirects],
            redirects=redirects,
            zone_id=zone_id,
            protect=settings.protect,
            tags=base.tags,
        ),
    )
    limit = settings.ingress.waf.rate_limit
    web_acl = WebAcl(
        "waf",
        WebAclArgs(
            resource_arn=load_balancer.arn,
            rate_limit=RateLimit(requests=limit.requests, window_s=limit.window_s, burst=limit.burst),
            managed_rules=settings.ingress.waf.managed_rules,
            counted_rules={
                group: rules
                for group, rules in COUNTED_RULES.items()
                if group in settings.ingress.waf.managed_rules
            },
            log_group_name=f"aws-waf-logs-{settings.name_prefix}",
            log_retention_days=settings.observability.log_retention_days,
            log_key_arn=base.keys.arns["logs"],
            region=settings.region,
            tags=base.tags,
        ),
    )
    return Edge(
        zone=zone,
        zone_id=zone_id,
        certificate=certificate,
        load_balancer=load_balancer,
        web_acl=web_acl,
        log_bucket=log_bucket,
    )


def _redirects(settings: Settings, metrics: Metrics) -> dict[str, pulumi.Input[str]]:
    """The published names of the dashboards lead to Grafana: Managed Prometheus has no pages of its own."""
    wanted = settings.observability.grafana.redirects
    if metrics.grafana is None or wanted is None:
        return {}
    return {settings.hosts[label]: metrics.grafana.endpoint for label in (wanted.grafana, wanted.prometheus)}
