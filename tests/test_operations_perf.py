"""`groundwork perf`, by Locust against a real nginx; servers that fail in ways that nginx cannot are Python's own."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as program
from operations.perf import command, headers, running, targets, verdict
from operations.perf.plan import Plan
from operations.perf.running import Figures
from operations.perf.tally import MAX_KINDS, Tally
from operations.platform import ROOT, Platform, Refusal
from tests.aws_cloud import OUTPUTS, Cloud, refusal
from tests.real_programs import free_port
from tests.real_servers import certificate, nginx_server

KEY = "a-partner-key-that-nobody-may-read-1"
PRODUCTION = {
    **OUTPUTS,
    "urls": {"api": "https://api.rentfix.example", "files": "https://files.rentfix.example"},
    "healthUrls": {"core-matching": "https://api.rentfix.invalid/health"},
    "loadBalancer": {"dnsName": "Balancer-1.elb.example", "arn": ""},
    "cdn": {"url": "https://cdn.rentfix.example", "distributionId": "", "domainName": ""},
    "secrets": {"partner-key": "arn:partner-key", "empty": "arn:empty"},
    "secretsToFill": ["arn:partner-key", "arn:empty"],
    "brokers": {},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An nginx with pages of every kind, and beside it a foreign host that writes down who comes."""
    folder = tmp_path_factory.mktemp("site")
    files = certificate(folder, "localhost")
    plain, tls, foreign = free_port(), free_port(), free_port()
    servers = f"""
    server {{
        listen 127.0.0.1:{plain};
        location = /quick {{ access_log {folder}/quick.log; return 200 ok; }}
        location = /broken {{ return 500 no; }}
        location = /moved {{ return 302 http://127.0.0.1:{plain}/quick; }}
        location = /away {{ return 302 http://127.0.0.1:{foreign}/quick; }}
        location = /nowhere {{ return 304; }}
        location = /busy {{ return 429 no; }}
        # What is above the rate's first second has to wait: some 0.6 s for this page.
        location = /slow {{ limit_rate 2k; return 200 {"x" * 3200}; }}
    }}
    server {{
        listen 127.0.0.1:{foreign};
        access_log {folder}/foreign.log;
        return 200 ok;
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {files.certificate};
        ssl_certificate_key {files.key};
        if ($http_x_api_key != "{KEY}") {{ return 401 no; }}
        if ($http_accept != "text/plain") {{ return 406 no; }}
        return 200 ok;
    }}
    """
    with nginx_server(folder, servers, port=plain):
        yield SimpleNamespace(
            folder=folder,
            url=f"http://127.0.0.1:{plain}",
            tls=f"https://localhost:{tls}/",
            foreign=f"http://127.0.0.1:{foreign}",
            authority=files.certificate,
        )


def groundwork(*words: Any, code: int = 0) -> Any:
    result = CliRunner().invoke(program.app, ["perf", *map(str, words)])
    assert result.exit_code == code, (result.output, result.exception)
    assert KEY not in result.output
    return result


@pytest.fixture(scope="module")
def judged(site):
    """One run over pages that are well and pages that are not."""
    pages = [f"{site.url}/{page}" for page in ("quick", "slow", "broken", "moved", "away", "busy")]
    return groundwork(*pages, "--vus", 12, "--duration", "2s", "--requests-per-s", 60, "--json", code=1)


def of(judged: Any, page: str) -> dict[str, Any]:
    [found] = [
        each for each in json.loads(judged.stdout)["addresses"] if each["address"].endswith(f"/{page}")
    ]
    return found


def figures(**more: Any) -> Figures:
    said = {
        "requests": 200,
        "failures": {},
        "p50_ms": 9.0,
        "p95_ms": 499.9,
        "p99_ms": 700.0,
        "max_ms": 800.0,
        **more,
    }
    return Figures({"a": said}, 10.0, "in time")


# Against real servers


def test_a_quick_page_keeps_both_thresholds(judged):
    quick = of(judged, "quick")
    assert quick["failures"] == {}
    assert 0 < quick["p50_ms"] <= quick["p95_ms"] <= quick["p99_ms"] <= quick["max_ms"] < 500
    assert "/quick" not in " ".join(json.loads(judged.stdout)["missed"])


def test_a_slow_page_misses_p95(judged, site):
    slow = of(judged, "slow")
    assert slow["failures"] == {}
    assert 500 <= slow["p95_ms"] < 2000
    assert (
        f"{site.url}/slow: p95 is {slow['p95_ms']:,.1f} ms and must be below 500 ms."
        in json.loads(judged.stdout)["missed"]
    )


def test_a_page_that_fails_misses_the_error_rate(judged, site):
    broken = of(judged, "broken")
    assert broken["failures"] == {"HTTP 500": broken["requests"]}
    assert (broken["error_rate_percent"], broken["p95_ms"]) == (100, None)
    assert (
        f"{site.url}/broken: 100.00 % failed and less than 1 % may (HTTP 500: {broken['requests']})."
        in json.loads(judged.stdout)["missed"]
    )


def test_a_redirect_is_followed_on_its_own_host_and_each_hop_counts(judged):
    moved, quick = of(judged, "moved"), of(judged, "quick")
    assert moved["failures"] == {}
    assert moved["requests"] > quick["requests"] * 1.5


def test_a_redirect_to_another_host_is_not_followed_and_has_failed(judged, site):
    away = of(judged, "away")
    assert away["failures"] == {f"redirect to {site.foreign}, not followed": away["requests"]}
    log = site.folder / "foreign.log"
    assert log.read_text() == ""
    subprocess.run(
        [sys.executable, "-c", f"import urllib.request; urllib.request.urlopen('{site.foreign}')"],
        check=True,
        timeout=30,
    )
    assert len(log.read_text().splitlines()) == 1


def test_no_more_requests_are_sent_than_were_said(judged, site):
    said = json.loads(judged.stdout)
    sent = sum(each["requests"] for each in said["addresses"])
    assert 60 <= sent <= 2 * 60 + 1
    assert f"will send at most 127 requests to {site.url}/quick, " in judged.stderr
    assert "(12 users, 60 a second at most, 2 s)\n" in judged.stderr
    assert said["ended"] == "in time"
    assert said["thresholds"] == {"p95_ms": 500, "error_rate_percent": 1}


def test_the_limit_for_one_address_is_explained(judged):
    assert "429 is the limit for one address, of the web firewall or of the product" in judged.stderr


def test_running_figures_are_told(judged):
    assert "Load: " in judged.stderr
    assert " a second, " in judged.stderr


@pytest.fixture
def cloud(monkeypatch):
    made = Cloud("rentalfix", "staging", {**PRODUCTION, "environment": "staging"}, None)
    made.says(
        "GetSecretValue",
        lambda given: (
            {"SecretString": KEY}
            if given["SecretId"] == "arn:partner-key"
            else refusal("ResourceNotFoundException")
        ),
    )
    monkeypatch.setattr(command, "opened", lambda *_: made)
    return made


def test_a_secret_goes_along_by_tls_and_through_no_argument(site, cloud, monkeypatch):
    """Users that wait for their turn when the time is up do not get it: 50 want to, 20 and the first look may."""
    began, start = [], subprocess.Popen
    monkeypatch.setattr(running.subprocess, "Popen", lambda *a, **b: began.append((a, b)) or start(*a, **b))
    result = groundwork(
        site.tls, "--header-secret", "X-Api-Key:partner-key", "--header", "Accept:text/plain",
        "--ca-file", site.authority, "--vus", 50, "--requests-per-s", 20, "--duration", "1s", "--stack", "staging",
    )  # fmt: skip
    assert 10 <= int(result.stdout.splitlines()[1].split()[1]) <= 20
    assert "Every address kept p95 below 500 ms and failures below 1 %." in result.stderr
    heading = result.stdout.splitlines()[0].split()
    assert heading == ["address", "requests", "per", "second", "failed", "p50", "p95", "p99", "max"]
    assert began
    assert KEY not in str(began)


def test_what_takes_no_connection_is_told_before_the_load(site):
    closed, other_name = f"http://127.0.0.1:{free_port()}/", site.tls.replace("localhost", "127.0.0.1")
    addresses = [closed, other_name, "http://nobody.invalid/"]
    plan = Plan(addresses=addresses, users=1, duration_s=1, requests_per_s=1, ca_file=str(site.authority))
    with pytest.raises(Refusal) as refused:
        running.measured(plan, line_s=1)
    said = str(refused.value)
    assert f"{closed} cannot be asked: connection refused." in said
    assert f"{other_name} cannot be asked: certificate not trusted (IP address mismatch" in said
    assert "http://nobody.invalid/ cannot be asked: name not known." in said


def test_production_is_asked_by_its_health_paths(tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(command, "measured", lambda plan, **_: plans.append(plan) or figures())
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(PRODUCTION))
    result = groundwork("--stack", "prod", "--outputs", outputs, "--yes")
    assert "will send at most 1,502 requests to https://api.rentfix.invalid/health (10 users" in result.stderr
    assert "will meet the web firewall, whose limit for one address these outputs do not say" in result.stderr
    assert [each.addresses for each in plans] == [["https://api.rentfix.invalid/health"]]


class Failing(http.server.BaseHTTPRequestHandler):
    """Answers the first question of each kind, and then no more: `/drop` hangs up, `/hang` says nothing."""

    seen: set[str]

    def do_GET(self):
        if self.path not in self.seen:
            self.seen.add(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/hang":
            time.sleep(2)

    def log_message(self, format, *args):
        pass


class Crowded(http.server.ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 100


def test_what_fails_without_an_answer_is_told_apart_and_ends_the_load():
    handler = type("Handler", (Failing,), {"seen": set()})
    with Crowded(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        plan = Plan(
            addresses=[f"{url}/drop", f"{url}/hang"],
            users=40,
            duration_s=20,
            requests_per_s=200,
            timeout_s=1,
        )
        figures = running.measured(plan, line_s=1)
        server.shutdown()
    assert figures.ended == "broken off"
    assert figures.took_s < 10
    assert figures.failed == figures.requests >= 100
    assert list(figures.addresses[f"{url}/drop"]["failures"]) == ["connection broken off"]
    assert list(figures.addresses[f"{url}/hang"]["failures"]) == ["no answer within 1 s"]


def test_ctrl_c_shows_the_figures_so_far_and_sends_no_more(site):
    # Whoever starts the tests may have told their children to ignore it.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from operations.__main__ import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "perf", f"{site.url}/quick", "--duration", "60s"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr
        for line in process.stderr:
            if " requests, " in line:
                break
        # A terminal sends it to everybody in front of it.
        os.killpg(process.pid, signal.SIGINT)
        said, problems = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 2
    assert "Traceback" not in problems
    assert "Interrupted after " in problems
    assert "figures, and no verdict." in problems
    assert f"{site.url}/quick" in said
    log = site.folder / "quick.log"
    sent = log.read_text().count("\n")
    time.sleep(0.3)
    assert log.read_text().count("\n") == sent > 0


# Bounds and refusals


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (
            ["--vus", "201", "--duration", "11m", "--requests-per-s", "300", "--think-s", "61"],
            [
                "--vus must be 1 to 200 users, got 201.",
                "--duration must be 1 to 600 seconds, got 660.",
                "--requests-per-s must be 0.01 to 200 requests a second, got 300.",
                "--think-s must be 0 to 60 seconds, got 61.",
            ],
        ),
        (["--vus", "0"], ["--vus must be 1 to 200 users, got 0."]),
        (["--duration", "0s"], ["--duration must be 1 to 600 seconds, got 0."]),
        (["--duration", "soon"], ["soon is no span of time: 30s, 15m, 1h or 2d."]),
        (["--ca-file", "/nowhere.pem"], ["There is no file /nowhere.pem."]),
        (["ftp://localhost/"], ["ftp://localhost/ is no address: https://HOST/PATH."]),
        (["http://localhost:x/"], ["http://localhost:x/ is no address: https://HOST/PATH."]),
        (
            ["https://me:hidden@localhost/"],
            ["The address of localhost holds a login, which others see: --header-env sends one."],
        ),
        (
            ["--header", f"Authorization:{KEY}"],
            [
                "Authorization may be a secret, and arguments are seen by everybody on this machine: --header-env "
                "Authorization:VARIABLE, or --header-secret Authorization:SECRET."
            ],
        ),
        (
            ["--header", KEY],
            ["--header is NAME and what follows, with a colon between: Accept:application/json."],
        ),
        (
            ["--header-env", "X-A:GROUNDWORK_UNSET"],
            ["The variable GROUNDWORK_UNSET of --header-env is not set."],
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(words, sentences):
    said = groundwork("http://localhost:1/", *words, code=2).stderr
    assert "hidden" not in said
    for sentence in sentences:
        assert sentence in said


def test_too_many_addresses_are_refused():
    pages = [f"http://localhost:1/{number}" for number in range(21)]
    assert "21 addresses are too many at once: 20 at most." in groundwork(*pages, code=2).stderr


def test_a_value_that_would_end_its_header_is_refused_without_it(monkeypatch):
    monkeypatch.setenv("GROUNDWORK_HEADER", f"{KEY}\r\nHost: other")
    said = groundwork("http://localhost:1/", "--header-env", "X-A:GROUNDWORK_HEADER", code=2).stderr
    assert "What X-A would hold does not go into a header: one line of ASCII does." in said


def test_an_environment_variable_is_read(monkeypatch):
    monkeypatch.setenv("GROUNDWORK_HEADER", KEY)
    assert headers.from_environment(["X-A:GROUNDWORK_HEADER"]) == {"X-A": KEY}
    assert KEY not in repr(Plan(addresses=[], users=1, duration_s=1, requests_per_s=1, headers={"X-A": KEY}))


def test_an_empty_secret_is_told(cloud):
    said = groundwork(
        "http://localhost:1/", "--header-secret", "X-A:empty", "--stack", "staging", code=2
    ).stderr
    assert "The secret empty of rentalfix is empty. `groundwork secrets put` fills it." in said


def test_a_secret_is_not_sent_without_tls(cloud):
    words = ["http://api.rentfix.example/", "--header-secret", "X-A:partner-key", "--stack", "staging"]
    said = groundwork(*words, code=2).stderr
    assert "http://api.rentfix.example/: without TLS everybody on the way would read the headers." in said


def test_only_the_named_stack_is_asked(cloud):
    said = groundwork("https://example.com/", "--stack", "staging", code=2).stderr
    assert "https://example.com/: not of rentalfix, stack staging, in us-east-1, whose hosts are " in said
    assert "api.rentfix.example, api.rentfix.invalid, balancer-1.elb.example" in said
    assert "--stack names another." in said


def test_each_of_its_hosts_may_be_asked():
    platform = Platform("rentalfix", "prod", PRODUCTION)
    for host in (
        "api.rentfix.example",
        "API.rentfix.example",
        "balancer-1.elb.example",
        "cdn.rentfix.example",
    ):
        assert targets.chosen(platform, [f"https://{host}/x"]) == [f"https://{host}/x"]


def test_a_stack_without_a_public_service_is_told(cloud):
    cloud.outputs["healthUrls"] = {}
    said = groundwork("--stack", "staging", code=2).stderr
    assert "no service is public and started. `groundwork status` says what runs." in said


def test_the_emulator_has_nothing_that_answers(cloud):
    object.__setattr__(cloud, "endpoint_url", "http://localhost:4566")
    said = groundwork(code=2).stderr
    assert "nothing answers at its addresses. Give the address of a server on this machine" in said
    assert targets.chosen(cloud, ["http://127.0.0.1/"]) == ["http://127.0.0.1/"]


def test_production_is_said_aloud_and_asked_about(tmp_path):
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(PRODUCTION))
    said = groundwork("--outputs", outputs, code=2).stderr
    assert "These outputs are production's: name its stack with --stack" in said
    said = groundwork("--outputs", outputs, "--stack", "prod", code=2).stderr
    assert "Nobody is there to say yes. Add --yes" in said


def test_a_dry_run_says_what_it_would_send_and_sends_nothing(site, tmp_path):
    outputs = tmp_path / "outputs.json"
    outputs.write_text(
        json.dumps({**PRODUCTION, "edge": {"rateLimit": {"requests": 100, "windowS": 60, "burst": 20}}})
    )
    said = groundwork("--outputs", outputs, "--stack", "prod", "--dry-run").stderr
    assert "would send at most 1,502 requests to https://api.rentfix.invalid/health" in said
    assert "would meet the web firewall, which takes 120 requests in 60 s from one address" in said
    assert "--requests-per-s 2 stays below" in said
    assert "Nothing was done (--dry-run)." in said
    before = (site.folder / "quick.log").read_text() if (site.folder / "quick.log").exists() else ""
    tried = groundwork(f"{site.url}/quick", "--dry-run", "--json")
    assert "This machine:\n  would send at most" in tried.stderr
    told = json.loads(tried.stdout)
    assert (told["stack"], len(told["would"])) == ("This machine", 1)
    assert told["would"][0].startswith("send at most ")
    assert (site.folder / "quick.log").read_text() == before


# What is computed


PLAN = Plan(addresses=["a"], users=10, duration_s=60, requests_per_s=50)


def test_percentiles_are_times_that_were_measured():
    tally = Tally()
    for time_ms in range(200, 0, -1):
        tally.add(time_ms, None)
    tally.add(9999, "HTTP 500")
    said = tally.figures()
    assert said.pop("failures") == {"HTTP 500": 1}
    assert said == {"requests": 201, "p50_ms": 100, "p95_ms": 190, "p99_ms": 198, "max_ms": 200}


def test_one_answer_is_every_percentile_and_none_is_none():
    tally = Tally()
    assert tally.figures()["p95_ms"] is tally.figures()["max_ms"] is None
    tally.add(7, None)
    assert {tally.figures()[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")} == {7}


def test_a_server_cannot_fill_the_memory_with_kinds_of_failures():
    tally = Tally()
    for number in range(100):
        tally.add(1, f"redirect to http://{number}, not followed")
    assert len(tally.failures) == MAX_KINDS + 1
    assert tally.failures["others"] == 100 - MAX_KINDS


@pytest.mark.parametrize(
    ("given", "most"),
    [({}, 3002), ({"think_s": 2}, 311), ({"think_s": 0.1}, 3011), ({"addresses": ["a", "b"]}, 3003)],
)
def test_the_most_that_may_be_sent(given, most):
    assert replace(PLAN, **given).most_requests == most


@pytest.mark.parametrize(
    ("given", "limit", "sentence"),
    [
        ({}, None, "whose limit for one address these outputs do not say"),
        ({}, targets.RateLimit(100, 600), "which takes 100 requests in 600 s from one address"),
        ({}, targets.RateLimit(100, 600), "(--requests-per-s 0.16 stays below)"),
        ({}, targets.RateLimit(3002, 600), None),
        ({"requests_per_s": 1.6}, targets.RateLimit(100, 60), None),
    ],
)
def test_what_the_web_firewall_makes_of_it(given, limit, sentence):
    said = targets.firewall(replace(PLAN, **given), limit)
    assert said is None if sentence is None else sentence in str(said)


@pytest.mark.parametrize(
    ("outputs", "limit"),
    [
        ({"a": {"rateLimit": {"requests": 100, "windowS": 60, "burst": 20}}}, targets.RateLimit(120, 60)),
        ({"rateLimit": {"requests": 600, "windowS": 60}}, targets.RateLimit(600, 60)),
        ({"rateLimit": {"requests": 600}, "urls": {"a": "b"}, "list": [1]}, None),
    ],
)
def test_the_declared_limit_is_found_under_any_key(outputs, limit):
    assert targets.rate_limit(outputs) == limit


@pytest.mark.parametrize(
    ("said", "sentences"),
    [
        ({}, []),
        ({"failures": {"HTTP 500": 1}}, []),
        ({"p95_ms": 500.0}, ["a: p95 is 500.0 ms and must be below 500 ms."]),
        (
            {"failures": {"HTTP 500": 1, "connection refused": 1}},
            ["a: 1.00 % failed and less than 1 % may (HTTP 500: 1, connection refused: 1)."],
        ),
        (
            {"requests": 0, "p95_ms": None},
            ["a: no request came to its turn. Give it more time (--duration)."],
        ),
    ],
)
def test_a_threshold_is_missed_where_it_is_met_exactly(said, sentences):
    assert verdict.missed(figures(**said), verdict.Thresholds(500, 1)) == sentences


def test_an_interruption_before_the_first_answer_is_told(monkeypatch):
    monkeypatch.setattr(command, "measured", lambda *_, **__: Figures({}, 0, "interrupted"))
    said = groundwork("http://localhost:1/", code=2).stderr
    assert "It was interrupted before the first answer, so there are no figures." in said


def test_a_machine_without_time_left_and_a_load_broken_off_are_told(monkeypatch):
    found = Figures(figures().addresses, 10.0, "broken off", is_machine_busy=True)
    monkeypatch.setattr(command, "measured", lambda *_, **__: found)
    said = groundwork("http://localhost:1/", code=1).stderr
    assert "This machine had no processor time left: the times are partly its own." in said
    assert "Broken off: too many requests in a row have failed to go on." in said


def test_a_locust_that_does_not_start_is_told(monkeypatch):
    monkeypatch.setattr(running.sys, "executable", "/bin/false")
    with pytest.raises(Refusal, match="Locust ended with 1 before its time: it says nothing"):
        running.measured(PLAN, line_s=1)


def test_neither_the_command_nor_pytest_has_gevent():
    """Locust is a plugin of pytest, too: were it imported here, every test would run on changed sockets."""
    assert not {"gevent", "locust"} & sys.modules.keys()
