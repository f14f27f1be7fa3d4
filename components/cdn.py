"""A CloudFront distribution: a private bucket's objects, and in front of one service's API where that is wanted.

HTTPS only, TLS 1.2 or newer, HTTP/3, compressed; every answer carries the security headers. The bucket answers to
nobody but this distribution (origin access control). Requests to the API pass uncached with all they carry, but for
the Host header, by which the load balancer finds the service. Paths that are `cached` are asked for without cookies
and without Authorization: CloudFront takes both off a GET whose cache policy does not name them, so the service
answers as to a stranger, and what is kept is never one user's. Uncached answers are compressed by the service itself.
"""

# Annotations stay text: evaluated, they would import AWS's modules into every program that declares none of this.
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from components._watch import Metric, Watch

REGION = "us-east-1"  # CloudFront's metrics and log deliveries are here, wherever the stack is
# CloudFront guide, "Use managed cache policies" and "Use managed origin request policies".
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
MAX_BEHAVIORS = 25  # CloudFront quotas, cache behaviors per distribution, without the default
MAX_READ_TIMEOUT_S = 120  # CloudFront quotas, response timeout per origin
# By it the load balancer's firewall knows requests that were counted here; its value is nobody else's.
ORIGIN_HEADER = "x-origin-verify"
BUCKET, API = "bucket", "api"
READ = ["GET", "HEAD", "OPTIONS"]
ALL_METHODS = [*READ, "PUT", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, kw_only=True)
class CachedPath:
    """A path pattern of the API whose answers are everybody's, and for how long they are kept at most."""

    path: str
    ttl_s: int


@dataclass(frozen=True, kw_only=True)
class Api:
    """`host` is the service's at the load balancer. The service sees CloudFront's requests with that host."""

    host: str
    paths: Sequence[str]
    cached: Sequence[CachedPath] = ()
    read_timeout_s: int = 60


@dataclass(frozen=True, kw_only=True)
class AnswerHeaders:
    """Headers on every answer, whatever the origin says; None leaves the content policy to the application."""

    hsts_max_age_s: int = 31_536_000
    hsts_include_subdomains: bool = True
    hsts_preload: bool = False
    frame_option: Literal["DENY", "SAMEORIGIN"] = "DENY"
    referrer_policy: str = "strict-origin-when-cross-origin"
    content_security_policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class CdnArgs:
    """`certificate_arn` and `web_acl_arn` are of us-east-1. `log_bucket` by name: its policy lets deliveries write.

    A `single_page_app` answers paths that the bucket does not have with its `default_page`; not together with `api`,
    whose errors would be hidden too.
    """

    host: str
    zone_id: pulumi.Input[str]
    bucket_domain_name: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    web_acl_arn: pulumi.Input[str]
    log_bucket: pulumi.Input[str]
    api: Api | None = None
    default_page: str = "index.html"
    single_page_app: bool = False
    price_class: Literal["PriceClass_100", "PriceClass_200", "PriceClass_All"] = "PriceClass_100"
    headers: AnswerHeaders = field(default_factory=AnswerHeaders)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"CDN {self.host}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if self.default_page.startswith("/"):
            yield f"default_page is a name in the bucket and begins with no slash, got {self.default_page!r}"
        if self.headers.hsts_max_age_s < 1:
            yield f"headers.hsts_max_age_s must be at least 1, got {self.headers.hsts_max_age_s}"
        if self.api is None:
            return
        if self.single_page_app:
            yield "single_page_app hides the errors of api: leave one of the two out"
        if not self.api.paths:
            yield 'api.paths is empty: name what goes to the service, such as ["/api/*"]'
        patterns = [*(cached.path for cached in self.api.cached), *self.api.paths]
        for repeated in sorted({pattern for pattern in patterns if patterns.count(pattern) > 1}):
            yield f"{repeated} stands more than once among api.paths and api.cached"
        if len(patterns) > MAX_BEHAVIORS:
            yield f"api.paths and api.cached are at most {MAX_BEHAVIORS}, got {len(patterns)}"
        for cached in self.api.cached:
            if cached.ttl_s < 1:
                yield f"api.cached {cached.path}: ttl_s must be at least 1, got {cached.ttl_s}"
        if not 1 <= self.api.read_timeout_s <= MAX_READ_TIMEOUT_S:
            yield f"api.read_timeout_s must be 1 to {MAX_READ_TIMEOUT_S}, got {self.api.read_timeout_s}"


class Cdn(pulumi.ComponentResource):
    """`domain_name` is CloudFront's own name for it; people use the host.

    `origin_header` is the name and value of a header that its requests to the API carry, and nobody else's.
    """

    distribution_id: pulumi.Output[str]
    arn: pulumi.Output[str]
    domain_name: pulumi.Output[str]
    origin_header: tuple[str, pulumi.Output[str]] | None
    watches: Sequence[Watch]

    def __init__(self, name: str, args: CdnArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:edge:Cdn", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        access = aws.cloudfront.OriginAccessControl(
            name,
            description=f"Signs what {args.host} asks of its bucket",
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
            opts=child,
        )
        headers = aws.cloudfront.ResponseHeadersPolicy(
            name,
            comment=f"Security headers of {args.host}",
            security_headers_config=_security_headers(args.headers),
            opts=child,
        )
        self.origin_header = None
        if args.api is not None:
            secret = random.RandomPassword(f"{name}-origin", length=40, special=False, opts=child)
            self.origin_header = (ORIGIN_HEADER, pulumi.Output.secret(secret.result))
        cached = args.api.cached if args.api is not None else ()
        policies = {
            ttl_s: _cache_policy(f"{name}-{ttl_s}s", args.host, ttl_s, child)
            for ttl_s in sorted({path.ttl_s for path in cached})
        }
        distribution = aws.cloudfront.Distribution(
            name,
            enabled=True,
            comment=args.host,
            aliases=[args.host],
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class=args.price_class,
            default_root_object=args.default_page,
            origins=_origins(args, access.id, self.origin_header),
            default_cache_behavior={
                "target_origin_id": BUCKET,
                "viewer_protocol_policy": "redirect-to-https",
                "allowed_methods": READ,
                "cached_methods": ["GET", "HEAD"],
                "compress": True,
                "cache_policy_id": CACHING_OPTIMIZED,
                "response_headers_policy_id": headers.id,
            },
            ordered_cache_behaviors=[
                *(_cached_behavior(path.path, policies[path.ttl_s].id, headers.id) for path in cached),
                *(_api_behavior(path, headers.id) for path in (args.api.paths if args.api else ())),
            ],
            custom_error_responses=_error_responses(args),
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={
                "acm_certificate_arn": args.certificate_arn,
                "ssl_support_method": "sni-only",
                "minimum_protocol_version": "TLSv1.2_2021",
            },
            web_acl_id=args.web_acl_arn,
            tags={**args.tags, "Name": args.host},
            opts=child,
        )
        _logs(name, distribution.arn, args, child)
        for suffix, kind in (("", "A"), ("-ipv6", "AAAA")):
            aws.route53.Record(
                f"{name}-{args.host}{suffix}",
                zone_id=args.zone_id,
                name=args.host,
                type=kind,
                aliases=[
                    {
                        "name": distribution.domain_name,
                        "zone_id": distribution.hosted_zone_id,
                        # CloudFront has no health that Route 53 could look at.
                        "evaluate_target_health": False,
                    }
                ],
                opts=child,
            )

        self.distribution_id = distribution.id
        self.arn = distribution.arn
        self.domain_name = distribution.domain_name
        self.watches = list(_watches(name, args.host, distribution.id))
        self.register_outputs(
            {
                "distribution_id": self.distribution_id,
                "arn": self.arn,
                "domain_name": self.domain_name,
            }
        )


def _security_headers(
    headers: AnswerHeaders,
) -> aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigArgsDict:
    config: aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigArgsDict = {
        "strict_transport_security": {
            "access_control_max_age_sec": headers.hsts_max_age_s,
            "include_subdomains": headers.hsts_include_subdomains,
            "preload": headers.hsts_preload,
            "override": True,
        },
        "content_type_options": {"override": True},
        "frame_options": {"frame_option": headers.frame_option, "override": True},
        "xss_protection": {"protection": True, "mode_block": True, "override": True},
        "referrer_policy": {"referrer_policy": headers.referrer_policy, "override": True},
    }
    if headers.content_security_policy is not None:
        config["content_security_policy"] = {
            "content_security_policy": headers.content_security_policy,
            "override": True,
        }
    return config


def _cache_policy(
    name: str, host: str, ttl_s: int, opts: pulumi.ResourceOptions
) -> aws.cloudfront.CachePolicy:
    """At most `ttl_s`, less where the service's Cache-Control says so; told apart by path, query and origin only."""
    return aws.cloudfront.CachePolicy(
        name,
        comment=f"Answers of {host} that are everybody's, for {ttl_s} seconds",
        min_ttl=0,
        default_ttl=ttl_s,
        max_ttl=ttl_s,
        parameters_in_cache_key_and_forwarded_to_origin={
            "cookies_config": {"cookie_behavior": "none"},
            # The answer names the origin that may read it, so pages of different origins cannot share one.
            "headers_config": {"header_behavior": "whitelist", "headers": {"items": ["Origin"]}},
            "query_strings_config": {"query_string_behavior": "all"},
            "enable_accept_encoding_gzip": True,
            "enable_accept_encoding_brotli": True,
        },
        opts=opts,
    )


def _origins(
    args: CdnArgs,
    access_control_id: pulumi.Output[str],
    origin_header: tuple[str, pulumi.Output[str]] | None,
) -> list[aws.cloudfront.DistributionOriginArgsDict]:
    bucket: aws.cloudfront.DistributionOriginArgsDict = {
        "origin_id": BUCKET,
        "domain_name": args.bucket_domain_name,
        "origin_access_control_id": access_control_id,
    }
    if args.api is None:
        return [bucket]
    return [
        bucket,
        {
            "origin_id": API,
            "domain_name": args.api.host,
            "custom_headers": [{"name": origin_header[0], "value": origin_header[1]}]
            if origin_header
            else [],
            "custom_origin_config": {
                "http_port": 80,
                "https_port": 443,
                "origin_protocol_policy": "https-only",
                "origin_ssl_protocols": ["TLSv1.2"],
                "origin_read_timeout": args.api.read_timeout_s,
            },
        },
    ]


def _cached_behavior(
    path: str, policy_id: pulumi.Output[str], headers_id: pulumi.Output[str]
) -> aws.cloudfront.DistributionOrderedCacheBehaviorArgsDict:
    """Without an origin request policy: with one, cookies or Authorization would reach the service again."""
    return {
        "path_pattern": path,
        "target_origin_id": API,
        "viewer_protocol_policy": "https-only",
        "allowed_methods": ALL_METHODS,
        "cached_methods": ["GET", "HEAD"],
        "compress": True,
        "cache_policy_id": policy_id,
        "response_headers_policy_id": headers_id,
    }


def _api_behavior(
    path: str, headers_id: pulumi.Output[str]
) -> aws.cloudfront.DistributionOrderedCacheBehaviorArgsDict:
    return {
        "path_pattern": path,
        "target_origin_id": API,
        "viewer_protocol_policy": "https-only",
        "allowed_methods": ALL_METHODS,
        "cached_methods": ["GET", "HEAD"],
        "compress": True,
        "cache_policy_id": CACHING_DISABLED,
        "origin_request_policy_id": ALL_VIEWER_EXCEPT_HOST,
        "response_headers_policy_id": headers_id,
    }


def _error_responses(
    args: CdnArgs,
) -> list[aws.cloudfront.DistributionCustomErrorResponseArgsDict]:
    if not args.single_page_app:
        return []
    # Who may not list a bucket is told 403 where an object is missing.
    return [
        {
            "error_code": code,
            "response_code": 200,
            "response_page_path": f"/{args.default_page}",
            "error_caching_min_ttl": 10,
        }
        for code in (403, 404)
    ]


def _logs(
    name: str, distribution_arn: pulumi.Output[str], args: CdnArgs, opts: pulumi.ResourceOptions
) -> None:
    """Standard logging v2: the older kind writes with an ACL, and buckets here have none."""
    tags = {**args.tags, "Name": args.host}
    source = aws.cloudwatch.LogDeliverySource(
        f"{name}-logs",
        log_type="ACCESS_LOGS",
        resource_arn=distribution_arn,
        region=REGION,
        tags=tags,
        opts=opts,
    )
    destination = aws.cloudwatch.LogDeliveryDestination(
        f"{name}-logs",
        delivery_destination_configuration={
            "destination_resource_arn": pulumi.Output.concat("arn:aws:s3:::", args.log_bucket)
        },
        output_format="json",
        region=REGION,
        tags=tags,
        opts=opts,
    )
    aws.cloudwatch.LogDelivery(
        f"{name}-logs",
        delivery_source_name=source.name,
        delivery_destination_arn=destination.arn,
        region=REGION,
        tags=tags,
        opts=opts,
    )


def _watches(name: str, host: str, distribution_id: pulumi.Output[str]) -> Iterator[Watch]:
    dimensions = {"DistributionId": distribution_id, "Region": "Global"}
    for kind, threshold, severity, description in (
        ("5xx", 5, "critical", "the bucket or the service behind it fails"),
        ("4xx", 25, "warning", "files are missing, or somebody tries what is not there"),
    ):
        yield Watch(
            name=f"{name}-{kind}",
            description=(
                f"Percent of the requests to {host} that are answered with {kind}, more than {threshold} "
                f"for 15 minutes: {description}"
            ),
            severity=severity,
            threshold=threshold,
            metrics=[
                Metric(
                    id="rate",
                    namespace="AWS/CloudFront",
                    metric_name=f"{kind}ErrorRate",
                    stat="Average",
                    dimensions=dimensions,
                ),
                Metric(
                    id="requests",
                    namespace="AWS/CloudFront",
                    metric_name="Requests",
                    stat="Sum",
                    dimensions=dimensions,
                ),
            ],
            # A handful of requests says nothing.
            expression="IF(requests > 20, rate, 0)",
            evaluation_periods=3,
            region=REGION,
        )
