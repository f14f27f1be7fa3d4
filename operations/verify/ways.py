"""Where connections go: to the host that is asked, or elsewhere while its name does not lead there yet."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from operations.platform import Refusal

HTTPS, HTTP = 443, 80
_PART = r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)"
_RULE = re.compile(rf"(?:{_PART}:(\d*):)?{_PART}:(\d*)")


@dataclass(frozen=True)
class Way:
    """Connections to `host` and `port` go to `to_host` and `to_port`; what is empty or 0 stands for any, or stays."""

    host: str
    port: int
    to_host: str
    to_port: int


def ways(rules: Sequence[str]) -> list[Way]:
    """curl's HOST1:PORT1:HOST2:PORT2, or HOST:PORT, where HTTPS goes. Raises Refusal for anything else."""
    found = []
    for rule in rules:
        parts = _RULE.fullmatch(rule)
        if not parts or not parts[3]:
            raise Refusal(
                f"--connect-to is HOST:PORT, where HTTPS is to go, or HOST1:PORT1:HOST2:PORT2 as curl has it, "
                f"such as ::balancer.example.com: and not {rule}."
            )
        host, port, to_host, to_port = parts.groups()
        is_short = host is None
        found.append(
            Way(
                host=_bare(host or ""),
                port=HTTPS if is_short else int(port or 0),
                to_host=_bare(to_host),
                to_port=int(to_port or 0),
            )
        )
    return found


def _bare(host: str) -> str:
    return host.strip("[]")


def target(found: Sequence[Way], host: str, port: int) -> tuple[str, int]:
    """Where a connection to `host` and `port` goes; the first way that fits decides."""
    for way in found:
        if way.host in ("", host) and way.port in (0, port):
            return way.to_host, way.to_port or port
    return host, port
