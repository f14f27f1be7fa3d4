"""Dashboards of Grafana as JSON: where they come from, what a workspace is given, and its HTTP API."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from operations.platform import Refusal
from operations.show import printable
from operations.waits import Failed
from operations.web_api import NoRedirect, body_of, message, reason

GRAFANA_COM = "https://grafana.com"
# The largest on grafana.com are below 1 MB.
MAX_BYTES = 10 * 1024**2
MAX_UID = 40  # Grafana's Dashboard HTTP API, "Identifier (id) vs unique identifier (uid)"
PROMETHEUS = "prometheus"


@dataclass(frozen=True)
class Dashboard:
    """`uid` is what it has in every workspace, so that importing it again replaces it."""

    content: Mapping[str, Any]
    uid: str
    source: str

    @property
    def title(self) -> str:
        return printable(str(self.content["title"]))

    @property
    def inputs(self) -> list[Mapping[str, Any]]:
        """What Grafana would ask for when somebody imports it by hand."""
        return self.content.get("__inputs") or []

    def problems(self, *, has_prometheus: bool) -> Iterator[str]:
        """What keeps it from being imported here."""
        for each in self.inputs:
            kind = each.get("pluginId") or each.get("type")
            if each.get("type") == "datasource" and kind != PROMETHEUS:
                yield f"{self.source} asks for a data source of kind {kind}, and this stack's Grafana has none."
            elif each.get("type") == "datasource" and not has_prometheus:
                yield f"{self.source} asks for Prometheus, and this stack has none (`observability.prometheus`)."
            elif each.get("type") != "datasource" and "value" not in each:
                yield f"{self.source} asks for {each.get('name')} and gives no value: import it by hand."
        if self.content.get("__elements"):
            yield f"{self.source} has library panels, which only Grafana's own import makes: import it by hand."

    def ready(self, data_source_uid: str) -> dict[str, Any]:
        """With the inputs filled in, and without what only an import by hand reads."""
        values = {
            each["name"]: data_source_uid if each.get("type") == "datasource" else str(each["value"])
            for each in self.inputs
        }
        content = {key: each for key, each in self.content.items() if not key.startswith("__")}
        return {**_filled(content, values), "id": None, "uid": self.uid}


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return re.sub(r"\$\{([^}:]+)\}", lambda found: values.get(found[1], found[0]), value)
        case list():
            return [_filled(each, values) for each in value]
        case dict():
            return {key: _filled(each, values) for key, each in value.items()}
        case _:
            return value


def of_grafana_com(number: int) -> Dashboard:
    """The newest revision. Raises Refusal."""
    where = f"{GRAFANA_COM}/api/dashboards/{number}/revisions/latest/download"
    source = f"Dashboard {number}"
    try:
        content = _asked(urllib.request.Request(where))
    except urllib.error.HTTPError as refused:
        told = "has no such dashboard" if refused.code == 404 else f"answered {refused.code}"
        raise Refusal(f"{source}: grafana.com {told}.") from None
    except (OSError, HTTPException) as problem:
        raise Refusal(
            f"{source}: grafana.com cannot be reached ({reason(problem)}). Download it where there is internet, and "
            "give the file: --file."
        ) from None
    except ValueError:
        raise Refusal(f"{source}: what grafana.com gave is no JSON of a dashboard.") from None
    return _dashboard(content, source, f"grafana-com-{number}")


def of_file(path: Path) -> Dashboard:
    """Raises Refusal for what is no dashboard."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise Refusal(f"{path} cannot be read: {problem.strerror}.") from None
    except ValueError:
        raise Refusal(f"{path} is no JSON of a dashboard.") from None
    return _dashboard(content, str(path), f"file-{re.sub(r'[^A-Za-z0-9_-]+', '-', path.stem)}"[:MAX_UID])


def _dashboard(content: Any, source: str, uid: str) -> Dashboard:
    if not isinstance(content, dict) or not content.get("title"):
        raise Refusal(f"{source} is no JSON of a dashboard: it has no title.")
    return Dashboard(content, content.get("uid") or uid, source)


@dataclass(frozen=True)
class Workspace:
    """Grafana's HTTP API of one workspace. `repr` leaves the token out."""

    host: str
    token: str

    def __repr__(self) -> str:
        return f"Workspace({self.host!r})"

    def data_source(self, url: str, region: str) -> str:
        """The uid of its Prometheus; made where it has none. Requests are signed with the workspace's role."""
        name = PROMETHEUS
        found = self._ask("GET", "/api/datasources")
        for each in found:
            if each["type"] == PROMETHEUS and each["url"].rstrip("/") == url.rstrip("/"):
                return each["uid"]
        if any(each["name"] == name for each in found):
            name = f"{PROMETHEUS}-{url.rstrip('/').rpartition('/')[2]}"
        # `ec2_iam_role` is what Managed Grafana shows as "Workspace IAM Role".
        how = {
            "httpMethod": "POST",
            "sigV4Auth": True,
            "sigV4AuthType": "ec2_iam_role",
            "sigV4Region": region,
        }
        made = self._ask(
            "POST",
            "/api/datasources",
            {"name": name, "type": PROMETHEUS, "access": "proxy", "url": url, "jsonData": how},
        )
        return made["datasource"]["uid"]

    def put(self, dashboard: Dashboard, data_source_uid: str) -> str:
        """Made, or put over what has its uid; its address. Raises Failed."""
        made = self._ask(
            "POST",
            "/api/dashboards/db",
            {
                "dashboard": dashboard.ready(data_source_uid),
                "overwrite": True,
                "message": f"groundwork grafana import: {dashboard.source}",
            },
        )
        return f"https://{self.host}{made['url']}"

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        request = urllib.request.Request(
            f"https://{self.host}{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            return _asked(request, NoRedirect())
        except urllib.error.HTTPError as refused:
            raise Failed(f"Grafana refused {method} {path}: {message(refused)} ({refused.code}).") from None
        except (OSError, HTTPException) as problem:
            raise Failed(f"Grafana at {self.host} cannot be reached: {reason(problem)}.") from None
        except ValueError:
            raise Failed(f"Grafana's answer to {method} {path} is not JSON.") from None


def _asked(request: urllib.request.Request, *handlers: urllib.request.BaseHandler) -> Any:
    """Raises HTTPError, OSError and HTTPException, and ValueError for what is no JSON or is too large."""
    return json.loads(body_of(request, *handlers, most_bytes=MAX_BYTES))
