"""Content delivery: the distribution, with a certificate and a web firewall of its own where CloudFront wants them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pulumi

from components import cdn as component
from components._watch import Watch
from components.bucket import Bucket, BucketArgs
from components.cdn import AnswerHeaders, Api, CachedPath, Cdn, CdnArgs
from components.certificate import Certificate, CertificateArgs
from components.keys import Keys, KeysArgs
from components.web_acl import WebAcl
from settings.model import Settings
from settings.model.cdn import Cdn as WantedCdn
from settings.model.cdn import CdnApi
from settings.model.edge import ResponseHeaders
from wiring import web_firewall
from wiring.foundation import Foundation
from wiring.stores import Stores


@dataclass(frozen=True, kw_only=True)
class Content:
    cdn: Cdn
    certificate: Certificate
    web_acl: WebAcl
    log_bucket: Bucket

    @property
    def watches(self) -> Iterator[Watch]:
        yield from self.cdn.watches
        yield from self.certificate.watches
        yield from self.web_acl.watches


def build(
    settings: Settings,
    base: Foundation,
    data: Stores,
    wanted: WantedCdn,
    *,
    zone_id: pulumi.Input[str],
) -> Content:
    host = f"{wanted.host}.{settings.domain.name}"
    certificate = Certificate(
        "cdn-certificate",
        CertificateArgs(domain_name=host, zone_id=zone_id, region=component.REGION, tags=base.tags),
    )
    web_acl = web_firewall.build(
        settings,
        base,
        "cdn-waf",
        scope="CLOUDFRONT",
        log_group_name=f"aws-waf-logs-{settings.name_prefix}-cdn",
        log_key_arn=_log_key_arn(settings, base),
        region=component.REGION,
    )
    log_bucket = Bucket(
        "cdn-logs",
        BucketArgs(
            kms_key_arn=None,
            expire_days={"": settings.ingress.access_log_retention_days},
            log_delivery="distribution",
            account_id=settings.account,
            protect=settings.protect,
            tags=base.tags,
        ),
    )
    cdn = Cdn(
        "cdn",
        CdnArgs(
            host=host,
            zone_id=zone_id,
            bucket_domain_name=data.buckets[wanted.bucket].regional_domain_name,
            certificate_arn=certificate.arn,
            web_acl_arn=web_acl.arn,
            log_bucket=log_bucket.name,
            api=_api(settings, wanted.api) if wanted.api else None,
            default_page=wanted.default_page,
            single_page_app=wanted.single_page_app,
            price_class=wanted.price_class,
            headers=_headers(settings.ingress.response_headers),
            tags=base.tags,
        ),
    )
    if data.name_reader is not None:
        data.name_reader(cdn.arn)
    return Content(cdn=cdn, certificate=certificate, web_acl=web_acl, log_bucket=log_bucket)


def _api(settings: Settings, wanted: CdnApi) -> Api:
    public = settings.services[wanted.service].public
    if public is None:
        # The settings' rules refuse this before anything is made.
        raise ValueError(f"cdn.api.service {wanted.service} is not public")
    return Api(
        host=settings.hosts[public.host],
        paths=wanted.paths,
        cached=[CachedPath(path=cached.path, ttl_s=cached.ttl_s) for cached in wanted.cached],
        read_timeout_s=min(settings.ingress.idle_timeout_s, component.MAX_READ_TIMEOUT_S),
    )


def _headers(wanted: ResponseHeaders) -> AnswerHeaders:
    hsts = wanted.strict_transport_security
    return AnswerHeaders(
        hsts_max_age_s=int(re.findall("[0-9]+", hsts)[0]),
        hsts_include_subdomains="includeSubDomains" in hsts,
        hsts_preload="preload" in hsts,
        frame_option=wanted.x_frame_options,
        content_security_policy=wanted.content_security_policy,
    )


def _log_key_arn(settings: Settings, base: Foundation) -> pulumi.Input[str]:
    """The key of the stack's logs, or one beside it: a log group takes keys of its own region only."""
    if settings.region == component.REGION:
        return base.keys.arns["logs"]
    keys = Keys(
        "cdn-keys",
        KeysArgs(
            account_id=settings.account,
            region=component.REGION,
            elsewhere=True,
            alias_prefix=f"{settings.name_prefix}-cdn",
            classes=["logs"],
            deletion_window_days=30,
            protect=settings.protect,
            tags=base.tags,
        ),
    )
    return keys.arns["logs"]
