"""`groundwork nightly`: AWS's answers through botocore's Stubber, certificates on a TLS server of our own."""

import json
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from socket import create_server
from typing import Any

import boto3
import pytest
import typer
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from components import backups as components_backups
from operations import nightly

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
VAULT = "fixrx-prod"
PLAN = "arn:aws:backup:us-east-1:111122223333:restore-testing-plan:fixrx_prod-1"
OUTPUTS: dict[str, Any] = {
    "system": "fixrx",
    "environment": "prod",
    "region": "us-east-1",
    "urls": {"api": "https://api.example.com"},
    "cdn": {"url": ""},
    "backups": {"vault": VAULT},
    "services": {"api": {"taskDefinition": "api:7"}, "later": {"taskDefinition": ""}},
}
REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


@contextmanager
def stubbed(service):
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def job(days_ago, status="COMPLETED", **more):
    return {
        "RestoreJobId": f"job-{days_ago}",
        "CreationDate": NOW - timedelta(days=days_ago),
        "Status": status,
        **more,
    }


def told_of_backups(*jobs, has_plan=True, outputs=OUTPUTS):
    with stubbed("backup") as (client, stub):
        asked = {"RestoreTestingPlanName": "fixrx_prod"}
        plan = {
            **asked,
            "RestoreTestingPlanArn": PLAN,
            "CreationTime": NOW,
            "ScheduleExpression": "cron(0 6 ? * SUN *)",
            "RecoveryPointSelection": {},
        }
        if not outputs["backups"]["vault"]:
            pass
        elif has_plan:
            stub.add_response("get_restore_testing_plan", {"RestoreTestingPlan": plan}, asked)
            expected = {"ByRestoreTestingPlanArn": PLAN}
            stub.add_response("list_restore_jobs", {"RestoreJobs": list(jobs)}, expected)
        else:
            stub.add_client_error(
                "get_restore_testing_plan", "ResourceNotFoundException", expected_params=asked
            )
        return [notice.said for notice in nightly.backups(client, outputs, NOW, 8)]


def test_a_restore_test_of_this_week_proves_the_backups():
    assert told_of_backups(job(3), job(10, "FAILED")) == []
    assert told_of_backups(job(8)) == []


def test_an_old_proof_is_told_with_its_age():
    assert told_of_backups(job(9), job(20)) == [
        "the newest restore test that ended well is 9 days old, more than 8. docs/runbooks/backups.md says what to "
        "look at."
    ]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([], []),
        ([job(0, "RUNNING")], []),
        (
            [job(0, "FAILED", StatusMessage="no subnet")],
            ["the restore test of 2026-11-26 failed: no subnet."],
        ),
        ([job(0, "ABORTED")], ["the restore test of 2026-11-26 failed: AWS says no reason."]),
        (
            [job(0, ValidationStatus="FAILED", ValidationStatusMessage="no rows")],
            ["the restore test of 2026-11-26 failed: no rows."],
        ),
    ],
)
def test_without_a_proof_it_says_so_and_why(jobs, said):
    runbook = "docs/runbooks/backups.md says what to look at."
    expected = ["no restore test has ended well yet.", *said]
    assert told_of_backups(*jobs) == [f"{each} {runbook}" for each in expected]


def test_a_failure_after_a_proof_is_told_alone():
    found = told_of_backups(job(1, "FAILED", StatusMessage="quota"), job(3))
    assert [said.partition(". ")[0] for said in found] == ["the restore test of 2026-11-25 failed: quota"]


def test_what_a_restore_test_left_behind_is_told():
    left = job(2, DeletionStatus="FAILED", CreatedResourceArn="arn:db", DeletionStatusMessage="protected")
    assert told_of_backups(left) == [
        "a restore test left arn:db behind (protected). Delete it: it is paid for."
    ]


def test_a_stack_without_a_plan_has_no_proof_and_one_without_a_vault_needs_none():
    assert told_of_backups(has_plan=False) == [
        "no restore testing plan is named fixrx_prod, so nothing proves them. Set backups.restore_test in the stack "
        "file."
    ]
    assert told_of_backups(outputs={**OUTPUTS, "backups": {"vault": ""}}) == []


def test_the_name_of_the_plan_is_the_one_that_the_component_gives_it():
    assert components_backups._underscored(VAULT) == nightly.plan_name(VAULT) == "fixrx_prod"


def told_of_images(*images, scans):
    with stubbed("ecs") as (ecs, definitions), stubbed("ecr") as (ecr, stub):
        containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
        definitions.add_response(
            "describe_task_definition",
            {"taskDefinition": {"containerDefinitions": containers}},
            {"taskDefinition": "api:7"},
        )
        for expected, answer in scans:
            asked = {"registryId": "111122223333", "repositoryName": "api", "imageId": expected}
            if isinstance(answer, str):
                stub.add_client_error("describe_image_scan_findings", answer, expected_params=asked)
            else:
                stub.add_response("describe_image_scan_findings", answer, asked)
        return [(notice.subject, notice.said) for notice in nightly.images(ecs, ecr, OUTPUTS)]


def scan(status="COMPLETE", **counts):
    return {
        "imageScanStatus": {"status": status, "description": "too large"},
        "imageScanFindings": {"findingSeverityCounts": counts},
    }


TAGGED = f"{REGISTRY}/api:1.2.0"


def test_grave_findings_of_an_image_that_runs_are_told():
    found = told_of_images(TAGGED, scans=[({"imageTag": "1.2.0"}, scan(CRITICAL=1, HIGH=4, LOW=9))])
    assert found == [
        (
            "api (api 1.2.0)",
            "1 critical and 4 high findings. Build and release it anew on a mended base image; `aws ecr "
            "describe-image-scan-findings --repository-name api` lists them.",
        )
    ]


def test_small_findings_and_images_of_other_registries_are_not_told():
    other = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.1"
    assert told_of_images(TAGGED, other, scans=[({"imageTag": "1.2.0"}, scan("ACTIVE", MEDIUM=3))]) == []


def test_an_image_is_asked_for_by_its_digest_where_it_has_one():
    image = f"{REGISTRY}/api@sha256:abc"
    assert told_of_images(image, scans=[({"imageDigest": "sha256:abc"}, scan())]) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("ScanNotFoundException", "was never scanned"),
        ("ImageNotFoundException", "is not in the registry any more"),
        (scan("FAILED"), "its scan is FAILED: too large"),
        (scan("IN_PROGRESS"), "its scan is IN_PROGRESS: too large"),
    ],
)
def test_an_image_without_a_finished_scan_is_told(answer, said):
    ((subject, sentence),) = told_of_images(TAGGED, scans=[({"imageTag": "1.2.0"}, answer)])
    assert subject == "api (api 1.2.0)"
    assert said in sentence


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """A certificate of our own for localhost that ends in ten days: its file, and when it ends."""
    folder = tmp_path_factory.mktemp("certificate")
    key, ends = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC).replace(microsecond=0)
    ends += timedelta(days=10)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=20))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "both.pem", ends


@contextmanager
def tls_server(file):
    """Shows the certificate once, on a port of loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def serve():
        connection, _ = listener.accept()
        # A caller that does not trust it leaves.
        with connection, suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


def test_the_end_of_a_certificate_is_read_from_the_server_that_shows_it(issued):
    file, ends = issued
    with tls_server(file) as port:
        trusting = ssl.create_default_context(cafile=str(file))
        assert nightly.shown_expiry("localhost", port=port, context=trusting) == ends


def test_a_certificate_that_nobody_vouches_for_is_an_error(issued):
    with tls_server(issued[0]) as port, pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        nightly.shown_expiry("localhost", port=port)


def told_of_certificates(expiry, outputs=OUTPUTS):
    found = nightly.certificates(outputs, NOW, 30, expiry)
    return [(notice.subject, notice.said) for notice in found]


def test_a_certificate_that_ends_soon_is_told():
    assert told_of_certificates(lambda _: NOW + timedelta(days=30)) == []
    assert told_of_certificates(lambda _: NOW + timedelta(days=29, hours=1)) == [
        (
            "api.example.com",
            "ends on 2026-12-25, in 29 days. ACM renews 60 days before while its DNS record stands: "
            "docs/runbooks/certificate.md.",
        )
    ]


def test_a_host_that_shows_none_is_told():
    def refuse(host):
        raise ConnectionRefusedError("refused")

    ((host, said),) = told_of_certificates(refuse)
    assert (host, said) == (
        "api.example.com",
        "no trusted certificate was shown: refused. Ask it with `curl -v`.",
    )


def test_every_public_host_is_asked_once_the_cdn_too():
    asked = []
    outputs = {
        **OUTPUTS,
        "urls": {"api": "https://a.example.com", "web": "https://a.example.com"},
        "cdn": {"url": "https://cdn.example.com"},
    }
    told_of_certificates(lambda host: asked.append(host) or NOW + timedelta(days=99), outputs)
    assert asked == ["a.example.com", "cdn.example.com"]


def step(op, kind, name, **more):
    return {"op": op, "urn": f"urn:pulumi:prod::groundwork::groundwork:data:Database${kind}::{name}", **more}


def test_drift_is_told_by_resource_and_property_and_never_by_value():
    refreshed = {
        "steps": [
            step("refresh", "aws:kms/key:Key", "keys-logs"),
            step("delete", "aws:kms/key:Key", "keys-data"),
            step("update", "aws:rds/instance:Instance", "database", detailedDiff={"tags.b": {}, "port": {}}),
            step("update", "aws:ecs/service:Service", "api", detailedDiff=None, diffReasons=["desiredCount"]),
            step("update", "aws:ecs/service:Service", "web", newState={"inputs": {"password": "hunter2"}}),
        ]
    }
    assert [(notice.subject, notice.said.split(". ")[0]) for notice in nightly.drift(refreshed)] == [
        ("Key keys-data", "is gone"),
        ("Instance database", "port, tags.b is not as deployed"),
        ("Service api", "desiredCount is not as deployed"),
        ("Service web", "something is not as deployed"),
    ]


def test_what_aws_does_not_let_look_is_a_notice_of_its_own():
    with stubbed("backup") as (client, stub):
        stub.add_client_error("get_restore_testing_plan", "AccessDeniedException", "not yours")
        (notice,) = nightly.look("backups", lambda: nightly.backups(client, OUTPUTS, NOW, 8))
    assert (notice.topic, notice.subject) == ("backups", "not checked")
    assert "not yours" in notice.said

    def offline():
        raise EndpointConnectionError(endpoint_url="https://backup")

    assert "Could not connect" in nightly.look("backups", offline)[0].said


def run(*arguments):
    app = typer.Typer()
    app.command()(nightly.nightly)
    return CliRunner().invoke(app, arguments)


def test_its_exit_code_says_whether_there_is_something(tmp_path, monkeypatch):
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(OUTPUTS), encoding="utf-8")
    command = ("--outputs", str(file), "--topic", "certificates")
    far = datetime.now(UTC) + timedelta(days=300)
    monkeypatch.setattr(nightly, "shown_expiry", lambda _: far)
    answer = run(*command)
    assert (answer.exit_code, answer.output) == (0, "Nothing of certificates needs anybody.\n")
    answer = run(*command, "--certificate-within", "301", "--format", "markdown")
    assert answer.exit_code == 1
    assert answer.output.startswith("- **certificates**: api.example.com: ends on ")
    answer = run(*command, "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (0, [])
    answer = run(*command, "--certificate-within", "301", "--json")
    assert answer.exit_code == 1
    assert {each["subject"] for each in json.loads(answer.stdout)} >= {"api.example.com"}


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_file_that_holds_no_outputs_is_refused(tmp_path, text):
    (tmp_path / "outputs.json").write_text(text, encoding="utf-8")
    answer = run("--outputs", str(tmp_path / "outputs.json"))
    assert answer.exit_code == 2
    assert "gives no outputs of a stack of Groundwork" in answer.output
    assert "cannot be read" in run("--outputs", str(tmp_path / "none.json")).output


def test_a_refresh_that_cannot_be_read_is_refused(tmp_path):
    answer = run("--outputs", "outputs.json", "--refresh", str(tmp_path / "none.json"))
    assert answer.exit_code == 2
    assert "none.json cannot be read" in answer.output
