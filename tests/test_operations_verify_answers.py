"""`groundwork verify` of what services answer: health, their stores, private paths, logins, limits. A real nginx asks
for TLS and limits; what a product answers is written into its configuration, or a small server behind it."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.verify import answering, limits, web
from operations.verify.answering import at, text
from tests.aws_cloud import Cloud, emulator_url
from tests.verified_site import (
    CDN,
    HOST,
    NO_AUTH,
    asked,
    authority,
    entry,
    outputs,
    site,
    told,
)

__all__ = ["asked", "authority", "emulator_url"]

ANSWER = {"status": "healthy", "database": "connected", "redis": "connected"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Hardly a pause between two questions."""
    monkeypatch.setattr(answering, "PAUSE_S", 0)
    monkeypatch.setattr(limits, "PAUSE_S", 0.02)


def api(**changes):
    return outputs(services={"api": entry(**changes)})


def says(path, answer, status=200):
    return f"location = {path} {{ return {status} '{json.dumps(answer)}'; }}"


# Health and readiness


def test_health_is_told_with_its_time(tmp_path, authority, asked):
    with site(tmp_path, authority) as there:
        [seen] = asked(outputs(), "health", at=there)
    assert seen["subject"] == "api"
    assert seen["seen"].startswith(f"https://{HOST}/health answers 200 in ")
    assert seen["seen"].endswith(" ms")


@pytest.mark.parametrize(
    ("locations", "trouble"),
    [
        ("location / { return 503; }", "answered 503"),
        ("location / { return 302 https://elsewhere.example/; }", "answered 302"),
        (
            'location / { if ($request_method = HEAD) { return 405; } return 200 "here"; }',
            "answers HEAD with 405",
        ),
    ],
    ids=["503", "redirect", "HEAD"],
)
def test_another_answer_than_200_is_found(tmp_path, authority, asked, locations, trouble):
    with site(tmp_path, authority, locations) as there:
        [seen] = asked(outputs(), "health", at=there, code=1)
    assert trouble in seen["seen"]


def test_a_service_that_is_away_is_found_and_a_certificate_that_does_not_hold_is_told(
    tmp_path, authority, asked
):
    with site(tmp_path, authority) as there:
        stranger = api(host="api.other.example")
        [seen] = asked(stranger, "health", at=there, code=1)
        assert "certificate is not valid for 'api.other.example'" in seen["seen"]
    [seen] = asked(outputs(), "health", at=there, code=1)
    assert "refused" in seen["seen"]


def test_a_large_answer_is_not_read_to_its_end(tmp_path, authority, asked, monkeypatch):
    monkeypatch.setattr(web, "MOST_BYTES", 1000)
    (tmp_path / "status").write_text(
        json.dumps({"status": "healthy", "more": "x" * 500_000}), encoding="utf-8"
    )
    stack = api(answers={"/status": {"status": "healthy"}})
    with site(tmp_path, authority, f"location / {{ root {tmp_path}; }}") as there:
        [seen] = asked(stack, "readiness", at=there, code=1)
    assert seen["seen"] == "/status: what it answers is no JSON"


def test_a_stack_without_a_public_service_has_nothing_to_ask(asked):
    seen = asked(outputs(services={}), "health", "readiness", "metrics", "auth", "cors", "rate-limit")
    assert {row["state"] for row in seen} == {"nothing"}


def test_what_a_service_says_of_its_stores(tmp_path, authority, asked):
    stack = api(answers={"/api/health": ANSWER, "/status": {}})
    with site(tmp_path, authority, says("/api/health", ANSWER) + says("/status", "ok")) as there:
        seen = asked(stack, "readiness", at=there)
    assert [row["seen"].rpartition(", in ")[0] for row in seen] == [
        "/api/health says status healthy, database connected, redis connected",
        "/status says 200",
    ]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (
            json.dumps({**ANSWER, "database": "disconnected"}),
            "/api/health: database is disconnected, connected is expected",
        ),
        (json.dumps({"status": "healthy"}), "/api/health: redis is missing, connected is expected"),
        ("<html>", "/api/health: what it answers is no JSON"),
        ("[]", "/api/health: status is missing, healthy is expected"),
    ],
    ids=["differs", "missing", "no JSON", "a list"],
)
def test_stores_that_are_not_there_are_found(tmp_path, authority, asked, answer, trouble):
    with site(tmp_path, authority, f"location / {{ return 200 '{answer}'; }}") as there:
        [seen] = asked(api(answers={"/api/health": ANSWER}), "readiness", at=there, code=1)
    assert trouble in seen["seen"].split("; ")
    assert "`groundwork db ping`" in seen["todo"]


def test_the_right_words_with_the_wrong_status_are_found(tmp_path, authority, asked):
    with site(tmp_path, authority, says("/api/health", ANSWER, 503)) as there:
        [seen] = asked(api(answers={"/api/health": ANSWER}), "readiness", at=there, code=1)
    assert seen["seen"] == "/api/health: answered 503"


def test_keys_lead_into_an_answer():
    said = {"checks": [{"up": True}, {"value": {"status": "up"}}], "n": 3}
    assert at(said, "checks.1.value.status") == "up"
    assert text(at(said, "checks.0.up")) == "true"
    assert text(at(said, "n")) == "3"
    assert [at(said, key) for key in ("checks.2", "checks.x", "n.x", "other")] == [None] * 4
    assert text("a\nb" + "c" * 90) == "a b" + "c" * 57


# Private paths


def test_private_paths_are_shut(tmp_path, authority, asked):
    stack = api(privatePaths=["/metrics", "/internal*"])
    shut = 'location / { return 200 "here"; } location /metrics { return 404; } location /internal { return 404; }'
    with site(tmp_path, authority, shut) as there:
        assert told(asked(stack, "metrics", at=there)) == [
            ("api", "well", "/metrics, /internal* and what is below answer 404")
        ]


def test_metrics_that_the_world_may_read_are_found(tmp_path, authority, asked):
    exact = 'location / { return 200 "here"; } location = /metrics { return 404; }'
    with site(tmp_path, authority) as there:
        [seen] = asked(api(privatePaths=["/metrics"]), "metrics", at=there, code=1)
        assert seen["seen"].startswith(
            "/metrics answers 200 from outside, and not 404; /metrics/x answers 200"
        )
    (tmp_path / "exact").mkdir()
    with site(tmp_path / "exact", authority, exact) as there:
        [seen] = asked(api(privatePaths=["/metrics"]), "metrics", at=there, code=1)
    assert seen["seen"] == "/metrics/x answers 200 from outside, and not 404"


# Logins


@dataclass
class Product:
    """Behind nginx: a login, and a path that a token or a key opens. `heard` are the logins' bodies."""

    port: int = 0
    token: str = "t-1"
    key: str = "k-1"
    login_status: int = 200
    login_answer: str = '{"token": "t-1"}'
    opens_for_all: bool = False
    wrong_opens: bool = False
    heard: list[str] = field(default_factory=list)

    @property
    def locations(self):
        return f"location / {{ proxy_pass http://127.0.0.1:{self.port}; proxy_set_header Host $host; }}"

    def may_in(self, headers):
        brought = headers.get("Authorization", "") or headers.get("x-api-key", "")
        right = brought in (f"Bearer {self.token}", self.key)
        return self.opens_for_all or right or (self.wrong_opens and bool(brought))


@contextmanager
def product(**changes) -> Generator[Product]:
    made = Product(**changes)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answers(200 if made.may_in(self.headers) else 401)

        def do_POST(self):
            made.heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.answers(made.login_status, made.login_answer)

        def answers(self, status, body="{}"):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        made.port = listening.server_port
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        listening.shutdown()


LOGIN = '{"email": "test@example.com", "password": "not-a-secret"}'


@pytest.fixture
def secret(emulator_url):
    """A secret with that value in the emulator; none: an empty one. Its ARN."""
    client = Cloud("rentalfix", "prod", outputs(), emulator_url).client("secretsmanager")
    made = []

    def make(value):
        given = {} if value is None else {"SecretString": value}
        made.append(client.create_secret(Name=f"verify-{len(made)}", **given)["ARN"])
        return made[-1]

    yield make
    for arn in made:
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def of_login(emulator_url, secret):
    def make(value=LOGIN, token="token"):
        way = {"path": "/api/profile", "loginPath": "/api/auth/login", "token": token}
        auth = {**NO_AUTH, **way, "loginSecretArn": secret(value)}
        return Cloud("rentalfix", "prod", api(auth=auth), emulator_url)

    return make


@pytest.fixture
def of_key(emulator_url, secret):
    def make(value="k-1"):
        auth = {**NO_AUTH, "path": "/matches", "keyHeader": "x-api-key", "keySecretArn": secret(value)}
        return Cloud("rentalfix", "prod", api(auth=auth), emulator_url)

    return make


def test_a_login_opens_what_is_shut_for_strangers(tmp_path, authority, asked, of_login):
    with product() as behind, site(tmp_path, authority, behind.locations) as there:
        seen = asked(of_login(), "auth", at=there)
        assert told(seen) == [
            ("api", "well", "/api/profile: 401 for nobody, 401 for a wrong token, 200 with the right token")
        ]
        assert behind.heard == [LOGIN]


def test_a_key_opens_what_is_shut_for_strangers(tmp_path, authority, asked, of_key):
    with product() as behind, site(tmp_path, authority, behind.locations) as there:
        assert told(asked(of_key(), "auth", at=there)) == [
            ("api", "well", "/matches: 401 for nobody, 401 for a wrong key, 200 with the right key")
        ]
        [seen] = asked(of_key("k-2"), "auth", at=there, code=1)
        assert seen["seen"] == "/matches answers 401 with the right key"


def test_a_path_without_a_key_or_login_is_only_tried_by_strangers(tmp_path, authority, asked):
    stack = api(auth={**NO_AUTH, "path": "/admin"})
    with site(tmp_path, authority, "location / { return 403; }") as there:
        assert told(asked(stack, "auth", at=there)) == [
            ("api", "well", "/admin: 403 for nobody, 403 for a wrong token")
        ]


@pytest.mark.parametrize(
    ("changes", "troubles"),
    [
        (
            {"opens_for_all": True},
            [
                "/api/profile answers 200 to nobody, and not 401 or 403",
                "/api/profile answers 200 to a wrong token, and not 401 or 403",
            ],
        ),
        ({"wrong_opens": True}, ["/api/profile answers 200 to a wrong token, and not 401 or 403"]),
        ({"login_status": 401}, ["the login at /api/auth/login is answered 401"]),
        ({"login_answer": '{"jwt": "t-1"}'}, ["the answer of /api/auth/login has no token"]),
        ({"login_answer": "t-1"}, ["the answer of /api/auth/login has no token"]),
        ({"token": "t-2"}, ["/api/profile answers 401 with the right token"]),
    ],
    ids=["open", "open to a wrong token", "refused", "no token", "no JSON", "token does not open"],
)
def test_a_sign_in_that_does_not_work_is_found(tmp_path, authority, asked, of_login, changes, troubles):
    with product(**changes) as behind, site(tmp_path, authority, behind.locations) as there:
        [seen] = asked(of_login(), "auth", at=there, code=1)
    assert seen["seen"] == "; ".join(troubles)


def test_a_token_may_be_within_the_answer(tmp_path, authority, asked, of_login):
    with (
        product(login_status=201, login_answer='{"data": {"jwt": "t-1"}}') as behind,
        site(tmp_path, authority, behind.locations) as there,
    ):
        [seen] = asked(of_login(token="data.jwt"), "auth", at=there)
    assert seen["state"] == "well"


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        ("test@example.com", "The secret with api's login is no JSON object"),
        ('["not-a-secret"]', "The secret with api's login is no JSON object"),
        (None, "has no value. `groundwork secrets put` gives one"),
    ],
    ids=["text", "a list", "empty"],
)
def test_a_secret_that_is_no_login_is_told(tmp_path, authority, asked, of_login, value, trouble):
    with product() as behind, site(tmp_path, authority, behind.locations) as there:
        [seen] = asked(of_login(value), "auth", at=there, code=2)
    assert trouble in seen["seen"]
    assert value is None or value not in seen["seen"].replace('{"email"', "")


@pytest.mark.parametrize(
    "changes", [{}, {"token": "t-2"}, {"login_status": 500, "login_answer": LOGIN}, {"opens_for_all": True}]
)
def test_nothing_secret_is_printed(tmp_path, authority, monkeypatch, of_login, changes):
    with product(**changes) as behind, site(tmp_path, authority, behind.locations) as there:
        stack = of_login()
        monkeypatch.setattr("operations.verify.command.opened", lambda *_: stack)
        given = ["verify", "auth", *there.options, f"--ca-file={authority.certificate}", "--stack", "prod"]
        result = CliRunner().invoke(command.app, given)
    assert "/api/profile" in result.output or "/api/auth/login" in result.output
    for value in ("t-1", "not-a-secret", "test@example.com"):
        assert value not in result.output


# Limits

LIMITED = "limit_req_zone $binary_remote_addr zone=all:1m rate=1r/m;"


def limited(requests, burst=0, window_s=60):
    return outputs(rateLimit={"requests": requests, "burst": burst, "windowS": window_s})


def within(number, status=429):
    """Lets so many requests through at once. The first is none of the burst."""
    return (
        f"limit_req_status {status}; location / {{ limit_req zone=all burst={number - 1} nodelay; "
        "try_files /none @here; } location @here { return 200 here; }"
    )


def test_the_request_beyond_the_limit_is_refused(tmp_path, authority, asked):
    with site(tmp_path, authority, within(25), around=LIMITED) as there:
        [seen] = asked(limited(20, 5), "rate-limit", at=there)
        assert seen["seen"].endswith(
            "25 were let through, the next was refused with 429; 20 and 5 more in 60 s are declared. "
            "This address is refused for up to 60 s"
        )
        [again] = asked(limited(20, 5), "rate-limit", at=there, code=2)
    assert again["seen"] == (
        "the first request is refused already, from an earlier try: wait 60 s and ask again"
    )


def test_a_limit_that_is_not_there_is_found(tmp_path, authority, asked, monkeypatch):
    monkeypatch.setattr(limits, "LATE_S", 0)
    with site(tmp_path, authority) as there:
        [seen] = asked(limited(20, 5), "rate-limit", at=there, code=1)
    assert seen["seen"] == (
        "sent 26, 26 were let through (26 times 200), none was refused; 20 and 5 more in 60 s are declared"
    )
    assert "docs/runbooks/web-acl.md" in seen["todo"]


def test_the_firewall_may_be_late(tmp_path, authority, asked, monkeypatch):
    """It goes on, one request a second, for as long as WAF may take to count."""
    monkeypatch.setattr(limits, "LATE_S", 5)
    with site(tmp_path, authority, within(13), around=LIMITED) as there:
        [seen] = asked(limited(10), "rate-limit", at=there)
    assert seen["seen"].startswith("sent 14, 13 were let through, the next was refused with 429; ")


def test_a_limit_that_is_too_low_is_found(tmp_path, authority, asked):
    with site(tmp_path, authority, within(5), around=LIMITED) as there:
        [seen] = asked(limited(50), "rate-limit", at=there, code=1)
    assert "5 were let through, the next was refused with 429 too early" in seen["seen"]


def test_another_refusal_than_429_is_found(tmp_path, authority, asked):
    with site(tmp_path, authority, within(12, 403), around=LIMITED) as there:
        [seen] = asked(limited(10), "rate-limit", at=there, code=1)
    assert "the next was answered 403, and not 429" in seen["seen"]


def test_what_is_too_much_to_send_or_too_slow_is_not_judged(tmp_path, authority, asked, monkeypatch):
    with site(tmp_path, authority) as there:
        [seen] = asked(limited(5000, 1), "rate-limit", at=there, code=2)
        assert seen["seen"] == f"{5001} requests are allowed, more than the 5000 sent from here"
        [seen] = asked(limited(10, window_s=0), "rate-limit", at=there, code=2)
    assert seen["seen"].startswith("11 requests took 0 s, longer than the window of 0 s")


def test_the_cdn_has_a_limit_too_and_is_asked_last(tmp_path, authority, asked):
    stack = limited(20)
    stack["edge"]["cdn"] = {"host": CDN, "headers": {}, "tlsVersions": []}
    with site(tmp_path, authority, within(25), around=LIMITED) as there:
        seen = asked(stack, "rate-limit", "health", at=there, code=2)
    assert [(row["check"], row["subject"]) for row in seen] == [
        ("health", "api"),
        ("rate-limit", HOST),
        ("rate-limit", CDN),
    ]


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(tmp_path, authority, asked):
    stack = outputs(maxBodyBytes=1000)
    sized = (
        "location / { client_max_body_size SIZE; proxy_pass http://127.0.0.1:9; proxy_request_buffering on; }"
    )
    with site(tmp_path, authority, sized.replace("SIZE", "1000")) as there:
        assert told(asked(stack, "body-limit", at=there)) == [
            ("api", "well", "a body of 1001 bytes is answered 413")
        ]


def test_a_body_that_is_waited_for_or_answered_is_found(tmp_path, authority, asked, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_S", 0.3)
    sized = "location / { client_max_body_size 2000; proxy_pass http://127.0.0.1:9; }"
    with site(tmp_path, authority, sized) as there:
        [seen] = asked(outputs(maxBodyBytes=1000), "body-limit", at=there, code=1)
    assert seen["seen"] == (
        "a body of 1001 bytes is answered not refused (it waits for the body of 1001 bytes), "
        "413 is declared above 1000"
    )
    (tmp_path / "answers").mkdir()
    with site(tmp_path / "answers", authority, 'location / { return 200 "here"; }') as there:
        [seen] = asked(outputs(maxBodyBytes=1000), "body-limit", at=there, code=1)
    assert seen["seen"].startswith("a body of 1001 bytes is answered 200, ")


def test_without_a_body_limit_nothing_is_asked(asked):
    assert told(asked(outputs(), "body-limit")) == [
        ("services", "nothing", "ingress.waf.max_body_bytes is not set: the application decides")
    ]
