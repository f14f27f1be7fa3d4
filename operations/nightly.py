"""`groundwork nightly`: what only AWS can tell of a stack that stands: drift, restores, images and certificates.

It reads and changes nothing. What it looks at comes from the stack's outputs (docs/outputs.md), drift from the engine.
"""

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from botocore.exceptions import BotoCoreError, ClientError

from operations.exits import FOUND, refuse
from operations.notices import Format, Notice, render
from operations.platform import JsonFormatOption, Outputs
from operations.standing import standing


class Topic(StrEnum):
    backups = "backups"
    images = "images"
    certificates = "certificates"


# What a scan may find without a notice: everything below these.
GRAVE = ("CRITICAL", "HIGH")
SCANNED = ("COMPLETE", "ACTIVE")
HANDSHAKE_TIMEOUT_S = 10


def backups(client: Any, outputs: Outputs, now: datetime, within_days: int) -> Iterator[Notice]:
    """Whether a restore test has proved the backups: the newest one that ended well, and the newest one of all."""
    vault = outputs["backups"]["vault"]
    if not vault:
        return
    name = plan_name(vault)
    try:
        plan = client.get_restore_testing_plan(RestoreTestingPlanName=name)["RestoreTestingPlan"]
    except client.exceptions.ResourceNotFoundException:
        remedy = "Set backups.restore_test in the stack file."
        yield Notice(
            "backups", vault, f"no restore testing plan is named {name}, so nothing proves them. {remedy}"
        )
        return
    arn = plan["RestoreTestingPlanArn"]
    pages = client.get_paginator("list_restore_jobs").paginate(ByRestoreTestingPlanArn=arn)
    jobs = sorted((job for page in pages for job in page["RestoreJobs"]), key=lambda job: job["CreationDate"])
    ended = [job for job in jobs if job["Status"] in ("COMPLETED", "FAILED", "ABORTED")]
    proved = [
        job for job in ended if job["Status"] == "COMPLETED" and job.get("ValidationStatus") != "FAILED"
    ]
    yield from _unproved(vault, ended, proved, now, within_days)
    for job in jobs:
        if job.get("DeletionStatus") == "FAILED":
            left = job.get("CreatedResourceArn") or job["RestoreJobId"]
            why = job.get("DeletionStatusMessage") or "AWS says no reason"
            yield Notice(
                "backups", vault, f"a restore test left {left} behind ({why}). Delete it: it is paid for."
            )


def plan_name(vault: str) -> str:
    """What the stack's restore testing plan is called: its name takes letters, digits and underscores only."""
    return re.sub(r"\W", "_", vault)


def _unproved(
    vault: str,
    ended: list[Mapping[str, Any]],
    proved: list[Mapping[str, Any]],
    now: datetime,
    within_days: int,
) -> Iterator[Notice]:
    runbook = "docs/runbooks/backups.md says what to look at."
    if not proved:
        yield Notice("backups", vault, f"no restore test has ended well yet. {runbook}")
    elif (age := now - _when(proved[-1])) > timedelta(days=within_days):
        said = f"the newest restore test that ended well is {age.days} days old, more than {within_days}. {runbook}"
        yield Notice("backups", vault, said)
    if ended and ended[-1] not in proved:
        job = ended[-1]
        why = job.get("StatusMessage") or job.get("ValidationStatusMessage") or "AWS says no reason"
        yield Notice("backups", vault, f"the restore test of {_when(job):%Y-%m-%d} failed: {why}. {runbook}")


def _when(job: Mapping[str, Any]) -> datetime:
    return job.get("CompletionDate") or job["CreationDate"]


def images(ecs: Any, ecr: Any, outputs: Outputs) -> Iterator[Notice]:
    """What the scans of the images that the services run have found; those of other registries have no scan of ours."""
    for service, said in outputs["services"].items():
        if not said["taskDefinition"]:
            continue
        definition = ecs.describe_task_definition(taskDefinition=said["taskDefinition"])["taskDefinition"]
        for image in sorted({container["image"] for container in definition["containerDefinitions"]}):
            if found := in_registry(image):
                yield from scan(ecr, service, **found)


def in_registry(image: str) -> dict[str, Any] | None:
    """The parameters with which ECR names an image of its own; None for one of another registry."""
    pattern = (
        r"(?P<account>\d{12})\.dkr\.ecr\.[^/]+/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
    )
    found = re.fullmatch(pattern, image)
    if not found:
        return None
    one = {"imageDigest": found["digest"]} if found["digest"] else {"imageTag": found["tag"] or "latest"}
    return {"account": found["account"], "repository": found["repository"], "image": one}


def scan(
    ecr: Any,
    service: str,
    *,
    account: str,
    repository: str,
    image: Mapping[str, str],
    grave: Sequence[str] = GRAVE,
) -> Iterator[Notice]:
    """What is wrong with an image: no scan that ended well, or findings of the severities that are `grave`."""
    subject = f"{service} ({repository} {next(iter(image.values()))})"
    remedy = "Build and release it anew on a mended base image"
    try:
        answer = ecr.describe_image_scan_findings(
            registryId=account, repositoryName=repository, imageId=image
        )
    except ecr.exceptions.ScanNotFoundException:
        yield Notice("images", subject, "was never scanned. Start it with `aws ecr start-image-scan`.")
        return
    except ecr.exceptions.ImageNotFoundException:
        yield Notice(
            "images", subject, "runs, and is not in the registry any more. Push it, or release another one."
        )
        return
    status = answer["imageScanStatus"]
    if status["status"] not in SCANNED:
        why = status.get("description") or "AWS says no reason"
        yield Notice("images", subject, f"its scan is {status['status']}: {why}")
        return
    counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    found = [f"{counts[severity]} {severity.lower()}" for severity in grave if counts.get(severity)]
    if found:
        command = f"aws ecr describe-image-scan-findings --repository-name {repository}"
        yield Notice("images", subject, f"{' and '.join(found)} findings. {remedy}; `{command}` lists them.")


def certificates(
    outputs: Outputs, now: datetime, within_days: int, expiry: Callable[[str], datetime]
) -> Iterator[Notice]:
    """What every public host shows: `expiry` gives the end of its certificate; OSError where it is not trusted."""
    addresses = [*outputs["urls"].values(), outputs["cdn"]["url"]]
    for host in sorted({urlsplit(address).hostname or "" for address in addresses if address}):
        try:
            ends = expiry(host)
        except OSError as problem:
            yield Notice(
                "certificates", host, f"no trusted certificate was shown: {problem}. Ask it with `curl -v`."
            )
            continue
        if (left := ends - now) < timedelta(days=within_days):
            remedy = "ACM renews 60 days before while its DNS record stands: docs/runbooks/certificate.md."
            yield Notice("certificates", host, f"ends on {ends:%Y-%m-%d}, in {left.days} days. {remedy}")


def shown_expiry(host: str, *, port: int = 443, context: ssl.SSLContext | None = None) -> datetime:
    """The end of the certificate that a host shows. Raises OSError where it is not trusted, or nobody answers."""
    context = context or ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=HANDSHAKE_TIMEOUT_S) as connection,
        context.wrap_socket(connection, server_hostname=host) as shown,
    ):
        certificate = shown.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def drift(refreshed: Mapping[str, Any]) -> Iterator[Notice]:
    """What is not as it was deployed, by what `pulumi refresh --preview-only --json` says; no value is told."""
    for step in refreshed["steps"]:
        kind, name = step["urn"].split("::")[-2:]
        subject = f"{kind.rsplit(':', 1)[-1]} {name}"
        if step["op"] == "delete":
            said = "is gone. `pulumi refresh` takes note of that, and `pulumi up` makes it again."
            yield Notice("drift", subject, said)
        elif step["op"] == "update":
            paths = ", ".join(sorted(step.get("detailedDiff") or step.get("diffReasons") or ["something"]))
            said = (
                f"{paths} is not as deployed. `pulumi up --refresh` puts it right, `pulumi refresh` keeps it."
            )
            yield Notice("drift", subject, said)


def look(topic: str, found: Callable[[], Iterable[Notice]]) -> list[Notice]:
    """What a check finds; one that AWS does not let look has found that."""
    try:
        return list(found())
    except (ClientError, BotoCoreError) as problem:
        return [Notice(topic, "not checked", f"{problem}")]


def read_refresh(path: Path) -> Mapping[str, Any]:
    """What `pulumi refresh --preview-only --json` wrote. Ends the command where it is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        refuse(f"{path} cannot be read: {problem}")
    if not isinstance(content, dict) or not isinstance(content.get("steps"), list):
        refuse(f"{path} holds no refresh: `pulumi refresh --preview-only --json > {path}` writes one.")
    return content


def nightly(
    outputs: Annotated[Path, typer.Option(help="What `pulumi stack output --json` wrote.")],
    refresh: Annotated[
        Path | None, typer.Option(help="What `pulumi refresh --preview-only --json` wrote: tells drift, too.")
    ] = None,
    topic: Annotated[list[Topic] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    restore_within: Annotated[
        int, typer.Option(min=1, help="Days within which a restore test must have ended well.")
    ] = 8,
    certificate_within: Annotated[
        int, typer.Option(min=1, help="Days that a certificate must still be valid.")
    ] = 30,
    format: Annotated[Format, typer.Option(help="How the notices are written.")] = "text",
    json_output: JsonFormatOption = False,
) -> None:
    """What needs somebody in a stack that stands: drift, unproved backups, vulnerable images, ending certificates.

    It only reads. Credentials come from the environment, as for the AWS CLI.

    \b
    Exit code
      0  nothing
      1  at least one notice; what could not be checked is one
      2  the outputs cannot be read

    \b
    Examples
      pulumi stack output --json > outputs.json
      groundwork nightly --outputs outputs.json
      groundwork nightly --outputs outputs.json --topic images --format markdown
      pulumi refresh --preview-only --json > refresh.json && groundwork nightly --outputs o.json --refresh refresh.json
    """
    drifted = list(drift(read_refresh(refresh))) if refresh else []
    stands, now = standing(outputs), datetime.now(UTC)
    said = stands.outputs
    checks: Mapping[Topic, Callable[[], Iterable[Notice]]] = {
        Topic.backups: lambda: backups(stands.client("backup"), said, now, restore_within),
        Topic.images: lambda: images(stands.client("ecs"), stands.client("ecr"), said),
        Topic.certificates: lambda: certificates(said, now, certificate_within, shown_expiry),
    }
    chosen = topic or list(checks)
    found = drifted + [notice for name in chosen for notice in look(name, checks[name])]
    looked_at = ", ".join([*(["drift"] if refresh else []), *chosen])
    typer.echo(
        render(found, "json" if json_output else format, nothing=f"Nothing of {looked_at} needs anybody.")
    )
    raise typer.Exit(FOUND if found else 0)
