"""What a stack's outputs say that somebody outside must find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations.platform import Outputs, Refusal


@dataclass(frozen=True)
class Auth:
    """How a path is kept from strangers. `path` is empty where none is known; a key or a login opens it."""

    path: str
    key_header: str
    key_secret_arn: str
    login_path: str
    login_secret_arn: str
    token: str


@dataclass(frozen=True)
class Entry:
    """A public service. `answers`: by path, the keys of its JSON and their values as text."""

    service: str
    host: str
    health_path: str
    private_paths: Sequence[str]
    answers: Mapping[str, Mapping[str, str]]
    cors_origins: Sequence[str]
    cors_credentials: bool
    auth: Auth


@dataclass(frozen=True)
class RateLimit:
    """Requests of one client address in a window of so many seconds, and `burst` on top."""

    requests: int
    burst: int
    window_s: int

    @property
    def most(self) -> int:
        return self.requests + self.burst


@dataclass(frozen=True)
class Expected:
    """`tls` is, by host, the versions that are accepted; `headers` those of the load balancer, by name."""

    entries: Sequence[Entry]
    headers: Mapping[str, str]
    rate_limit: RateLimit
    max_body_bytes: int
    certificate_days: int
    tls: Mapping[str, Sequence[str]]
    cdn_host: str
    cdn_headers: Mapping[str, str]
    balancer: str
    cdn_name: str

    @property
    def redirected(self) -> Mapping[str, str]:
        """Every host with a path that is asked without TLS."""
        paths = {entry.host: entry.health_path for entry in self.entries}
        return {host: paths.get(host, "/") for host in self.tls}


def expected(outputs: Outputs) -> Expected:
    """Raises Refusal for a stack that an older Groundwork made."""
    edge = outputs.get("edge")
    if edge is None:
        raise Refusal(
            "The stack's outputs do not say what to expect (`edge`): it was made before they did. "
            "`pulumi up` writes them."
        )
    balanced = [url.removeprefix("https://") for url in outputs["urls"].values()]
    cdn, limit = edge["cdn"], edge["rateLimit"]
    return Expected(
        entries=[_entry(name, said) for name, said in edge["services"].items()],
        headers=edge["headers"],
        rate_limit=RateLimit(limit["requests"], limit["burst"], limit["windowS"]),
        max_body_bytes=edge["maxBodyBytes"],
        certificate_days=edge["certificateDays"],
        tls=dict.fromkeys(balanced, edge["tlsVersions"])
        | ({cdn["host"]: cdn["tlsVersions"]} if cdn["host"] else {}),
        cdn_host=cdn["host"],
        cdn_headers=cdn["headers"],
        balancer=outputs["loadBalancer"]["dnsName"],
        cdn_name=outputs["cdn"]["domainName"],
    )


def _entry(name: str, said: Mapping[str, Any]) -> Entry:
    auth = said["auth"]
    return Entry(
        service=name,
        host=said["host"],
        health_path=said["healthPath"],
        private_paths=said["privatePaths"],
        answers=said["answers"],
        cors_origins=said["corsOrigins"],
        cors_credentials=said["corsCredentials"],
        auth=Auth(
            path=auth["path"],
            key_header=auth["keyHeader"],
            key_secret_arn=auth["keySecretArn"],
            login_path=auth["loginPath"],
            login_secret_arn=auth["loginSecretArn"],
            token=auth["token"],
        ),
    )
