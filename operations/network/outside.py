"""The load balancer's public addresses, asked from here port by port by a plain TCP connection."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from operations.network.declared import INTERNET, LOAD_BALANCER
from operations.network.findings import Found, Kind
from operations.network.live import Network
from operations.platform import Refusal

TIMEOUT_S = 3
MOST_ADDRESSES = 16  # a balancer has one or more in each zone
AT_ONCE = 32
# What a scan of a server would look for first: shells, mail, web, files, databases, caches, brokers, metrics.
PORTS = (
    *(
        21,
        22,
        23,
        25,
        53,
        80,
        110,
        111,
        143,
        443,
        445,
        465,
        587,
        993,
        995,
        1433,
        1521,
        2049,
        2375,
        2376,
        2379,
    ),
    *(3000, 3306, 3389, 4000, 5000, 5432, 5601, 5671, 5672, 5900, 6379, 6443, 8000, 8008, 8080, 8081, 8443),
    *(8888, 9000, 9090, 9091, 9092, 9093, 9100, 9121, 9187, 9200, 10250, 11211, 15671, 15672, 27017),
)


@dataclass(frozen=True)
class Answer:
    address: str
    port: int
    is_open: bool


def addresses(name: str) -> list[str]:
    """Raises Refusal where the name is not known here."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise Refusal(
            f"The load balancer's name {name} is not known here ({problem}): from outside nothing can be asked. The "
            "emulator's has no address; on AWS look at this machine's name server."
        ) from None
    return sorted({str(each[4][0]) for each in found})[:MOST_ADDRESSES]


def ask(places: Sequence[str], ports: Sequence[int], *, timeout_s: float = TIMEOUT_S) -> list[Answer]:
    """Every port of every address; some at once. It sends nothing."""
    pairs = [(address, port) for address in places for port in ports]

    def one(pair: tuple[str, int]) -> Answer:
        try:
            with socket.create_connection(pair, timeout=timeout_s):
                return Answer(*pair, is_open=True)
        except OSError:
            return Answer(*pair, is_open=False)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, pairs))


def look(network: Network, found: Found, ports: Sequence[int] = PORTS) -> None:
    """Only the ports that are declared from the internet may answer, and they must. Raises Refusal."""
    name = network.platform.outputs["loadBalancer"]["dnsName"]
    if not name:
        raise Refusal(
            f"{network.platform} has no load balancer whose addresses its outputs tell: nothing to ask from outside."
        )
    may = {each.port for each in network.edges if each.source == INTERNET and each.target == LOAD_BALANCER}
    places = addresses(name)
    inside = {each.port for each in network.edges if each.protocol == "tcp"}
    asked = sorted({*ports, *may, *inside})
    answers = ask(places, asked)
    for each in answers:
        if each.is_open and each.port not in may:
            said = f"{each.address} ({name}) answers on port {each.port}; only {_list(may)} may."
            remedy = (
                "Remove the rule or listener that the other findings name; where none does, something that is not the "
                "stack's answers at this address."
            )
            found.add(Kind.outside, f"{each.address}:{each.port}", said, remedy)
        elif each.port in may and not each.is_open:
            said = f"{each.address} ({name}) does not answer on port {each.port} within {TIMEOUT_S} s."
            remedy = (
                f"`groundwork network diagnose 503 --stack {network.platform.stack}`; or this machine may not go "
                "out."
            )
            found.add(Kind.outside, f"{each.address}:{each.port}", said, remedy)
    answered = sum(each.is_open for each in answers)
    found.seen.append(
        f"ports asked at {len(places)} public addresses: {len(asked)} each, answered: {answered}"
    )


def _list(ports: set[int]) -> str:
    return " and ".join(map(str, sorted(ports))) or "none"
