"""How a command comes to a stack's cache: by TLS, with the token out of Secrets Manager, to each shard's primary.

The server's name is always checked against its certificate, through a tunnel too: the token is sent at once.
"""

import functools
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    SYSTEM,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
)
from operations.policy.stacks import unknown
from operations.reaching import taking, tunnel_end

if TYPE_CHECKING:
    import redis

    Client = redis.Redis

CacheOption = Annotated[
    str | None, typer.Option("--cache", help="By its name in the system file. Left out: the only one.")
]
TUNNEL_PORT = 16379


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a command line says of it; `asking` makes an option of each field."""

    cache: CacheOption = None
    via: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where a tunnel to the cache begins; its name stays checked."),
    ] = None
    ca: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of another authority than those of this machine, which ElastiCache's own is one of."
        ),
    ] = None
    timeout: Annotated[int, typer.Option(min=1, help="Seconds that one answer may take.")] = 10
    system: SystemOption = SYSTEM
    stack: StackOption = LOCAL
    outputs: OutputsOption = None


@dataclass(frozen=True)
class Node:
    """A primary; `name` is its host, in a cluster with the port."""

    name: str
    client: "Client" = field(repr=False)


def choose(platform: Platform, name: str | None) -> tuple[str, Mapping[str, Any]]:
    """The cache's name and its part of the outputs. Raises Refusal for one that is not there, and for a choice."""
    caches = platform.outputs["caches"]
    if not caches:
        raise Refusal(f"{platform} has no cache of its own.")
    if name is None and len(caches) > 1:
        raise Refusal(f"{platform} has the caches {', '.join(caches)}: say which with --cache.")
    chosen = name or next(iter(caches))
    if chosen not in caches:
        raise Refusal(unknown("cache", chosen, list(caches), of=f" of {platform.system}"))
    return chosen, caches[chosen]


@dataclass(frozen=True)
class Cache:
    """One of a stack's caches, as a command sees it."""

    platform: Platform
    reach: Reach

    @cached_property
    def name(self) -> str:
        return choose(self.platform, self.reach.cache)[0]

    @cached_property
    def said(self) -> Mapping[str, Any]:
        return choose(self.platform, self.reach.cache)[1]

    @cached_property
    def token(self) -> str:
        """Raises Refusal where the secret is empty."""
        arn, client = self.said["tokenSecretArn"], self.platform.client("secretsmanager")
        try:
            return client.get_secret_value(SecretId=arn)["SecretString"]
        except client.exceptions.ResourceNotFoundException:
            raise Refusal(f"{arn} holds no token. `pulumi up` writes it.") from None

    @contextmanager
    def nodes(self) -> Generator[list[Node]]:
        """A client for each shard's primary; for a cache without cluster mode, the one. Raises Refusal.

        Through a tunnel only the node is reached that it leads to, and a note says so.
        """
        host, port = self.said["endpoint"], self.said["port"]
        with self._told(host, port):
            first = self._client(host, port)
            opened_ = [first]
            try:
                places = _primaries(first)
                if not places:
                    yield [Node(host, first)]
                elif self.reach.via:
                    typer.echo(
                        f"Note: {self.name} has {len(places)} shards; through a tunnel only the one that it leads to "
                        "is asked.",
                        err=True,
                    )
                    yield [Node(self.reach.via, first)]
                else:
                    opened_ += [self._client(each or host, number) for each, number in places]
                    yield [
                        Node(f"{each or host}:{number}", client)
                        for (each, number), client in zip(places, opened_[1:], strict=True)
                    ]
            finally:
                for client in opened_:
                    client.close()

    def _client(self, host: str, port: int) -> "Client":
        import redis  # noqa: PLC0415 so that `--help` stays quick
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        to_host, to_port = (
            tunnel_end(self.reach.via, example_port=TUNNEL_PORT) if self.reach.via else (host, port)
        )
        pool = redis.ConnectionPool(
            connection_class=_named(),
            server_name=host,
            host=to_host,
            port=to_port,
            password=self.token,
            ssl_ca_certs=self._authorities(),
            socket_timeout=self.reach.timeout,
            socket_connect_timeout=self.reach.timeout,
            decode_responses=True,
            encoding_errors="replace",
            client_name="groundwork",
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        client: Any = redis.Redis.from_pool(pool)
        return client

    def _authorities(self) -> str | None:
        if self.reach.ca is None:
            return None
        if not self.reach.ca.is_file():
            raise Refusal(f"There is no file {self.reach.ca}. Leave --ca out, and this machine's are taken.")
        return str(self.reach.ca)

    @contextmanager
    def _told(self, host: str, port: int) -> Generator[None]:
        """What Redis or the way to it refuses, as a sentence without the token."""
        import redis  # noqa: PLC0415

        try:
            yield
        except redis.ResponseError as error:
            raise Refusal(f"{self.name} said: {self._clean(error)}. {_remedy(str(error))}".rstrip()) from None
        except (redis.RedisError, OSError) as error:
            text = self._clean(error)
            found = _remedy(text)
            if found:
                raise Refusal(f"{self.name} did not let us in ({text}). {found}") from None
            through_ = f" through {self.reach.via}" if self.reach.via else ""
            raise Refusal(
                f"{self.name} at {host}:{port} cannot be reached from here{through_} ({text}). {self.way_in()}"
            ) from None

    def _clean(self, error: Exception) -> str:
        return " ".join(str(error).split()).replace(self.token, "...").rstrip(".")

    def way_in(self) -> str:
        """What somebody outside the stack's network does."""
        if self.platform.endpoint_url:
            return (
                "The local stack's cache is only written down in the emulator, no Redis answers there: --via HOST:PORT "
                "leads to one of your own."
            )
        if self.reach.via:
            return "Look whether the tunnel still stands, and whether it leads to this cache."
        task = "The task `redis` asks from inside: docs/runbooks/cache.md"
        tunnel = (
            f"`groundwork redis tunnel --cache {self.name} --stack {self.platform.stack}` in a second shell opens one "
            f"through a running task, and --via localhost:{TUNNEL_PORT} uses it"
        )
        vpn = self.platform.outputs.get("vpn")
        join = f"join the stack's VPN ({vpn}). Or: " if vpn else ""
        return f"It is in a private network: {join}{tunnel}. {task}."


def _remedy(error: str) -> str:
    remedies = {
        r"invalid username-password|WRONGPASS|NOAUTH": (
            "The token in Secrets Manager is not the cache's: a rotation is under way, or was stopped. `pulumi up` "
            "sets it."
        ),
        r"(?i)hostname mismatch|doesn't match": (
            "Somebody else answers there: the tunnel of --via leads to another server."
        ),
        r"(?i)certificate": "Its certificate is of no authority that is trusted here; --ca names another.",
        r"NOPERM|unknown command": "The cache does not allow this command.",
        r"LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN": (
            "It is starting or changing over: run the same command again in a minute."
        ),
    }
    return next((said for pattern, said in remedies.items() if re.search(pattern, error)), "")


@functools.cache
def _named() -> Any:
    from redis.connection import SSLConnection  # noqa: PLC0415

    class Named(SSLConnection):
        """Checks the certificate for the cache's own name, wherever the connection begins."""

        def __init__(self, *, server_name: str, **given: Any) -> None:
            self._server_name = server_name
            super().__init__(**given)

        def _wrap_socket_with_ssl(self, sock: Any) -> Any:
            at, self.host = self.host, self._server_name
            try:
                return super()._wrap_socket_with_ssl(sock)
            finally:
                self.host = at

    return Named


def _primaries(client: "Client") -> Sequence[tuple[str, int]]:
    """Host and port of each shard's primary, a host being "" for the one that was asked; none without cluster mode."""
    about: Any = client.info("cluster")
    if not about.get("cluster_enabled"):
        return []
    # A range of slots is its first, its last, the primary and the replicas; a node is its host, its port and more.
    slots: Any = client.execute_command("CLUSTER", "SLOTS")
    return sorted({(primary[0] or "", int(primary[1])) for _, _, primary, *_ in slots})


@contextmanager
def _entered(reach: Reach) -> Generator[Cache]:
    with explained():
        yield Cache(opened(reach.system, reach.stack, reach.outputs), reach)


asking = taking(Reach, _entered)
