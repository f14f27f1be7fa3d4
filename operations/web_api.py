"""JSON APIs on the web, by way of the machine's proxies and authorities: Grafana's and GitHub's."""

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from operations.show import printable

TIMEOUT_S = 30
MESSAGE_BYTES = 1024**2
SHOWN = 200


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is for one host alone."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:  # noqa: ARG002
        return None


def body_of(request: urllib.request.Request, *handlers: urllib.request.BaseHandler, most_bytes: int) -> bytes:
    """Raises HTTPError, OSError and HTTPException, and ValueError for what is too large."""
    with urllib.request.build_opener(*_tls(request), *handlers).open(request, timeout=TIMEOUT_S) as answer:
        body = answer.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise ValueError("too large")
    return body


def _tls(request: urllib.request.Request) -> list[urllib.request.BaseHandler]:
    """Authorities are read only where one is met: some 20 ms."""
    if request.type != "https":
        return []
    return [urllib.request.HTTPSHandler(context=ssl.create_default_context())]


def reason(problem: Exception) -> str:
    return str(getattr(problem, "reason", problem))


def message(refused: urllib.error.HTTPError) -> str:
    """What the API says about its refusal, in its own words."""
    try:
        said = json.loads(refused.read(MESSAGE_BYTES)).get("message")
    except (ValueError, AttributeError, OSError):
        said = None
    return printable(str(said or "no reason given"))[:SHOWN].rstrip(".")
