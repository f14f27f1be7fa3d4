"""TLS: which versions are accepted, and whether the certificate is the host's own, known, and good for long enough."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from operations.verify.asking import Asking, each
from operations.verify.seen import Seen, judged
from operations.verify.web import Unreachable, Web, can_offer, only

VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
Outcome = Literal["accepted", "refused", "not offered"]
CERTIFICATE = "docs/runbooks/certificate.md."


def tls(asking: Asking) -> Iterator[Seen]:
    yield from each(asking.expected.tls, str, partial(_host, asking))


def _host(asking: Asking, host: str) -> Iterator[Seen]:
    wanted = asking.expected.tls[host]
    outcomes = {name: handshake(asking.web, host, version) for name, version in VERSIONS.items()}
    wrong, told = _versions(outcomes, wanted)
    trouble, days = _certificate(asking, host)
    if trouble:
        wrong.append(trouble)
    elif days < asking.expected.certificate_days:
        wrong.append(
            f"the certificate ends in {days} days, {asking.expected.certificate_days} are wanted, "
            "and ACM renews 60 days before"
        )
    yield judged(
        host,
        wrong,
        f"{told}; the certificate is the host's, its chain verifies, {days} days left",
        f"Versions come from ingress.tls_policy (`pulumi up --refresh`); the certificate: {CERTIFICATE}",
    )


def _versions(outcomes: dict[str, Outcome], wanted: Sequence[str]) -> tuple[list[str], str]:
    """What is wrong, and all of it in words. A version that cannot be tried is told, and no trouble of the host."""
    wrong = []
    for name, outcome in outcomes.items():
        if outcome == "accepted" and name not in wanted:
            wrong.append(f"{_shown(name)} is accepted, and only {_all(wanted)} should be")
        if outcome == "refused" and name in wanted:
            wrong.append(f"{_shown(name)} is refused, and should be accepted")
    told = [
        f"{_all([name for name, seen in outcomes.items() if seen == outcome])} {words}"
        for outcome, words in (
            ("accepted", "accepted"),
            ("refused", "refused"),
            ("not offered", "not tried (this machine's OpenSSL cannot offer it)"),
        )
        if outcome in outcomes.values()
    ]
    return wrong, ", ".join(told)


def _shown(name: str) -> str:
    return name.replace("TLSv", "TLS ").replace("TLS 1", "TLS 1.0") if name == "TLSv1" else f"TLS {name[4:]}"


def _all(names: Sequence[str]) -> str:
    return " and ".join(_shown(name) for name in names)


def handshake(web: Web, host: str, version: ssl.TLSVersion) -> Outcome:
    """Whether the host takes this version. Raises Unreachable where it takes no connection, or says nothing."""
    context = only(version)
    if not can_offer(context):
        return "not offered"
    with web.connected(host) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host):
                return "accepted"
        except TimeoutError:
            raise Unreachable("the connection is taken, and nothing said on it") from None
        except OSError:  # an alert, or a server that hangs up
            return "refused"


def _certificate(asking: Asking, host: str) -> tuple[str, int]:
    """What is wrong with it, and the days that it has left."""
    with asking.web.connected(host) as plain:
        try:
            with asking.web.trust.wrap_socket(plain, server_hostname=host) as secure:
                shown = secure.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            return f"the certificate does not hold: {error.verify_message.rstrip('.')}", 0
        except OSError as error:
            return f"no connection with TLS: {error}", 0
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return "", (ends - asking.now()).days
