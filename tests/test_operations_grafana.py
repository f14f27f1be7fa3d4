"""`groundwork grafana import`. AWS's answers are the test's own, checked against botocore's model; Grafana and
grafana.com are stand-ins: one HTTPS server that keeps what it is given. No real workspace has been asked."""

import http.server
import json
import re
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as program
from operations import dashboards, grafana
from tests.aws_cloud import OUTPUTS, Cloud, refusal
from tests.real_servers import certificate

KEY = "glsa_a-token-that-nobody-may-read"
PROMETHEUS = "https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-1/"
ASKS = {"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus"}
NESTJS = {
    "__inputs": [ASKS, {"name": "VAR_JOB", "type": "constant", "value": "core-matching"}],
    "__requires": [{"type": "panel", "id": "graph"}],
    "id": 7,
    "title": "NestJS\x1b[2J Metrics",
    "panels": [
        {"datasource": {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}, "id": 1},
        {"datasource": "${DS_PROMETHEUS}", "targets": [{"expr": 'up{job="${VAR_JOB}", host="${host}"}'}]},
    ],
}


class Server(http.server.ThreadingHTTPServer):
    """What the stand-in answers by path, and what it was asked and given."""

    authority: Path
    answers: dict[str, Any]
    asked: list[Any]
    sources: list[dict[str, Any]]
    boards: dict[str, Any]


class StandIn(http.server.BaseHTTPRequestHandler):
    """Grafana's HTTP API as far as it is used, and grafana.com's downloads."""

    server: Server  # ty: ignore[incompatible-mutable-override]

    def do_GET(self):
        self._take(None)

    def do_POST(self):
        self._take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _take(self, given):
        answer = self.server.answers.get(self.path)
        if not self.path.endswith("/download"):
            self.server.asked.append((self.command, self.path, given))
            if self.headers["Authorization"] != f"Bearer {KEY}":
                return self._say(401, {"message": "Invalid API key"})
        if answer is None:
            return self._say(404, {"message": "not here"})
        return self._say(*(answer(given) if callable(answer) else answer))

    def _say(self, code, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/api/datasources")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grafana")
    files = certificate(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with Server(("127.0.0.1", 0), StandIn) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.authority = files.certificate
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def workspace(server, monkeypatch):
    """An empty Grafana; it keeps what it is given under `sources` and `boards`."""
    server.asked, server.sources, server.boards = [], [], {}

    def add_source(given):
        server.sources.append({**given, "uid": f"uid-{len(server.sources)}"})
        return 200, {"datasource": server.sources[-1]}

    def put_board(given):
        board = given["dashboard"]
        if board["uid"] in server.boards and not given["overwrite"]:
            return 412, {"message": "exists"}
        server.boards[board["uid"]] = board
        return 200, {"url": f"/d/{board['uid']}/x", "uid": board["uid"]}

    server.answers = {
        "/api/dashboards/15038/revisions/latest/download": (200, NESTJS),
        "/api/datasources": lambda given: add_source(given) if given else (200, server.sources),
        "/api/dashboards/db": put_board,
    }
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    monkeypatch.setattr(dashboards, "GRAFANA_COM", f"https://localhost:{server.server_port}")
    return server


@pytest.fixture
def cloud(workspace, monkeypatch):
    host = f"localhost:{workspace.server_port}"
    said = {"grafana": host, "grafanaDashboards": [15038], "prometheus": PROMETHEUS}
    made = Cloud("rentalfix", "prod", {**OUTPUTS, **said}, None)
    made.says("ListWorkspaces", {"workspaces": [described("g-other", "elsewhere"), described("g-1", host)]})
    made.says("ListWorkspaceServiceAccounts", {"serviceAccounts": [], "workspaceId": "g-1"})
    made.says(
        "CreateWorkspaceServiceAccount",
        lambda given: {"id": "7", "name": given["name"], "grafanaRole": "ADMIN", "workspaceId": "g-1"},
    )
    made.says(
        "CreateWorkspaceServiceAccountToken",
        {
            "serviceAccountToken": {"id": "1", "name": "token", "key": KEY},
            "serviceAccountId": "7",
            "workspaceId": "g-1",
        },
    )
    made.says("DeleteWorkspaceServiceAccount", {"serviceAccountId": "7", "workspaceId": "g-1"})
    monkeypatch.setattr(grafana, "opened", lambda *_: made)
    return made


def described(identifier: str, endpoint: str, status: str = "ACTIVE") -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": identifier,
        "endpoint": endpoint,
        "status": status,
        "created": now,
        "modified": now,
        "grafanaVersion": "10.4",
        "authentication": {"providers": ["AWS_SSO"]},
    }


def groundwork(*words: Any, code: int = 0, yes: bool = True) -> Any:
    given = ["grafana", "import", *map(str, words), "--stack", "prod", *(["--yes"] if yes else [])]
    result = CliRunner().invoke(program.app, given)
    assert result.exit_code == code, (result.output, result.exception)
    assert KEY not in result.output
    return result


def operations(cloud: Cloud) -> list[str]:
    return [name for name, _ in cloud.asked]


def test_the_stacks_dashboards_are_imported_with_its_prometheus(cloud, workspace):
    [row] = json.loads(groundwork("--json").stdout)
    assert row == {
        "dashboard": "NestJS [2J Metrics",
        "uid": "grafana-com-15038",
        "address": f"https://localhost:{workspace.server_port}/d/grafana-com-15038/x",
    }
    [source] = workspace.sources
    assert (source["type"], source["url"], source["access"]) == ("prometheus", PROMETHEUS, "proxy")
    assert source["jsonData"] == {
        "httpMethod": "POST",
        "sigV4Auth": True,
        "sigV4AuthType": "ec2_iam_role",
        "sigV4Region": "us-east-1",
    }
    assert workspace.boards["grafana-com-15038"] == {
        "id": None,
        "uid": "grafana-com-15038",
        "title": "NestJS\x1b[2J Metrics",
        "panels": [
            {"datasource": {"type": "prometheus", "uid": "uid-0"}, "id": 1},
            {"datasource": "uid-0", "targets": [{"expr": 'up{job="core-matching", host="${host}"}'}]},
        ],
    }


def test_the_service_account_is_made_for_it_and_removed(cloud):
    groundwork()
    assert operations(cloud)[-3:] == [
        "CreateWorkspaceServiceAccount",
        "CreateWorkspaceServiceAccountToken",
        "DeleteWorkspaceServiceAccount",
    ]
    [account] = cloud.calls("CreateWorkspaceServiceAccount")
    assert account["grafanaRole"] == "ADMIN"
    assert not grafana.is_left_behind(account["name"], datetime.now(UTC))
    [made] = cloud.calls("CreateWorkspaceServiceAccountToken")
    assert made["secondsToLive"] == 900
    assert cloud.calls("DeleteWorkspaceServiceAccount") == [
        {"workspaceId": "g-1", "serviceAccountId": "7"},
    ]


def test_importing_again_replaces_and_makes_no_second_data_source(cloud, workspace):
    groundwork()
    groundwork()
    assert len(workspace.sources) == len(workspace.boards) == 1
    assert sum(path == "/api/dashboards/db" for _, path, _ in workspace.asked) == 2


def test_a_data_source_that_is_there_is_taken_whatever_its_name(cloud, workspace):
    workspace.sources.append(
        {"type": "prometheus", "name": "mine", "url": PROMETHEUS.rstrip("/"), "uid": "mine"}
    )
    groundwork()
    assert len(workspace.sources) == 1
    assert workspace.boards["grafana-com-15038"]["panels"][1]["datasource"] == "mine"


def test_a_name_that_another_one_has_is_not_taken(cloud, workspace):
    workspace.sources.append({"type": "loki", "name": "prometheus", "url": PROMETHEUS, "uid": "loki"})
    groundwork()
    assert [each["name"] for each in workspace.sources] == ["prometheus", "prometheus-ws-1"]


def test_a_file_needs_no_internet_and_keeps_its_uid(cloud, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(dashboards, "GRAFANA_COM", "https://grafana.invalid")
    named, unnamed = tmp_path / "named.json", tmp_path / "Our queues.json"
    named.write_text(json.dumps({"title": "Named", "uid": "abc"}))
    unnamed.write_text(json.dumps({"title": "Unnamed"}))
    groundwork("--file", named, "--file", unnamed)
    assert list(workspace.boards) == ["abc", "file-Our-queues"]


def test_without_prometheus_no_data_source_is_made(cloud, workspace, tmp_path):
    cloud.outputs["prometheus"] = ""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"title": "CloudWatch only"}))
    groundwork("--file", path)
    assert (workspace.sources, list(workspace.boards)) == ([], ["file-a"])


def test_a_dry_run_and_an_unanswered_question_change_nothing(cloud, workspace):
    tried = groundwork("--dry-run", "--json")
    said = tried.stderr
    told = json.loads(tried.stdout)
    assert told["stack"] == str(cloud)
    assert [f"  would {each}" in said for each in told["would"]] == [True] * 3
    assert (
        "would make a service account with the role ADMIN in workspace g-1, which AWS bills as a user" in said
    )
    assert f"would make a data source for {PROMETHEUS}, if there is none" in said
    assert 'would import "NestJS [2J Metrics", over what has the uid grafana-com-15038' in said
    assert "Nobody is there to say yes." in groundwork(yes=False, code=2).stderr
    assert set(operations(cloud)) == {"ListWorkspaces"}
    assert workspace.asked == []


# What goes wrong under way


def test_the_account_goes_where_grafana_refuses(cloud, workspace):
    workspace.answers["/api/datasources"] = (403, {"message": "You'll need additional permissions."})
    said = groundwork(code=1).stderr
    assert "Grafana refused GET /api/datasources: You'll need additional permissions (403)." in said
    assert len(cloud.calls("DeleteWorkspaceServiceAccount")) == 1


def test_the_account_goes_where_somebody_interrupts(cloud, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(grafana, "imported", interrupt)
    result = CliRunner().invoke(program.app, ["grafana", "import", "--stack", "prod", "--yes"])
    assert result.exit_code != 0
    assert len(cloud.calls("DeleteWorkspaceServiceAccount")) == 1


def test_the_account_goes_where_there_is_no_token(cloud):
    cloud.says("CreateWorkspaceServiceAccountToken", refusal("ThrottlingException", "slow down"))
    said = groundwork(code=2).stderr
    assert "AWS refused CreateWorkspaceServiceAccountToken: slow down (ThrottlingException)." in said
    assert len(cloud.calls("DeleteWorkspaceServiceAccount")) == 1


@pytest.mark.parametrize("is_refused", [False, True])
def test_an_account_that_stays_is_told(cloud, workspace, is_refused):
    cloud.says("DeleteWorkspaceServiceAccount", refusal("InternalServerException", "oh"))
    if is_refused:
        workspace.answers["/api/datasources"] = (403, {"message": "no"})
    result = groundwork(code=1)
    assert "The service account 7 of workspace g-1 is left behind" in result.stderr
    assert (
        "delete-workspace-service-account --workspace-id g-1 --service-account-id 7` removes it"
        in result.stderr
    )
    assert ("NestJS" in result.stdout) != is_refused
    assert ("Grafana refused GET" in result.stderr) == is_refused


def test_accounts_of_imports_that_were_killed_go_first(cloud):
    old, young = (
        f"{grafana.ACCOUNT}{datetime.now(UTC) - age:{grafana.STAMP}}"
        for age in (timedelta(minutes=61), timedelta(minutes=59))
    )
    names = [old, young, "somebody", old.removeprefix(grafana.ACCOUNT), f"{grafana.ACCOUNT}x"]
    accounts = [
        {"id": str(number), "name": name, "isDisabled": "false", "grafanaRole": "ADMIN"}
        for number, name in enumerate(names)
    ]
    cloud.says("ListWorkspaceServiceAccounts", {"serviceAccounts": accounts, "workspaceId": "g-1"})
    groundwork()
    assert [each["serviceAccountId"] for each in cloud.calls("DeleteWorkspaceServiceAccount")] == ["0", "7"]


def test_one_that_fails_does_not_keep_the_others_away(cloud, workspace, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"title": "Other", "uid": "other"}))
    put = workspace.answers["/api/dashboards/db"]
    workspace.answers["/api/dashboards/db"] = lambda given: (
        (400, b"<html>") if given["dashboard"]["uid"] == "grafana-com-15038" else put(given)
    )
    result = groundwork(15038, "--file", path, "--json", code=1)
    assert [row["uid"] for row in json.loads(result.stdout)] == ["other"]
    assert "Dashboard 15038: Grafana refused POST /api/dashboards/db: no reason given (400)." in result.stderr
    assert list(workspace.boards) == ["other"]
    assert "Other" in result.stdout


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((302, b""), "Grafana refused GET /api/datasources: no reason given (302)."),
        ((200, b"<html>"), "Grafana's answer to GET /api/datasources is not JSON."),
    ],
)
def test_the_token_follows_no_redirect_and_a_page_is_no_answer(cloud, workspace, answer, sentence):
    workspace.answers["/api/datasources"] = answer
    assert sentence in groundwork(code=1).stderr
    assert len(workspace.asked) == 1


def test_a_grafana_out_of_reach_is_told(cloud, monkeypatch):
    monkeypatch.setattr(grafana, "collected", lambda *_: [dashboards.Dashboard({"title": "x"}, "x", "x")])
    monkeypatch.delenv("SSL_CERT_FILE")
    assert re.search(r"Grafana at localhost:\d+ cannot be reached: .*CERTIFICATE", groundwork(code=1).stderr)


# Refusals


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        ({"grafana": ""}, "has no Grafana. `observability.grafana` of the stack file makes one."),
        ({"grafana": "g-9.example"}, "There is no workspace at g-9.example in us-east-1 any more."),
        ({"grafana": "elsewhere"}, "Workspace g-other is UPDATING: wait until it is ACTIVE."),
        ({"grafanaDashboards": []}, "No dashboard is named: give its number on grafana.com, --file, or"),
        (
            {"prometheus": ""},
            "Dashboard 15038 asks for Prometheus, and this stack has none (`observability.prometheus`).",
        ),
    ],
)
def test_what_is_missing_is_told_before_anything_is_made(cloud, outputs, sentence):
    host = cloud.outputs["grafana"]
    workspaces = [described("g-other", "elsewhere", "UPDATING"), described("g-1", host)]
    cloud.says("ListWorkspaces", {"workspaces": workspaces})
    cloud.outputs.update(outputs)
    assert sentence in groundwork(code=2).stderr
    assert "CreateWorkspaceServiceAccount" not in operations(cloud)


def test_the_emulator_has_no_grafana(cloud):
    object.__setattr__(cloud, "endpoint_url", "http://localhost:4566")
    assert "Grafana is only written down there, nothing answers." in groundwork(code=2).stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>", "Dashboard 15038: what grafana.com gave is no JSON of a dashboard."),
        (
            b" " * (dashboards.MAX_BYTES + 1),
            "Dashboard 15038: what grafana.com gave is no JSON of a dashboard.",
        ),
        ({"panels": []}, "Dashboard 15038 is no JSON of a dashboard: it has no title."),
        (
            {"title": "x", "__inputs": [{"name": "DS", "type": "datasource", "pluginId": "loki"}]},
            "Dashboard 15038 asks for a data source of kind loki, and this stack's Grafana has none.",
        ),
        (
            {"title": "x", "__inputs": [{"name": "VAR", "type": "constant"}]},
            "Dashboard 15038 asks for VAR and gives no value: import it by hand.",
        ),
        (
            {"title": "x", "__elements": {"a": {}}},
            "Dashboard 15038 has library panels, which only Grafana's own import makes: import it by hand.",
        ),
    ],
)
def test_what_cannot_be_imported_is_refused(cloud, workspace, content, sentence):
    workspace.answers["/api/dashboards/15038/revisions/latest/download"] = (200, content)
    assert sentence in groundwork(code=2).stderr


def test_all_that_is_wrong_is_told_at_once(cloud, workspace, tmp_path):
    workspace.answers["/api/dashboards/2/revisions/latest/download"] = (503, b"")
    broken, missing = tmp_path / "broken.json", tmp_path / "missing.json"
    broken.write_text("{")
    said = groundwork(1, 2, "--file", broken, "--file", missing, code=2).stderr
    assert "Dashboard 1: grafana.com has no such dashboard." in said
    assert "Dashboard 2: grafana.com answered 503." in said
    assert f"{broken} is no JSON of a dashboard." in said
    assert f"{missing} cannot be read: No such file or directory." in said


def test_two_of_one_uid_are_refused(cloud, tmp_path):
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    for path in (one, two):
        path.write_text(json.dumps({"title": "x", "uid": "same"}))
    said = groundwork("--file", one, "--file", two, code=2).stderr
    assert f"{two} has the uid same of another one here: import them one by one." in said


def test_without_internet_a_file_is_named_as_the_way(cloud, monkeypatch):
    monkeypatch.setattr(dashboards, "GRAFANA_COM", "https://grafana.invalid")
    said = groundwork(code=2).stderr
    assert "Dashboard 15038: grafana.com cannot be reached (" in said
    assert "give the file: --file." in said


def test_the_token_is_not_in_what_is_written_of_a_workspace():
    assert repr(dashboards.Workspace("host", KEY)) == "Workspace('host')"
