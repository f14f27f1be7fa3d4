"""`groundwork images list | findings | login | push`, against the emulator's ECR and ECS.

The emulator's scans find the same every time; what Inspector finds is an answer of the test. docker is one of the
test's, a script that writes down what it was given.
"""

import base64
import json
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations import images
from operations.platform import Refusal
from tests import aws_cloud
from tests.aws_cloud import REGION, clock, emulator_url, refusal
from tests.running_services import running

__all__ = ["clock", "emulator_url", "running"]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PASSWORD = "a-password-of-twelve-hours"


class Registry:
    """A repository of the emulator's for the service `api`, which runs what a test says."""

    def __init__(self, fleet: Any) -> None:
        self.fleet, self.cloud = fleet, fleet.cloud
        self.name = f"rentalfix/prod/api-{uuid4().hex[:8]}"
        made = self.ecr.create_repository(repositoryName=self.name)["repository"]
        self.account, self.url = made["registryId"], made["repositoryUri"]
        self.cloud.outputs["repositories"] = {"api": self.url}

    @property
    def ecr(self) -> Any:
        return self.cloud.client("ecr")

    def push(self, *tags: str, scanned: bool = True) -> str:
        """Its digest."""
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "name": f"{uuid4()}"})
        for tag in tags:
            made = self.ecr.put_image(repositoryName=self.name, imageManifest=manifest, imageTag=tag)["image"]
        if scanned:
            self.ecr.start_image_scan(repositoryName=self.name, imageId={"imageTag": tags[0]})
        return made["imageId"]["imageDigest"]

    def runs(self, image: str) -> None:
        ecs, cluster = self.cloud.client("ecs"), self.fleet.cluster
        containers = [{"name": "api", "image": image, "memory": 128, "essential": True}]
        arn = ecs.register_task_definition(family=f"{cluster}-api", containerDefinitions=containers)[
            "taskDefinition"
        ]["taskDefinitionArn"]
        ecs.create_service(cluster=cluster, serviceName="api-1a2b", taskDefinition=arn, desiredCount=0)
        self.cloud.outputs["services"]["api"] = {
            "name": "api-1a2b", "taskDefinition": arn, "logGroup": "/api"
        }  # fmt: skip


@pytest.fixture
def registry(running):
    return Registry(running)


@pytest.fixture
def groundwork(running, monkeypatch):
    monkeypatch.setattr(images, "opened", lambda *_: running.cloud)

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["images", *words, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        assert PASSWORD not in result.output
        return result

    return run


# list


def test_the_newest_come_first_with_who_runs_them(registry, groundwork):
    registry.push("1.0.0", scanned=False)
    digest = registry.push("1.1.0", "1.1")
    registry.runs(f"{registry.url}:1.0.0")
    rows = json.loads(groundwork("list", "--json").stdout)
    by_tag = {tuple(sorted(row["tags"])): row for row in rows}
    assert set(by_tag) == {("1.0.0",), ("1.1", "1.1.0")}
    assert by_tag["1.0.0",]["runs_as"] == ["api"]
    newer = by_tag["1.1", "1.1.0"]
    assert (newer["runs_as"], newer["digest"]) == ([], digest[:19])
    pushed = [row["pushed"] for row in rows]
    assert pushed == sorted(pushed, reverse=True)
    assert len(json.loads(groundwork("list", "api", "-n", "1", "--json").stdout)) == 1


def test_one_that_runs_by_its_digest_is_known_too(registry, groundwork):
    digest = registry.push("1.0.0")
    registry.runs(f"{registry.url}@{digest}")
    [row] = json.loads(groundwork("list", "--json").stdout)
    assert row["runs_as"] == ["api"]


def test_a_tag_that_only_begins_alike_is_another(registry, groundwork):
    registry.push("1.0")
    registry.runs(f"{registry.url}:1.0.1")
    [row] = json.loads(groundwork("list", "--json").stdout)
    assert row["runs_as"] == []


def test_an_image_without_scan_or_tag_has_its_row():
    said = {"repositoryName": "a/api", "imageDigest": f"sha256:{'0' * 64}", "imagePushedAt": "now"}
    row = images.row("api", said, {})
    assert (row["tags"], row["scan"], row["findings"], row["size_bytes"]) == ([], "never", [], None)
    scanned = {
        **said,
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindingsSummary": {"findingSeverityCounts": {"LOW": 2, "CRITICAL": 1}},
    }
    assert images.row("api", scanned, {})["findings"] == ["1 critical", "2 low"]


def test_an_empty_registry_and_one_that_is_not_there_are_told(registry, groundwork):
    assert "No image was pushed yet." in groundwork("list").output
    registry.ecr.delete_repository(repositoryName=registry.name)
    assert "There is no repository" in groundwork("list", code=2).output
    registry.cloud.outputs["repositories"]["api"] = "docker.io/library/nginx"
    assert "is in no registry of ECR" in groundwork("list", code=2).output


# findings


def found(registry: Registry, **severities: int) -> None:
    """What the scan says from now on."""
    findings = [
        {
            "name": f"CVE-{severity}",
            "severity": severity,
            "attributes": [
                {"key": "package_name", "value": "openssl"},
                {"key": "package_version", "value": "3.0.1"},
            ],
        }
        for severity in severities
    ]
    registry.cloud.says(
        "DescribeImageScanFindings",
        {
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findingSeverityCounts": severities, "findings": findings},
        },
    )


def test_the_emulators_scan_is_read(registry, groundwork):
    registry.push("1.0.0")
    registry.runs(f"{registry.url}:1.0.0")
    said = json.loads(groundwork("findings", "--fail-on", "low", "--json", code=1).stdout)
    assert said["findings"]
    assert all(each["service"] == "api" for each in said["findings"])
    assert "findings. Build and release it anew" in said["notices"][0]["said"]


@pytest.mark.parametrize(
    ("fail_on", "code", "shown"),
    [("critical", 0, []), ("high", 1, ["CVE-HIGH"]), ("medium", 1, ["CVE-HIGH", "CVE-MEDIUM"])],
)
def test_only_what_is_grave_enough_is_a_failure(registry, groundwork, fail_on, code, shown):
    registry.push("1.0.0")
    registry.runs(f"{registry.url}:1.0.0")
    found(registry, HIGH=1, MEDIUM=2)
    said = json.loads(groundwork("findings", "--fail-on", fail_on, "--json", code=code).stdout)
    assert [each["finding"] for each in said["findings"]] == shown
    assert all(each["package"] == "openssl 3.0.1" for each in said["findings"])
    told = groundwork("findings", "--fail-on", fail_on, code=code).output
    assert ("Nothing critical or graver in 1 images." in told) is (code == 0)


def test_what_inspector_found_has_its_package_and_its_cure(registry, groundwork):
    registry.push("1.0.0")
    registry.runs(f"{registry.url}:1.0.0")
    packages = [{"name": "curl", "version": "8.0", "fixedInVersion": "8.1"}]
    enhanced = {
        "severity": "CRITICAL",
        "title": "t",
        "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-1", "vulnerablePackages": packages},
    }
    registry.cloud.says(
        "DescribeImageScanFindings",
        {
            "imageScanStatus": {"status": "ACTIVE"},
            "imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 1}, "enhancedFindings": [enhanced]},
        },
    )
    [row] = json.loads(groundwork("findings", "--json", code=1).stdout)["findings"]
    assert (row["finding"], row["package"], row["fixed_in"]) == ("CVE-1", "curl 8.0", "8.1")


def test_an_image_that_nobody_scanned_is_no_pass(registry, groundwork):
    registry.push("1.0.0", scanned=False)
    registry.runs(f"{registry.url}:1.0.0")
    assert "was never scanned" in groundwork("findings", code=1).output


def test_a_tag_that_does_not_run_yet_is_asked_for_before_it_is_released(registry, groundwork):
    registry.push("2.0.0", scanned=False)
    said = groundwork("findings", "api", "--tag", "2.0.0", code=1).output
    assert f"api ({registry.name} 2.0.0): was never scanned" in said
    assert "--tag is one service's" in groundwork("findings", "--tag", "2.0.0", code=2).output


def test_images_of_other_registries_are_left_out(registry, groundwork):
    registry.runs("docker.io/library/nginx:1.27")
    assert "Nothing high or graver in 0 images." in groundwork("findings").output


def test_on_kubernetes_a_tag_can_still_be_asked_for(registry, groundwork):
    registry.push("1.0.0")
    found(registry, LOW=1)
    registry.cloud.outputs["kubernetes"] = {"cluster": "a", "namespace": "rentalfix-prod"}
    registry.runs(f"{registry.url}:1.0.0")
    groundwork("findings", "api", "--tag", "1.0.0")
    assert "kubectl" in groundwork("findings", "api", code=2).output
    [row] = json.loads(groundwork("list", "--json").stdout)
    assert row["runs_as"] == []


# login and push


@pytest.fixture
def docker(registry, tmp_path, monkeypatch):
    """What it was called with, one line each; what came by its standard input is in the file `password`."""
    log = tmp_path / "calls"
    script = tmp_path / "docker"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n'
        f'if [ "$1" = login ]; then cat > {tmp_path}/password; fi\n'
        f'if [ -e {tmp_path}/fails ]; then echo "denied: $(cat {tmp_path}/password)" >&2; exit 1; fi\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    token = base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
    registry.cloud.says("GetAuthorizationToken", {"authorizationData": [{"authorizationToken": token}]})
    return lambda: log.read_text().splitlines() if log.exists() else []


def _client_of(cloud: Any, name: str, url: str) -> Any:
    client = aws_cloud._client(name, REGION, url)
    aws_cloud._listeners[id(client)] = cloud
    return client


@pytest.fixture
def on_aws(registry, docker, monkeypatch):
    """The stack has no endpoint of its own, as on AWS; the clients go on to ask the emulator."""
    url = registry.cloud.endpoint_url
    monkeypatch.setattr(type(registry.cloud), "client", lambda self, name, **_: _client_of(self, name, url))
    object.__setattr__(registry.cloud, "endpoint_url", None)
    yield
    object.__setattr__(registry.cloud, "endpoint_url", url)


def test_the_password_goes_to_docker_by_standard_input_only(registry, groundwork, docker, on_aws, tmp_path):
    host = registry.url.partition("/")[0]
    assert f"Logged in to {host} for twelve hours." in groundwork("login").output
    assert docker() == [f"login --username AWS --password-stdin {host}"]
    assert (tmp_path / "password").read_text() == PASSWORD


def test_a_login_that_fails_is_told_without_the_password(groundwork, docker, on_aws, tmp_path):
    (tmp_path / "fails").touch()
    assert "ended with 1: denied: ..." in groundwork("login", code=1).output


def test_the_emulator_has_no_registry_to_push_to(groundwork, docker):
    assert "only written down in the emulator" in groundwork("login", code=2).output
    assert docker() == []


def test_without_docker_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match=r"Neither docker nor podman is on PATH\. Install one"):
        images.tool()
    (tmp_path / "podman").touch(mode=0o755)
    assert images.tool() == "podman"


def test_push_logs_in_tags_and_pushes(registry, groundwork, docker, on_aws):
    said = groundwork("push", "api", "api:dev", "--tag", "1.2.0", "--yes").output
    assert f"will push api:dev as {registry.url}:1.2.0" in said
    assert [each.split()[0] for each in docker()] == ["login", "tag", "push"]
    assert docker()[1:] == [f"tag api:dev {registry.url}:1.2.0", f"push {registry.url}:1.2.0"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tag", "latest"], "`latest` says nothing of what runs"),
        (["--tag", "1.0.0"], "has a 1.0.0 already, and tags are never moved"),
        (["--tag", "1.2.0"], "Add --yes"),
    ],
)
def test_push_refuses_what_would_be_in_the_way(registry, groundwork, docker, on_aws, words, sentence):
    registry.push("1.0.0")
    assert sentence in groundwork("push", "api", "api:dev", *words, code=2).output
    assert docker() == []


def test_a_dry_run_pushes_nothing(registry, groundwork, docker, on_aws):
    assert "would push" in groundwork("push", "api", "api:dev", "--tag", "1.2.0", "--dry-run").output
    assert docker() == []


def test_a_repository_that_is_not_there_is_told(registry, groundwork, docker, on_aws):
    registry.cloud.says("DescribeImages", refusal("RepositoryNotFoundException"))
    assert "There is no repository" in groundwork("push", "api", "a", "--tag", "1", code=2).output


def test_a_program_is_told_which_registry_and_which_image(registry, groundwork, docker, on_aws):
    host = registry.url.partition("/")[0]
    assert json.loads(groundwork("login", "--json").stdout) == {"registry": host}
    said = groundwork("push", "api", "api:dev", "--tag", "1.2.0", "--yes", "--json")
    assert json.loads(said.stdout) == {"pushed": f"{registry.url}:1.2.0"}


def test_a_program_is_told_what_a_dry_run_would_push(registry, groundwork, docker, on_aws):
    said = groundwork("push", "api", "api:dev", "--tag", "1.2.0", "--dry-run", "--json")
    assert json.loads(said.stdout) == {
        "stack": str(registry.cloud),
        "would": [f"push api:dev as {registry.url}:1.2.0"],
    }
    assert docker() == []


def test_what_docker_says_of_a_push_goes_to_standard_error(capfd):
    images._run(["sh", "-c", "echo 1.2.0: digest: sha256:0"])
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "1.2.0: digest: sha256:0\n")
