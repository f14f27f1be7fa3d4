"""The emulator, seen from the provider: boto3 clients that reach nothing but loopback, and the store of records."""

import ipaddress
import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3

CREATION_HEADER = "X-Groundwork-Creation"
REPLAYED_HEADER = "x-groundwork-replayed"

# The provider's own words for services, where they are not boto3's.
_ENDPOINT_NAMES: Mapping[str, Sequence[str]] = {
    "application-autoscaling": ("appautoscaling", "applicationautoscaling"),
    "amp": ("amp", "prometheus"),
    "cloudwatch": ("cloudwatch",),
    "elbv2": ("elbv2", "elb", "elasticloadbalancing", "elasticloadbalancingv2"),
    "events": ("events", "eventbridge", "cloudwatchevents"),
    "logs": ("logs", "cloudwatchlog", "cloudwatchlogs"),
    "grafana": ("grafana", "managedgrafana", "amg"),
    "s3": ("s3", "s3api"),
}


@cache
def _session() -> Any:
    """The services' models take most of a client's time; a session reads each of them once."""
    import boto3  # noqa: PLC0415 - a preview needs none of it

    return boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test")


class Refusal(Exception):
    """What the person who runs the stack should read; never a traceback."""


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Answer:
    content: dict[str, Any]
    replayed: bool  # the answer to an earlier, interrupted creation


@dataclass(frozen=True)
class Creation:
    """A creation that the emulator has answered: for which resource, and the names that were made up for it."""

    urn: str
    names: Mapping[str, str]


class Cloud:
    # Of all clouds of a process: their clients come from one session, which makes one at a time.
    _lock = threading.Lock()

    def __init__(self, endpoints: Mapping[str, str], region: str) -> None:
        self.region = region
        self._endpoints = {name.lower(): url for name, url in endpoints.items()}
        self._clients: dict[tuple[str, str], Any] = {}
        self._creating = threading.local()
        self._http = urllib3.PoolManager(
            maxsize=8, retries=False, timeout=urllib3.Timeout(connect=2, read=30)
        )

    def endpoint(self, service: str) -> str:
        """The service's address; refuses one that is missing or is not on this machine."""
        names = _ENDPOINT_NAMES.get(service, (service.replace("-", ""),))
        url = next((self._endpoints[name] for name in names if name in self._endpoints), None)
        if url is None:
            raise Refusal(
                f"aws:endpoints names no endpoint for {names[0]}. This provider only works on the AWS emulator of "
                f"this machine: `make up` starts it and sets the endpoints of the local stack."
            )
        if not is_loopback(url):
            raise Refusal(
                f"aws:endpoints sends {names[0]} to {url}, which is not on this machine. This provider is the "
                f"emulator's and never touches an AWS account; use the official one for a real deployment."
            )
        return url.rstrip("/")

    def client(self, service: str, region: str) -> Any:
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._new_client(service, region)
            return self._clients[key]

    def _new_client(self, service: str, region: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - a preview needs none of it

        url = self.endpoint(service)
        client = _session().client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_session_token=None,
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=3,
                read_timeout=60,
                max_pool_connections=16,
                s3={"addressing_style": "path"},
                inject_host_prefix=False,
                proxies={},
            ),
        )
        client.meta.events.register("before-call", self._mark_creation)
        return client

    def _mark_creation(self, params: dict[str, Any], **_: Any) -> None:
        mark = getattr(self._creating, "mark", None)
        if mark is not None:
            params["headers"][CREATION_HEADER] = mark

    @contextmanager
    def creating(self, urn: str, names: Mapping[str, str], *, replay: bool) -> Generator[None]:
        """Calls made inside carry the resource's name, so that the emulator can answer them a second time."""
        self._creating.mark = json.dumps({"urn": urn, "names": names, "replay": replay})
        try:
            yield
        finally:
            self._creating.mark = None

    def creations(self) -> dict[str, Creation]:
        """What the emulator has created for some URN; empty when there is no emulator (a preview needs none)."""
        base = self._any_endpoint()
        if base is None:
            return {}
        try:
            answer = self._http.request("GET", f"{base}/groundwork/creations")
        except urllib3.exceptions.HTTPError:
            return {}
        if answer.status != 200:
            return {}
        return {item["urn"]: Creation(item["urn"], item["names"]) for item in answer.json()}

    def forget_creation(self, urn: str) -> None:
        """What is deleted on purpose was no interrupted creation."""
        base = self._any_endpoint()
        if base is not None:
            self._request("DELETE", f"{base}/groundwork/creations/{quote(urn, safe='')}")

    def _any_endpoint(self) -> str | None:
        return next((url.rstrip("/") for url in self._endpoints.values() if is_loopback(url)), None)

    # Records: what the emulator has no API for.

    def add_record(self, token: str, record_id: str, content: Mapping[str, Any], service: str) -> Answer:
        """Makes a record; the answer has the id of the one that an interrupted run had made before."""
        mark = getattr(self._creating, "mark", None)
        answer = self._records(
            service,
            "POST",
            token,
            body=json.dumps({"id": record_id, "content": content}).encode(),
            headers={"Content-Type": "application/json"} | ({CREATION_HEADER: mark} if mark else {}),
        )
        if answer.status == 409:
            raise Refusal(f"the emulator already has a {token} called {record_id} that is not in this stack")
        return Answer(answer.json(), REPLAYED_HEADER in answer.headers)

    def put_record(self, token: str, record_id: str, content: Mapping[str, Any], service: str) -> None:
        self._records(service, "PUT", token, record_id, body=json.dumps(content).encode())

    def get_record(self, token: str, record_id: str, service: str) -> dict[str, Any] | None:
        answer = self._records(service, "GET", token, record_id)
        return answer.json() if answer.status == 200 else None

    def delete_record(self, token: str, record_id: str, service: str) -> None:
        self._records(service, "DELETE", token, record_id)

    def _records(self, service: str, method: str, *path: str, **options: Any) -> Any:
        places = "/".join(quote(part, safe="") for part in path)
        url = f"{self.endpoint(service)}/groundwork/records/{places}"
        return self._request(method, url, **options)

    def _request(self, method: str, url: str, **options: Any) -> Any:
        try:
            return self._http.request(method, url, **options)
        except urllib3.exceptions.HTTPError as problem:
            raise Refusal(no_answer(url)) from problem


def no_answer(url: str) -> str:
    return (
        f"the emulator at {urlsplit(url).netloc} does not answer: `make up` starts it, and goes on from here"
    )
