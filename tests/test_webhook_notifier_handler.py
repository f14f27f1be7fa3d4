"""The function that tells Slack and PagerDuty, against a small HTTPS server of our own that listens on loopback."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.webhook_notifier_handler import handler
from components.webhook_notifier_handler.handler import NotDelivered, Topic

TOPIC = "arn:aws:sns:us-east-1:111122223333:notifications-critical"
P1 = "P1: answered within 15 minutes"
TOPICS = {TOPIC: Topic(severity="critical", response=P1)}
KEY = "0123456789abcdef0123456789abcdef"
ALARM_ARN = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:shop-prod-api-errors"


class Receiver(http.server.ThreadingHTTPServer):
    """Gives the answers in `answers`, in order and the last one for ever; what it was sent is in `got`."""

    daemon_threads = True

    def __init__(self, answers, context):
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.answers = list(answers)
        self.got = []
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def netloc(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that does not trust the certificate hangs up; that is what some tests are about."""


class _Conversation(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        assert isinstance(self.server, Receiver)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, self.headers["Content-Type"], body))
        status, headers = self.server.answers[0]
        if len(self.server.answers) > 1:
            self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        """Quiet."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that has signed itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def trusting(certificate):
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def serve(certificate):
    running = []

    def start(*answers):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = Receiver([(each, {}) if isinstance(each, int) else each for each in answers], context)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def alarm(**changes):
    content = {
        "AlarmName": "shop-prod-api-errors",
        "AlarmDescription": f"Percent of 5xx answers, over five minutes. {P1}. "
        "Runbook: https://example.com/runbooks/load-balancer.md",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": "2026-11-22T10:00:00.000+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": ALARM_ARN,
        **changes,
    }
    return message(json.dumps(content))


def message(text, **changes):
    return {"Sns": {"TopicArn": TOPIC, "Timestamp": "2026-11-22T10:00:01.000Z", "Message": text, **changes}}


def deliver(record, secret, context, *, receiver="slack", sleeps=None):
    waits = [] if sleeps is None else sleeps
    handler.deliver(
        [record], receiver=receiver, topics=TOPICS, secret=secret, context=context, sleep=waits.append
    )


def hook(server):
    return f"https://{server.netloc}/services/T0/B0/secret-path"


def test_slack_reads_what_since_when_how_soon_and_where_to_read_on(serve, trusting):
    server = serve(200)
    deliver(alarm(), hook(server), trusting)
    ((path, content_type, body),) = server.got
    assert (path, content_type) == ("/services/T0/B0/secret-path", "application/json")
    assert body["text"].split("\n") == [
        "*CRITICAL: shop-prod-api-errors*",
        "Percent of 5xx answers, over five minutes.",
        f"*{P1}*",
        "Since 2026-11-22T10:00:00.000+0000",
        "<https://example.com/runbooks/load-balancer.md|Runbook> | "
        "<https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#alarmsV2:alarm/shop-prod-api-errors|Console>",
    ]


def test_slack_hears_of_the_end_too(serve, trusting):
    server = serve(200)
    deliver(alarm(NewStateValue="OK"), hook(server), trusting)
    text = server.got[0][2]["text"]
    assert text.startswith("*RESOLVED: shop-prod-api-errors*")
    assert "Over since 2026-11-22" in text
    assert P1 not in text


def test_slacks_markup_is_not_the_senders():
    notice = handler.read(message("<!channel> & co", Subject="<b>")["Sns"], TOPICS[TOPIC])
    assert handler.slack(notice)["text"].startswith("*CRITICAL: &lt;b&gt;*\n&lt;!channel&gt; &amp; co")


def test_pagerduty_opens_and_closes_one_incident(serve, trusting):
    server = serve(202)
    secret = f"https://{server.netloc}/integration/{KEY}/enqueue"
    deliver(alarm(), secret, trusting, receiver="pagerduty")
    deliver(alarm(NewStateValue="OK"), secret, trusting, receiver="pagerduty")
    (path, _, opened), (_, _, closed) = server.got
    assert path == "/v2/enqueue"
    assert opened["event_action"] == "trigger"
    assert opened["routing_key"] == KEY
    assert opened["payload"]["severity"] == "critical"
    assert opened["payload"]["summary"] == "CRITICAL: shop-prod-api-errors"
    assert opened["payload"]["custom_details"] == {
        "what": "Percent of 5xx answers, over five minutes.",
        "since": "2026-11-22T10:00:00.000+0000",
        "response": P1,
    }
    assert [link["text"] for link in opened["links"]] == ["Runbook", "Console"]
    assert closed == {"routing_key": KEY, "event_action": "resolve", "dedup_key": opened["dedup_key"]}
    assert opened["dedup_key"] == ALARM_ARN


def test_a_key_alone_leads_to_pagerduty_itself():
    assert handler.integration(f" {KEY}\n") == ("https://events.pagerduty.com/v2/enqueue", KEY)


def test_a_long_key_of_an_incident_is_shortened_the_same_way_each_time():
    notice = handler.read(alarm(AlarmArn=f"{ALARM_ARN}{'x' * 300}")["Sns"], TOPICS[TOPIC])
    first, second = (handler.pagerduty(notice, KEY)["dedup_key"] for _ in range(2))
    assert first == second
    assert len(first) == 64


def test_a_receiver_that_is_busy_is_asked_again_when_it_says(serve, trusting):
    server, sleeps = serve((429, {"Retry-After": "3"}), 200), []
    deliver(alarm(), hook(server), trusting, sleeps=sleeps)
    assert len(server.got) == 2
    assert sleeps == [3.0]


def test_nobody_waits_longer_than_the_function_may_run(serve, trusting):
    server, sleeps = serve((429, {"Retry-After": "3600"}), 200), []
    deliver(alarm(), hook(server), trusting, sleeps=sleeps)
    assert sleeps == [handler.LONGEST_WAIT_S]
    longest = handler.ATTEMPTS * handler.TIMEOUT_S + (handler.ATTEMPTS - 1) * handler.LONGEST_WAIT_S
    assert longest < 60, "the function's timeout"


def test_a_receiver_that_fails_is_asked_three_times(serve, trusting):
    server, sleeps = serve(500), []
    with pytest.raises(NotDelivered, match=r"^127\.0\.0\.1 answered 500, 3 times$"):
        deliver(alarm(), hook(server), trusting, sleeps=sleeps)
    assert len(server.got) == 3
    assert sleeps == [1.0, 2.0]


def test_a_receiver_that_comes_back_gets_it(serve, trusting):
    server = serve(503, 200)
    deliver(alarm(), hook(server), trusting)
    assert len(server.got) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 302])
def test_a_wrong_secret_is_not_tried_again_and_not_told(serve, trusting, status):
    server = serve((status, {"Location": "https://example.com/"}))
    with pytest.raises(NotDelivered, match=f"answered {status}: it does not know the secret") as failure:
        deliver(alarm(), hook(server), trusting)
    assert len(server.got) == 1
    assert "secret-path" not in str(failure.value)


def test_a_server_that_is_not_the_right_one_gets_nothing(serve):
    server = serve(200)
    with pytest.raises(NotDelivered, match=r"cannot be reached \(SSLCertVerificationError\), 3 times"):
        deliver(alarm(), hook(server), ssl.create_default_context())
    assert server.got == []


def test_a_server_that_is_away_is_told_without_its_url(trusting):
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 cannot be reached \(ConnectionRefusedError\)"):
        deliver(alarm(), "https://127.0.0.1:9/services/secret-path", trusting)


@pytest.mark.parametrize("secret", ["", "http://hooks.slack.com/services/T0", "change me", "https://"])
def test_what_is_no_url_is_never_sent_to(trusting, secret):
    with pytest.raises(NotDelivered, match="must be a URL that begins with https://"):
        deliver(alarm(), secret, trusting)


def test_an_integrations_url_needs_its_key(trusting):
    with pytest.raises(NotDelivered, match="must be an integration key, or https://<host>/integration/<key>"):
        deliver(alarm(), "https://events.pagerduty.com/generic", trusting, receiver="pagerduty")


def test_an_alarm_without_a_page_still_reads_well():
    notice = handler.read(alarm(AlarmDescription=None, AlarmArn="")["Sns"], TOPICS[TOPIC])
    assert (notice.text, notice.runbook, notice.console) == ("Threshold Crossed", "", "")
    assert handler.slack(notice)["text"].endswith("Since 2026-11-22T10:00:00.000+0000")
    assert handler.pagerduty(notice, KEY)["links"] == []


def test_without_a_promise_nothing_is_promised():
    notice = handler.read(alarm()["Sns"], Topic(severity="warning", response=""))
    assert "response" not in handler.pagerduty(notice, KEY)["payload"]["custom_details"]
    assert handler.slack(notice)["text"].startswith("*WARNING: ")


def test_an_event_of_rds_reads_well():
    content = {
        "Event Source": "db-instance",
        "Event Time": "2026-11-22 10:00:00.000",
        "Identifier Link": "https://console.aws.amazon.com/rds/home?region=us-east-1#dbinstance:id=primary",
        "Source ID": "primary",
        "Event Message": "Multi-AZ instance failover completed",
    }
    notice = handler.read(message(json.dumps(content), Subject="RDS Notification")["Sns"], TOPICS[TOPIC])
    assert notice.headline == "CRITICAL: db-instance primary"
    assert notice.text == "Multi-AZ instance failover completed"
    assert notice.console.startswith("https://console.aws.amazon.com/rds/")


def test_an_event_of_eventbridge_reads_well():
    content = {
        "detail-type": "GuardDuty Malware Protection Object Scan Result",
        "source": "aws.guardduty",
        "time": "2026-11-22T10:00:00Z",
        "resources": ["arn:aws:guardduty:x"],
        "detail": {"status": "INFECTED"},
    }
    notice = handler.read(message(json.dumps(content))["Sns"], TOPICS[TOPIC])
    assert notice.title == "aws.guardduty: GuardDuty Malware Protection Object Scan Result"
    assert notice.text == 'arn:aws:guardduty:x\n{"status": "INFECTED"}'


def test_alerts_of_prometheus_open_and_close_the_same_incident():
    firing = message("Alerts Firing: ...", Subject="[FIRING:1] HighErrorRate (critical)")
    resolved = message("Alerts Resolved: ...", Subject="[RESOLVED] HighErrorRate (critical)")
    opened, closed = (handler.read(each["Sns"], TOPICS[TOPIC]) for each in (firing, resolved))
    assert opened.headline == "CRITICAL: HighErrorRate (critical)"
    assert closed.headline == "RESOLVED: HighErrorRate (critical)"
    assert (opened.is_over, closed.is_over) == (False, True)
    assert opened.key == closed.key


@pytest.mark.parametrize(
    ("text", "title"),
    [("A backup job failed.\nMore", "A backup job failed."), ("", "a message without a subject")],
)
def test_anything_else_is_posted_as_it_reads(text, title):
    notice = handler.read(message(text)["Sns"], TOPICS[TOPIC])
    assert (notice.title, notice.text) == (title, text)


def test_a_long_message_is_cut():
    notice = handler.read(message("x" * 10_000, Subject="s" * 2000)["Sns"], TOPICS[TOPIC])
    assert len(handler.slack(notice)["text"]) == handler.MAX_TEXT
    assert len(handler.pagerduty(notice, KEY)["payload"]["summary"]) == handler.MAX_SUMMARY


def test_a_topic_that_nothing_is_known_of_is_an_error(trusting):
    record = message("x", TopicArn="arn:other")
    with pytest.raises(ValueError, match="nothing is known of the topic arn:other"):
        deliver(record, "https://127.0.0.1", trusting)


def test_the_function_reads_its_secret_each_time(monkeypatch):
    asked: list[Any] = []
    delivered: list[Any] = []

    class Secrets:
        def get_secret_value(self, SecretId):
            asked.append(SecretId)
            return {"SecretString": "https://hooks.slack.com/services/x"}

    monkeypatch.setattr(boto3, "client", lambda _service: Secrets())
    monkeypatch.setattr(handler, "deliver", lambda records, **how: delivered.append((records, how)))
    monkeypatch.setenv("SECRET_ARN", "arn:secret")
    monkeypatch.setenv("RECEIVER", "slack")
    monkeypatch.setenv("TOPICS", json.dumps([{"topic_arn": TOPIC, "severity": "critical", "response": P1}]))
    handler.handler({"Records": [alarm()]}, None)
    handler.handler({"Records": [alarm()]}, None)
    assert asked == ["arn:secret", "arn:secret"]
    assert delivered[0][1]["topics"] == TOPICS
    assert delivered[0][1]["context"].verify_mode is ssl.CERT_REQUIRED
