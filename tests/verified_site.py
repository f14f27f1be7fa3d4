"""A stack's public entry for tests of `groundwork verify`: its outputs, and an nginx in the load balancer's place."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.platform import Platform
from tests.real_programs import free_port
from tests.real_servers import Certificate, certificate, nginx_server

__all__ = ["Site", "asked", "authority"]

HOST, REDIRECT, CDN = "api.shop.example", "grafana.shop.example", "cdn.shop.example"
ORIGIN = "https://app.shop.example"
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NO_AUTH = dict.fromkeys(("path", "keyHeader", "keySecretArn", "loginPath", "loginSecretArn", "token"), "")


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "host": HOST,
        "healthPath": "/health",
        "privatePaths": [],
        "answers": {},
        "corsOrigins": [],
        "corsCredentials": False,
        "auth": NO_AUTH,
        **changes,
    }


def outputs(*, services: Mapping[str, Any] | None = None, **edge: Any) -> dict[str, Any]:
    """Of a stack with one public service, `api`. `edge` are changes to what is expected."""
    return {
        "system": "rentalfix",
        "environment": "prod",
        "region": "us-east-1",
        "urls": {"api": f"https://{HOST}"},
        "loadBalancer": {"dnsName": "", "arn": ""},
        "cdn": {"url": "", "distributionId": "", "domainName": ""},
        "kubernetes": {"cluster": "", "namespace": ""},
        "cluster": "",
        "services": {},
        "servicesToPush": [],
        "tasks": {},
        "alarms": [],
        "edge": {
            "services": {"api": entry()} if services is None else services,
            "headers": {},
            "rateLimit": {"requests": 100, "burst": 20, "windowS": 60},
            "maxBodyBytes": 0,
            "tlsVersions": ["TLSv1.2", "TLSv1.3"],
            "certificateDays": 30,
            "cdn": {"host": "", "headers": {}, "tlsVersions": []},
            **edge,
        },
    }


@dataclass(frozen=True)
class Site:
    """Where it listens, for HTTPS and for HTTP."""

    https: int
    http: int

    @property
    def options(self) -> list[str]:
        return [f"--connect-to=:443:127.0.0.1:{self.https}", f"--connect-to=:80:127.0.0.1:{self.http}"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for all of the stack's hosts, and the only authority that knows it."""
    return certificate(tmp_path_factory.mktemp("authority"), HOST, REDIRECT, CDN, valid_days=90)


@contextmanager
def site(
    folder: Path,
    shown: Certificate,
    locations: str = 'location / { return 200 "here"; }',
    *,
    tls: str = "ssl_protocols TLSv1.2 TLSv1.3;",
    around: str = "",
    http: str = "return 301 https://$host$request_uri;",
) -> Generator[Site]:
    """An nginx with these parts: `around` its servers, `tls` and `locations` of HTTPS, `http` of port 80."""
    made = Site(free_port(), free_port())
    servers = f"""
    {around}
    server {{
        listen 127.0.0.1:{made.https} ssl;
        ssl_certificate {shown.certificate};
        ssl_certificate_key {shown.key};
        {tls}
        {locations}
    }}
    server {{ listen 127.0.0.1:{made.http}; {http} }}
    """
    with nginx_server(folder, servers, port=made.https):
        yield made


@pytest.fixture
def asked(authority: Certificate, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """`verify` of these checks on a stack: what it has seen, as rows."""

    def run(
        platform: Platform | dict[str, Any],
        *arguments: str,
        at: Site | None = None,
        code: int = 0,
        ca_file: Path | None = None,
    ) -> list[dict[str, Any]]:
        opened = Platform("rentalfix", "prod", platform) if isinstance(platform, dict) else platform
        monkeypatch.setattr("operations.verify.command.opened", lambda *_: opened)
        trusted = [f"--ca-file={ca_file or authority.certificate}"]
        given = ["verify", *arguments, *(at.options if at else []), *trusted, "--json", "--stack", "prod"]
        result = CliRunner().invoke(command.app, given)
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.output)

    return run


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Subject, state and what was seen."""
    return [(row["subject"], row["state"], row["seen"]) for row in rows]
