"""What a public entry promises, whoever makes its load balancer: its TLS, its headers, its checks and its paths."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_TLS_12_OR_NEWER = re.compile(r"ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)-.+")
# No wildcards, and nothing that a regular expression or its replacement would read otherwise.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


@dataclass(frozen=True, kw_only=True)
class SecurityHeaders:
    """Headers on every answer, whatever the application says; None leaves one to the application."""

    strict_transport_security: str | None = "max-age=31536000; includeSubDomains"
    x_content_type_options: str | None = "nosniff"
    x_frame_options: str | None = "DENY"
    content_security_policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetHealth:
    """When the load balancer calls a task healthy: so many answers of 200 in a row, asked so often."""

    path: str
    interval_s: int = 15
    timeout_s: int = 5
    healthy_threshold: int = 2
    unhealthy_threshold: int = 3

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each (bounds: ELB API, CreateTargetGroup)."""
        if not self.path.startswith("/"):
            yield f"route.health.path must begin with /, got {self.path!r}"
        for key, value, low, high in (
            ("interval_s", self.interval_s, 5, 300),
            ("timeout_s", self.timeout_s, 2, 120),
            ("healthy_threshold", self.healthy_threshold, 2, 10),
            ("unhealthy_threshold", self.unhealthy_threshold, 2, 10),
        ):
            if not low <= value <= high:
                yield f"route.health.{key} must be {low} to {high}, got {value}"
        if self.timeout_s >= self.interval_s:
            yield (
                f"route.health.timeout_s must be less than interval_s {self.interval_s}, got {self.timeout_s}"
            )


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """The part of the URL that `regex` matches becomes `replace`; what follows, the query included, stays."""

    regex: str
    replace: str


def rewrite(path: str, target: str) -> Rewrite:
    return Rewrite(regex=f"^{re.escape(path)}", replace=target)


def without_prefix(prefix: str) -> Rewrite:
    return Rewrite(regex=f"^{re.escape(prefix)}/?", replace="/")


def with_children(paths: Sequence[str]) -> list[str]:
    """Each path, and everything below it."""
    return [pattern for path in paths for pattern in (path, f"{path.rstrip('/')}/*")]


def rewrite_problems(
    paths: Sequence[str], rewrites: Mapping[str, str], strip_prefix: str | None
) -> Iterator[str]:
    """Yield what is wrong with the rewrites of a route, a sentence each."""
    for path, target in rewrites.items():
        if not _PLAIN_PATH.fullmatch(path):
            yield f"route.rewrites takes plain paths such as /health, got {path!r}"
        if not _PLAIN_PATH.fullmatch(target):
            yield f"route.rewrites leads to plain paths such as /v1/health, got {target!r}"
    if strip_prefix is None:
        return
    if not _PLAIN_PATH.fullmatch(strip_prefix) or strip_prefix.endswith("/"):
        yield f"route.strip_prefix must be a plain path such as /api, got {strip_prefix!r}"
    for path in paths:
        if path != strip_prefix and not path.startswith(f"{strip_prefix}/"):
            yield f"route.strip_prefix {strip_prefix} does not begin the path {path}: it would pass unchanged"


def load_balancer_problems(
    tls_policy: str, idle_timeout_s: int, client_keep_alive_s: int | None
) -> Iterator[str]:
    """Yield what a load balancer cannot have, a sentence each."""
    if not _TLS_12_OR_NEWER.fullmatch(tls_policy):
        yield (
            "tls_policy must be a policy without TLS 1.0 and 1.1, such as "
            f"ELBSecurityPolicy-TLS13-1-2-2021-06, got {tls_policy!r}"
        )
    if not 1 <= idle_timeout_s <= 4000:
        yield f"idle_timeout_s must be 1 to 4000 seconds, got {idle_timeout_s}"
    if client_keep_alive_s is not None and not 60 <= client_keep_alive_s <= 604_800:
        yield f"client_keep_alive_s must be 60 to 604800 seconds, got {client_keep_alive_s}"
