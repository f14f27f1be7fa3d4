"""What an Ingress of class alb says, for the AWS Load Balancer Controller (2.14.1 or newer, in the cluster).

All Ingresses of a group are one load balancer. What it is stands in the annotations of each of them, the same in
all: the controller changes nothing while two of them differ. Nothing is created here; values may be Inputs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

from components._entry import (
    Rewrite,
    SecurityHeaders,
    TargetHealth,
    load_balancer_problems,
    rewrite,
    rewrite_problems,
    with_children,
    without_prefix,
)

CLASS = "alb"
PREFIX = "alb.ingress.kubernetes.io/"
HOSTNAME = "external-dns.alpha.kubernetes.io/hostname"  # external-dns makes its record
# Bounds: guide of the controller, "Ingress annotations".
ORDERS = range(-1000, 1001)
MAX_BALANCER_NAME = 32
_GROUP_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_SPECIAL, _ESCAPED = re.compile(r"([,\\])"), r"\\\1"
# A backend with this port is no Service but an action that an annotation describes.
ANNOTATION_PORT = "use-annotation"
NOT_FOUND = "not-found"
AWS_KEEP_ALIVE_S = 3600
HTTPS = 443


@dataclass(frozen=True, kw_only=True)
class Group:
    """The load balancer of all Ingresses with this `name`: HTTPS only, behind the web firewall, on the internet.

    `security_group_id` is the only one that it has, and nothing else is opened for it. `load_balancer_name` is a
    physical name that counts only while it is made; None lets the controller choose one. `client_keep_alive_s` None
    is AWS's hour.
    """

    name: str
    load_balancer_name: str | None = None
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    web_acl_arn: pulumi.Input[str]
    tls_policy: str
    access_log_bucket: pulumi.Input[str]
    access_log_prefix: str
    security_headers: SecurityHeaders = field(default_factory=SecurityHeaders)
    http2: bool = True
    preserve_host_header: bool = True
    xff_header_processing_mode: Literal["append", "preserve", "remove"] = "append"
    idle_timeout_s: int = 60
    client_keep_alive_s: int | None = None
    protect: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        if not _GROUP_NAME.fullmatch(self.name):
            yield (
                "group.name must be at most 63 lower case letters, digits, hyphens and dots, a letter or digit at "
                f"both ends, got {self.name!r}"
            )
        if self.load_balancer_name is not None and len(self.load_balancer_name) > MAX_BALANCER_NAME:
            yield (
                f"group.load_balancer_name has at most {MAX_BALANCER_NAME} characters, "
                f"got {len(self.load_balancer_name)}"
            )
        if len(self.subnet_ids) < 2:
            yield f"group.subnet_ids must name subnets in at least two zones, got {len(self.subnet_ids)}"
        for problem in load_balancer_problems(self.tls_policy, self.idle_timeout_s, self.client_keep_alive_s):
            yield f"group.{problem}"
        for key in self.tags:
            if re.search(r"[=,\\]", key):
                yield f"group.tags: a tag's name cannot have =, a comma or a backslash here, got {key!r}"


@dataclass(frozen=True, kw_only=True)
class Route:
    """What goes to `port` of `service`: these hosts and paths. The lower `order` is asked first in its group.

    `private_paths` answer 404 to everybody outside, each with everything below it. `rewrites` are paths that the
    service knows by another one, and are asked before all others. `strip_prefix` is taken off the other requests'
    paths before the service sees them.
    """

    service: str
    port: int
    hosts: Sequence[str]
    paths: Sequence[str] = ("/*",)
    private_paths: Sequence[str] = ()
    rewrites: Mapping[str, str] = field(default_factory=dict)
    strip_prefix: str | None = None
    order: int
    health: TargetHealth
    deregistration_delay_s: int = 30

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        if self.service == NOT_FOUND or re.fullmatch("rewrite-[0-9]+", self.service):
            yield f"route.service cannot be called {self.service}: an action of the Ingress is"
        if not self.hosts:
            yield "route.hosts is empty: name the host that the service answers for"
        if not self.paths:
            yield 'route.paths is empty: use ["/*"] for all of them'
        if self.order not in ORDERS:
            yield f"route.order must be {ORDERS[0]} to {ORDERS[-1]}, got {self.order}"
        yield from rewrite_problems(self.paths, self.rewrites, self.strip_prefix)
        yield from self.health.problems()


def annotations(group: Group, route: Route) -> dict[str, pulumi.Input[str]]:
    said = {**_of_group(group), **_of_route(route)}
    return {
        HOSTNAME: ",".join(route.hosts),
        **{f"{PREFIX}{key}": value for key, value in said.items() if value is not None},
    }


def spec(route: Route) -> Any:
    """The paths of each host in the order of a listener, of the one type that the controller does not sort."""
    service = {"name": route.service, "port": {"number": route.port}}
    paths = [
        *((path, _action(f"rewrite-{index}")) for index, path, _ in reversed(_rewrites(route))),
        *((path, _action(NOT_FOUND)) for path in with_children(route.private_paths)),
        *((path, service) for path in route.paths),
    ]
    return {
        "ingressClassName": CLASS,
        "rules": [
            {
                "host": host,
                "http": {
                    "paths": [
                        {"path": path, "pathType": "ImplementationSpecific", "backend": {"service": backend}}
                        for path, backend in paths
                    ]
                },
            }
            for host in route.hosts
        ],
    }


def _of_group(group: Group) -> dict[str, pulumi.Input[str] | None]:
    headers = group.security_headers
    return {
        "group.name": group.name,
        "load-balancer-name": group.load_balancer_name,
        "scheme": "internet-facing",
        "ip-address-type": "ipv4",
        "subnets": pulumi.Output.all(*group.subnet_ids).apply(",".join),
        "security-groups": group.security_group_id,
        # The stack's firewall has opened the way to the pods already.
        "manage-backend-security-group-rules": "false",
        "listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": HTTPS}]),
        "ssl-redirect": str(HTTPS),
        "ssl-policy": group.tls_policy,
        "certificate-arn": group.certificate_arn,
        "wafv2-acl-arn": group.web_acl_arn,
        # The controller leaves alone what is not named, so whatever was changed once must be.
        "load-balancer-attributes": pulumi.Output.from_input(group.access_log_bucket).apply(
            lambda bucket: _pairs({
                "access_logs.s3.enabled": "true",
                "access_logs.s3.bucket": bucket,
                "access_logs.s3.prefix": group.access_log_prefix,
                "client_keep_alive.seconds": str(group.client_keep_alive_s or AWS_KEEP_ALIVE_S),
                "deletion_protection.enabled": _flag(group.protect),
                "idle_timeout.timeout_seconds": str(group.idle_timeout_s),
                "routing.http.desync_mitigation_mode": "defensive",
                "routing.http.drop_invalid_header_fields.enabled": "true",
                "routing.http.preserve_host_header.enabled": _flag(group.preserve_host_header),
                "routing.http.xff_header_processing.mode": group.xff_header_processing_mode,
                "routing.http2.enabled": _flag(group.http2),
            })
        ),
        f"listener-attributes.HTTPS-{HTTPS}": _pairs({
            "routing.http.response.server.enabled": "false",
            **{
                f"routing.http.response.{header}.header_value": value
                for header, value in (
                    ("strict_transport_security", headers.strict_transport_security),
                    ("x_content_type_options", headers.x_content_type_options),
                    ("x_frame_options", headers.x_frame_options),
                    ("content_security_policy", headers.content_security_policy),
                )
                if value is not None
            },
        }),
        "tags": _pairs(group.tags) if group.tags else None,
    }  # fmt: skip


def _of_route(route: Route) -> dict[str, str]:
    health = route.health
    said = {
        "group.order": str(route.order),
        "target-type": "ip",
        "backend-protocol": "HTTP",
        "target-group-attributes": _pairs({
            "deregistration_delay.timeout_seconds": str(route.deregistration_delay_s),
            "load_balancing.algorithm.type": "least_outstanding_requests",
        }),
        "healthcheck-protocol": "HTTP",
        "healthcheck-port": "traffic-port",
        "healthcheck-path": health.path,
        "healthcheck-interval-seconds": str(health.interval_s),
        "healthcheck-timeout-seconds": str(health.timeout_s),
        "healthy-threshold-count": str(health.healthy_threshold),
        "unhealthy-threshold-count": str(health.unhealthy_threshold),
        "success-codes": "200",
    }  # fmt: skip
    if route.private_paths:
        said[f"actions.{NOT_FOUND}"] = json.dumps({
            "type": "fixed-response",
            "fixedResponseConfig": {
                "contentType": "text/plain",
                "messageBody": "not found",
                "statusCode": "404",
            },
        })  # fmt: skip
    if route.strip_prefix is not None:
        said[f"transforms.{route.service}"] = _transforms(without_prefix(route.strip_prefix))
    for index, path, target in _rewrites(route):
        said[f"actions.rewrite-{index}"] = json.dumps({
            "type": "forward",
            "forwardConfig": {
                "targetGroups": [{"serviceName": route.service, "servicePort": route.port}]
            },
        })  # fmt: skip
        said[f"transforms.rewrite-{index}"] = _transforms(rewrite(path, target))
    return said


def _rewrites(route: Route) -> list[tuple[int, str, str]]:
    return [(index, path, target) for index, (path, target) in enumerate(route.rewrites.items(), start=1)]


def _action(name: str) -> dict[str, Any]:
    return {"name": name, "port": {"name": ANNOTATION_PORT}}


def _transforms(wanted: Rewrite) -> str:
    made = {"rewrites": [{"regex": wanted.regex, "replace": wanted.replace}]}
    return json.dumps([{"type": "url-rewrite", "urlRewriteConfig": made}])


def _flag(is_on: bool) -> str:
    return "true" if is_on else "false"


def _pairs(values: Mapping[str, str]) -> str:
    """As the controller reads them: a comma ends a pair, and a backslash takes its meaning away."""
    return ",".join(f"{key}={_SPECIAL.sub(_ESCAPED, value)}" for key, value in values.items())
