"""The way in: DNS zone, certificate, load balancer and the web firewall before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components._entry import SecurityHeaders
from components._ingress import Group
from components.bucket import Bucket, BucketArgs
from components.certificate import Certificate, CertificateArgs
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.web_acl import WebAcl
from settings.model import Settings
from settings.reach import LOAD_BALANCER
from wiring import cdn, web_firewall
from wiring.cdn import Content
from wiring.foundation import Foundation
from wiring.metrics import Metrics
from wiring.stores import Stores

ACCESS_LOGS, LOG_PREFIX = "access-logs", "ingress"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`zone` only where the stack makes its own; `zone_id` always.

    Either `load_balancer`, or what the controller of a cluster of Kubernetes needs to make one: `ingress_group`.
    """

    zone: aws.route53.Zone | None
    zone_id: pulumi.Input[str]
    certificate: Certificate
    load_balancer: LoadBalancer | None
    ingress_group: Group | None
    web_acl: WebAcl
    log_bucket: Bucket
    content: Content | None


def build(settings: Settings, base: Foundation, metrics: Metrics, data: Stores) -> Edge:
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
            alarm_days=settings.observability.alerts.certificate_days,
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
    load_balancer = None
    if not settings.routes_by_ingress:
        load_balancer = _load_balancer(settings, base, certificate, log_bucket, hosts, redirects, zone_id)
    content = None
    if settings.cdn and settings.cdn.enabled:
        content = cdn.build(settings, base, data, settings.cdn, zone_id=zone_id)
    web_acl = web_firewall.build(
        settings,
        base,
        "waf",
        resource_arn=load_balancer.arn if load_balancer else None,
        associated_elsewhere=load_balancer is None,
        uncounted_header=content.cdn.origin_header if content else None,
        log_group_name=f"aws-waf-logs-{settings.name_prefix}",
        log_key_arn=base.keys.arns["logs"],
        region=settings.region,
    )
    return Edge(
        zone=zone,
        zone_id=zone_id,
        certificate=certificate,
        load_balancer=load_balancer,
        ingress_group=None
        if load_balancer
        else _ingress_group(settings, base, certificate, log_bucket, web_acl),
        web_acl=web_acl,
        log_bucket=log_bucket,
        content=content,
    )


def _load_balancer(
    settings: Settings,
    base: Foundation,
    certificate: Certificate,
    log_bucket: Bucket,
    hosts: Sequence[str],
    redirects: Mapping[str, pulumi.Input[str]],
    zone_id: pulumi.Input[str],
) -> LoadBalancer:
    ingress = settings.ingress
    return LoadBalancer(
        "ingress",
        LoadBalancerArgs(
            load_balancer_name=settings.names.load_balancer,
            subnet_ids=base.network.public_subnet_ids,
            security_group_id=base.firewall.group_ids[LOAD_BALANCER],
            certificate_arn=certificate.arn,
            tls_policy=ingress.tls_policy,
            access_log_bucket=log_bucket.name,
            access_log_prefix=LOG_PREFIX,
            hosts=[host for host in hosts if host not in redirects],
            redirects=redirects,
            zone_id=zone_id,
            security_headers=_security_headers(settings),
            http2=ingress.http2,
            preserve_host_header=ingress.preserve_host_header,
            xff_header_processing_mode=ingress.xff_header_processing_mode,
            idle_timeout_s=ingress.idle_timeout_s,
            client_keep_alive_s=ingress.client_keep_alive_s,
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _ingress_group(
    settings: Settings, base: Foundation, certificate: Certificate, log_bucket: Bucket, web_acl: WebAcl
) -> Group:
    """The same load balancer, for somebody else to make."""
    ingress = settings.ingress
    return Group(
        name=settings.name_prefix,
        load_balancer_name=settings.names.load_balancer,
        subnet_ids=base.network.public_subnet_ids,
        security_group_id=base.firewall.group_ids[LOAD_BALANCER],
        certificate_arn=certificate.arn,
        web_acl_arn=web_acl.arn,
        tls_policy=ingress.tls_policy,
        access_log_bucket=log_bucket.name,
        access_log_prefix=LOG_PREFIX,
        security_headers=_security_headers(settings),
        http2=ingress.http2,
        preserve_host_header=ingress.preserve_host_header,
        xff_header_processing_mode=ingress.xff_header_processing_mode,
        idle_timeout_s=ingress.idle_timeout_s,
        client_keep_alive_s=ingress.client_keep_alive_s,
        protect=settings.protect,
        tags=base.tags,
    )


def _security_headers(settings: Settings) -> SecurityHeaders:
    wanted = settings.ingress.response_headers
    return SecurityHeaders(
        strict_transport_security=wanted.strict_transport_security,
        x_content_type_options=wanted.x_content_type_options,
        x_frame_options=wanted.x_frame_options,
        content_security_policy=wanted.content_security_policy,
    )


def _redirects(settings: Settings, metrics: Metrics) -> dict[str, pulumi.Input[str]]:
    """The published names of the dashboards lead to Grafana: Managed Prometheus has no pages of its own."""
    grafana = settings.observability.grafana
    wanted = grafana.redirects if grafana else None
    if metrics.grafana is None or wanted is None:
        return {}
    labels = [label for label in (wanted.grafana, wanted.prometheus) if label]
    return {settings.hosts[label]: metrics.grafana.endpoint for label in labels}
