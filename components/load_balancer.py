"""The public entry: an application load balancer that speaks HTTPS only, its hosts' DNS, and its redirects.

Services add their own rules to the listener; what no rule takes is answered with 404. CORS stays with the
application: a listener can name one allowed origin, and a product has several. So does X-Real-IP: the balancer
sends the client's address in X-Forwarded-For, to which it appends.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components._entry import SecurityHeaders, load_balancer_problems
from components._watch import Metric, Watch

MAX_PHYSICAL_NAME = 32  # ELB API, CreateLoadBalancer
MAX_NAME = MAX_PHYSICAL_NAME - 8  # the engine's suffix takes 8
# Redirects take the priorities after those that services choose.
REDIRECT_PRIORITIES = range(40_000, 50_001)


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`hosts` and the keys of `redirects` get DNS records in the zone; a redirect sends its host to another one.

    `load_balancer_name` is a physical name; None lets the engine choose one. `client_keep_alive_s` None is AWS's
    hour.
    """

    load_balancer_name: str | None = None
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    tls_policy: str
    access_log_bucket: pulumi.Input[str]
    access_log_prefix: str
    hosts: Sequence[str]
    zone_id: pulumi.Input[str]
    security_headers: SecurityHeaders = field(default_factory=SecurityHeaders)
    redirects: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    http2: bool = True
    preserve_host_header: bool = True
    xff_header_processing_mode: Literal["append", "preserve", "remove"] = "append"
    idle_timeout_s: int = 60
    client_keep_alive_s: int | None = None
    protect: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("load balancer: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if len(self.subnet_ids) < 2:
            yield f"subnet_ids must name subnets in at least two zones, got {len(self.subnet_ids)}"
        yield from load_balancer_problems(self.tls_policy, self.idle_timeout_s, self.client_keep_alive_s)
        if self.load_balancer_name is not None and len(self.load_balancer_name) > MAX_PHYSICAL_NAME:
            yield (
                f"load_balancer_name has at most {MAX_PHYSICAL_NAME} characters, "
                f"got {len(self.load_balancer_name)}"
            )
        if not self.hosts:
            yield "hosts is empty: name at least one host"
        names = [*self.hosts, *self.redirects]
        for repeated in sorted({name for name in names if names.count(name) > 1}):
            yield f"{repeated} is named more than once among hosts and redirects"
        priorities = [_redirect_priority(host) for host in self.redirects]
        if len(set(priorities)) < len(priorities):
            yield f"two of the redirects {', '.join(self.redirects)} fall on one rule priority: rename one of them"


class LoadBalancer(pulumi.ComponentResource):
    arn: pulumi.Output[str]
    arn_suffix: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    https_listener_arn: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if len(name) > MAX_NAME:
            raise ValueError(
                f"load balancer {name}: a name has at most {MAX_NAME} characters, got {len(name)}"
            )
        super().__init__("groundwork:edge:LoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": name}

        balancer = aws.lb.LoadBalancer(
            name,
            name=args.load_balancer_name,
            load_balancer_type="application",
            internal=False,
            ip_address_type="ipv4",
            subnets=args.subnet_ids,
            security_groups=[args.security_group_id],
            enable_http2=args.http2,
            preserve_host_header=args.preserve_host_header,
            xff_header_processing_mode=args.xff_header_processing_mode,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            idle_timeout=args.idle_timeout_s,
            client_keep_alive=args.client_keep_alive_s,
            enable_deletion_protection=args.protect,
            access_logs={
                "bucket": args.access_log_bucket,
                "prefix": args.access_log_prefix,
                "enabled": True,
            },
            tags=tags,
            opts=child,
        )
        https = aws.lb.Listener(
            f"{name}-https",
            load_balancer_arn=balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=args.tls_policy,
            certificate_arn=args.certificate_arn,
            routing_http_response_server_enabled=False,
            routing_http_response_strict_transport_security_header_value=args.security_headers.strict_transport_security,
            routing_http_response_x_content_type_options_header_value=args.security_headers.x_content_type_options,
            routing_http_response_x_frame_options_header_value=args.security_headers.x_frame_options,
            routing_http_response_content_security_policy_header_value=args.security_headers.content_security_policy,
            default_actions=[
                {
                    "type": "fixed-response",
                    "fixed_response": {
                        "content_type": "text/plain",
                        "message_body": "not found",
                        "status_code": "404",
                    },
                }
            ],
            tags=tags,
            opts=child,
        )
        aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {
                    "type": "redirect",
                    "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"},
                }
            ],
            tags=tags,
            opts=child,
        )
        for host, target_host in args.redirects.items():
            _redirect(name, host, target_host, https, tags, child)
        for host in [*args.hosts, *args.redirects]:
            aws.route53.Record(
                f"{name}-{host}",
                zone_id=args.zone_id,
                name=host,
                type="A",
                aliases=[
                    {
                        "name": balancer.dns_name,
                        "zone_id": balancer.zone_id,
                        "evaluate_target_health": True,
                    }
                ],
                opts=child,
            )

        self.arn = balancer.arn
        self.arn_suffix = balancer.arn_suffix
        self.dns_name = balancer.dns_name
        self.https_listener_arn = https.arn
        self.watches = list(_watches(name, balancer.arn_suffix))
        self.register_outputs(
            {
                "arn": self.arn,
                "arn_suffix": self.arn_suffix,
                "dns_name": self.dns_name,
                "https_listener_arn": self.https_listener_arn,
            }
        )


def _redirect(
    name: str,
    host: str,
    target_host: pulumi.Input[str],
    listener: aws.lb.Listener,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    aws.lb.ListenerRule(
        f"{name}-redirect-{host}",
        listener_arn=listener.arn,
        priority=_redirect_priority(host),
        conditions=[{"host_header": {"values": [host]}}],
        actions=[
            {
                "type": "redirect",
                "redirect": {
                    "host": target_host,
                    "port": "443",
                    "protocol": "HTTPS",
                    "status_code": "HTTP_302",
                },
            }
        ],
        tags=tags,
        opts=opts,
    )


def _redirect_priority(host: str) -> int:
    """A number of the host's own, so that adding or removing one redirect moves no other."""
    return REDIRECT_PRIORITIES[zlib.crc32(host.encode()) % len(REDIRECT_PRIORITIES)]


def _watches(name: str, arn_suffix: pulumi.Output[str]) -> Iterator[Watch]:
    for part, metric_name, threshold, severity, description in (
        (
            "5xx",
            "HTTPCode_ELB_5XX_Count",
            10,
            "critical",
            "Requests in five minutes that the balancer itself answered with 5xx, more than 10: no task took them",
        ),
        (
            "rejected-connections",
            "RejectedConnectionCount",
            0,
            "critical",
            "Connections refused in five minutes because the balancer had reached its maximum",
        ),
        (
            "target-connection-errors",
            "TargetConnectionErrorCount",
            10,
            "warning",
            "Connections to tasks that failed in five minutes, more than 10: tasks die or the firewall is in the way",
        ),
    ):
        yield Watch(
            name=f"{name}-{part}",
            description=description,
            severity=severity,
            threshold=threshold,
            metrics=[
                Metric(
                    id="count",
                    namespace="AWS/ApplicationELB",
                    metric_name=metric_name,
                    stat="Sum",
                    dimensions={"LoadBalancer": arn_suffix},
                )
            ],
        )
