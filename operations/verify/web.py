"""HTTP and TLS towards a stack's hosts, as somebody outside comes to them."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from operations.platform import Refusal
from operations.verify.ways import HTTP, HTTPS, Way, target

TIMEOUT_S = 10
MOST_BYTES = 256 * 1024  # of an answer that is read
MOST_CONNECTIONS = 8
AGENT = "groundwork-verify"


class Unreachable(Exception):
    """No answer; a sentence without its end that says why."""


@dataclass(frozen=True)
class Answer:
    """`headers` by lower case name, each value by itself."""

    status: int
    headers: Mapping[str, Sequence[str]]
    body: bytes
    took_ms: float

    def header(self, name: str) -> str:
        """Its value, several joined by commas; empty where it is missing."""
        return ", ".join(self.headers.get(name.lower(), ()))


@dataclass
class Web:
    """`ca_file` stands in for the machine's authorities. `asked` counts requests."""

    ways: Sequence[Way] = ()
    ca_file: Path | None = None
    asked: int = 0
    _pools: dict[tuple[str, int], Any] = field(default_factory=dict)
    _away: dict[tuple[str, int], str] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Raises Refusal for a file that holds no certificate."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as problem:
            raise Refusal(f"{self.ca_file} cannot be used as --ca-file: {problem}.") from None

    def ask(
        self,
        host: str,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        port: int = HTTPS,
    ) -> Answer:
        """One answer; a redirect is not followed. Raises Unreachable."""
        import urllib3  # noqa: PLC0415 so that `--help` stays quick

        self._known_away(host, port)
        began = time.monotonic()
        with self._lock:
            self.asked += 1
            pool = self._pool(host, port)
        try:
            response = pool.urlopen(
                method,
                path,
                headers={"Host": host, "User-Agent": AGENT, **(headers or {})},
                body=body,
                redirect=False,
                preload_content=False,
                pool_timeout=TIMEOUT_S,
            )
            read = response.read(MOST_BYTES)
            if len(read) == MOST_BYTES:
                response.close()
            response.release_conn()
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            self._away[target(self.ways, host, port)] = _said(error)
            raise Unreachable(self._away[target(self.ways, host, port)]) from None
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(_said(error)) from None
        named = {name.lower(): response.headers.getlist(name) for name in response.headers}
        return Answer(response.status, named, read, (time.monotonic() - began) * 1000)

    def _pool(self, host: str, port: int) -> Any:
        import urllib3  # noqa: PLC0415

        if (host, port) not in self._pools:
            to_host, to_port = target(self.ways, host, port)
            patience: dict[str, Any] = {
                "timeout": TIMEOUT_S,
                "retries": False,
                "maxsize": MOST_CONNECTIONS,
                "block": True,
            }
            if port == HTTP:
                pool = urllib3.HTTPConnectionPool(to_host, to_port, **patience)
            else:
                pool = urllib3.HTTPSConnectionPool(
                    to_host, to_port, ssl_context=self.trust, server_hostname=host, **patience
                )
            self._pools[host, port] = pool
        return self._pools[host, port]

    def _known_away(self, host: str, port: int) -> None:
        """A host that did not answer is not waited for again by each check."""
        if away := self._away.get(target(self.ways, host, port)):
            raise Unreachable(away)

    @contextlib.contextmanager
    def connected(self, host: str) -> Generator[socket.socket]:
        """A connection to where HTTPS of the host is, before any TLS. Raises Unreachable."""
        self._known_away(host, HTTPS)
        to = target(self.ways, host, HTTPS)
        try:
            connection = socket.create_connection(to, timeout=TIMEOUT_S)
        except OSError as error:
            self._away[to] = f"{to[0]}:{to[1]} does not take connections ({error})"
            raise Unreachable(self._away[to]) from None
        with connection:
            yield connection

    def announce(self, host: str, path: str, length: int) -> int:
        """The status for a POST that announces so many bytes, of which none is sent. Raises Unreachable."""
        with self.connected(host) as plain:
            try:
                with self.trust.wrap_socket(plain, server_hostname=host) as secure:
                    self.asked += 1
                    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\n"
                    kind = "Content-Type: application/octet-stream\r\n"
                    secure.sendall(f"{head}{kind}Content-Length: {length}\r\n\r\n".encode())
                    answer = http.client.HTTPResponse(secure, method="POST")
                    answer.begin()
                    return answer.status
            except TimeoutError:
                raise Unreachable(f"it waits for the body of {length} bytes") from None
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(str(error) or type(error).__name__) from None

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def _said(error: Exception) -> str:
    """urllib3's words without the object that it speaks of."""
    text = str(error.args[-1] if error.args else error)
    return text.rpartition("object at ")[2].partition(": ")[2] or text if "object at " in text else text


def only(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks this version and no other, and looks at no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        # Python calls TLS 1.0 and 1.1 deprecated, which is why they are asked for here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def can_offer(context: ssl.SSLContext) -> bool:
    """Whether this machine's OpenSSL says hello in that version at all: distributions switch old ones off."""
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()).do_handshake()
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return False
