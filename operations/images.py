"""`groundwork images`: what is in the registry, what its scans have found, and how an image gets there."""

import base64
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from operations import nightly
from operations.exits import FOUND
from operations.notices import Notice
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
)
from operations.services import fleet, images
from operations.services.fleet import ServicesArgument, short
from operations.show import STDERR, as_text, show, tell
from operations.waits import Failed, carried_out

app = typer.Typer(help="Images: what the registry has, scans, pushing.", no_args_is_help=True)

# The gravest first; ECR's API calls them so.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
DOCKER_TIMEOUT_S = 60
TOOLS = ("docker", "podman")


class FailOn(StrEnum):
    critical = "critical"
    high = "high"
    medium = "medium"
    low = "low"


@app.command("list")
def listing(
    services: ServicesArgument = None,
    number: Annotated[int, typer.Option("-n", min=1, help="The newest so many of each repository.")] = 10,
    as_json: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """The images of each service's repository, the newest first: tag, size, what the scan found, who runs it.

    \b
    Examples
      groundwork images list --stack prod
      groundwork images list core-matching -n 3 --stack prod --json
    """
    with explained():
        platform = opened(system, stack, outputs)
        ecr, running = platform.client("ecr"), run_by(platform)
        rows = [
            row(name, each, running)
            for name, url in chosen(platform, services).items()
            for each in newest(ecr, url, number)
        ]
    show(rows, as_json=as_json, nothing="No image was pushed yet. `groundwork images push` does.")


def chosen(platform: Platform, names: Sequence[str] | None) -> dict[str, str]:
    """The URLs of the services' repositories, by service; all of them where none is named. Raises Refusal."""
    wanted = names or list(platform.outputs["repositories"])
    return {name: images.repository(platform, name) for name in wanted}


def where(url: str) -> dict[str, str]:
    """The parameters with which ECR names a repository. Raises Refusal for one that is not ECR's."""
    found = nightly.in_registry(url)
    if found is None:
        raise Refusal(f"{url} is in no registry of ECR.")
    return {"registryId": found["account"], "repositoryName": found["repository"]}


def newest(ecr: Any, url: str, number: int) -> list[Mapping[str, Any]]:
    try:
        pages = ecr.get_paginator("describe_images").paginate(**where(url))
        pushed = [each for page in pages for each in page["imageDetails"]]
    except ecr.exceptions.RepositoryNotFoundException:
        raise Refusal(f"There is no repository {url}: `pulumi up` makes it.") from None
    return sorted(pushed, key=lambda each: each["imagePushedAt"], reverse=True)[:number]


def run_by(platform: Platform) -> dict[str, list[str]]:
    """The services by the image that they run, as their task definitions name it. None where ECS runs none."""
    found: dict[str, list[str]] = {}
    for name, every in running_images(platform, None).items():
        for image in every:
            found.setdefault(image, []).append(name)
    return found


def running_images(platform: Platform, names: Sequence[str] | None) -> dict[str, list[str]]:
    """All images of each service's containers. Empty where ECS runs no service, unless one is named."""
    is_elsewhere = platform.outputs["kubernetes"]["namespace"] or not platform.outputs["services"]
    if is_elsewhere and not names:
        return {}
    services, ecs = fleet.choose(platform, names), platform.client("ecs")
    running = fleet.describe(ecs, services)
    return {
        each.name: sorted(
            {
                container["image"]
                for container in fleet.revision(ecs, running[each.name]["taskDefinition"]).containers
            }
        )
        for each in services
    }


def row(name: str, image: Mapping[str, Any], running: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    tags = image.get("imageTags", [])
    repository = f"{image['repositoryName']}"
    ends = [f"/{repository}:{tag}" for tag in tags] + [f"/{repository}@{image['imageDigest']}"]
    users = {user for said, names in running.items() if said.endswith(tuple(ends)) for user in names}
    return {
        "repository": name,
        "tags": tags,
        "digest": short(image["imageDigest"]),
        "pushed": image["imagePushedAt"],
        "size_bytes": image.get("imageSizeInBytes"),
        "scan": image.get("imageScanStatus", {}).get("status", "never"),
        "findings": counted(image.get("imageScanFindingsSummary", {}).get("findingSeverityCounts", {})),
        "runs_as": sorted(users),
    }


def counted(counts: Mapping[str, int]) -> list[str]:
    """`2 critical`, the gravest first."""
    return [f"{counts[severity]} {severity.lower()}" for severity in SEVERITIES if counts.get(severity)]


@app.command()
def findings(
    services: ServicesArgument = None,
    tag: Annotated[
        str | None,
        typer.Option(help="Of the service's image with this tag or digest, not of the one that runs."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="These and graver ones are shown, and are a failure.")
    ] = FailOn.high,
    as_json: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """What the scans of the images that run have found; an image that was not scanned is a failure, too.

    Images of other registries have no scan of ours, and are left out.

    \b
    Exit code
      0  nothing so grave
      1  something; or an image without a scan
      2  it could not be asked

    \b
    Examples
      groundwork images findings --stack prod
      groundwork images findings core-matching --tag 1.2.0 --fail-on critical --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        ecr, grave = platform.client("ecr"), SEVERITIES[: SEVERITIES.index(fail_on.upper()) + 1]
        wanted = list(examined(platform, services, tag))
        notices = [each for name, image in wanted for each in nightly.scan(ecr, name, **image, grave=grave)]
        rows = [each for name, image in wanted for each in details(ecr, name, image, grave)]
    if as_json:
        said = [{"subject": each.subject, "said": each.said} for each in notices]
        typer.echo(as_text({"notices": said, "findings": rows}))
    else:
        _tell(notices, rows, f"Nothing {fail_on} or graver in {len(wanted)} images.")
    raise typer.Exit(FOUND if notices else 0)


def _tell(notices: Sequence[Notice], rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    for each in notices:
        typer.echo(f"{each.subject}: {each.said}")
    if rows or not notices:
        show(rows, as_json=False, nothing=nothing)


def examined(
    platform: Platform, names: Sequence[str] | None, tag: str | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Service and image, as `nightly.scan` wants it, each image once. Raises Refusal for a tag of no one service."""
    if tag is not None:
        if not names or len(names) != 1:
            raise Refusal(
                "--tag is one service's: name it, such as `groundwork images findings api --tag 1.2.0`."
            )
        named = {names[0]: [images.image(images.repository(platform, names[0]), tag)]}
    else:
        named = running_images(platform, names)
    seen = set()
    for name, every in named.items():
        for image in every:
            found = nightly.in_registry(image)
            if found and image not in seen:
                seen.add(image)
                yield name, found


def details(
    ecr: Any, service: str, image: Mapping[str, Any], grave: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Each finding with the package it is in: of basic scans, and of Inspector's."""
    names = {
        "registryId": image["account"],
        "repositoryName": image["repository"],
        "imageId": image["image"],
    }
    try:
        pages = list(ecr.get_paginator("describe_image_scan_findings").paginate(**names))
    except (ecr.exceptions.ScanNotFoundException, ecr.exceptions.ImageNotFoundException):
        return
    for page in pages:
        found = page.get("imageScanFindings", {})
        every = [*map(_basic, found.get("findings", [])), *map(_enhanced, found.get("enhancedFindings", []))]
        for each in every:
            if each["severity"] in grave:
                yield {"service": service, **each}


def _basic(found: Mapping[str, Any]) -> dict[str, Any]:
    said = {each["key"]: each.get("value", "") for each in found.get("attributes", [])}
    package = f"{said.get('package_name', '')} {said.get('package_version', '')}".strip()
    return {"severity": found["severity"], "finding": found["name"], "package": package, "fixed_in": ""}


def _enhanced(found: Mapping[str, Any]) -> dict[str, Any]:
    about = found.get("packageVulnerabilityDetails", {})
    packages = about.get("vulnerablePackages", [])
    return {
        "severity": found["severity"],
        "finding": about.get("vulnerabilityId") or found.get("title", ""),
        "package": ", ".join(f"{each['name']} {each.get('version', '')}".strip() for each in packages),
        "fixed_in": ", ".join(each["fixedInVersion"] for each in packages if each.get("fixedInVersion")),
    }


@app.command()
def login(
    as_json: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Log docker (or podman) in to the stack's registry, for twelve hours.

    The password goes to its standard input, and is shown nowhere.

    \b
    Example
      groundwork images login --stack prod
    """
    with carried_out(as_json=as_json):
        platform = opened(system, stack, outputs)
        host = sign_in(platform, tool())
        tell(f"Logged in to {host} for twelve hours.", {"registry": host}, as_json=as_json)


def tool() -> str:
    """Raises Refusal where there is none."""
    for each in TOOLS:
        if shutil.which(each):
            return each
    raise Refusal(
        "Neither docker nor podman is on PATH. Install one (https://docs.docker.com/engine/install/), or let the "
        "product's pipeline push, with the role pipeline.pushRole of the outputs."
    )


def sign_in(platform: Platform, program: str) -> str:
    """The registry's host. Raises Refusal where the stack has none, `Failed` where it was not let in."""
    urls = list(platform.outputs["repositories"].values())
    if not urls:
        raise Refusal(f"{platform} has no repository.")
    if platform.endpoint_url:
        raise Refusal(
            "The local stack's registry is only written down in the emulator: nothing can be pushed there."
        )
    host = urls[0].partition("/")[0]
    [found] = platform.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(found["authorizationToken"]).decode().partition(":")
    _run([program, "login", "--username", user, "--password-stdin", host], password)
    return host


def _run(command: Sequence[str], password: str | None = None) -> None:
    """Raises `Failed`. Its output goes to standard error; of a login only what it says of a failure."""
    quiet = password is not None
    try:
        done = subprocess.run(
            command,
            input=password,
            stdin=None if quiet else subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else STDERR,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            timeout=DOCKER_TIMEOUT_S if quiet else None,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"`{' '.join(command)}` did not answer within {DOCKER_TIMEOUT_S} s.") from None
    if done.returncode:
        said = " ".join((done.stderr or "").replace(password or "\0", "...").split())
        raise Failed(f"`{' '.join(command)}` ended with {done.returncode}{f': {said}' if said else ''}.")


@app.command()
def push(
    service: fleet.ServiceArgument,
    image: Annotated[str, typer.Argument(help="The image as docker has it here, such as api:1.2.0.")],
    tag: Annotated[str, typer.Option(help="What it is called in the registry: a version, not `latest`.")],
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Push an image of this machine to its service's repository, where it is scanned. `groundwork deploy` releases it.

    \b
    Example
      groundwork images push core-matching core-matching:dev --tag 1.2.0 --stack prod
    """
    with carried_out(as_json=as_json):
        platform = opened(system, stack, outputs)
        url = images.repository(platform, service)
        if tag == "latest":
            raise Refusal("`latest` says nothing of what runs, and tags are never moved: give it a version.")
        if there(platform.client("ecr"), url, tag):
            raise Refusal(f"{url} has a {tag} already, and tags are never moved. Give it another.")
        wanted, program = images.image(url, tag), tool()
        if not confirm(platform, [f"push {image} as {wanted}"], as_json=as_json, yes=yes, dry_run=dry_run):
            return
        sign_in(platform, program)
        _run([program, "tag", image, wanted])
        _run([program, "push", wanted])
        tell(
            f"Pushed. `groundwork images findings {service} --tag {tag} --stack {platform.stack}` says what its scan "
            "found.",
            {"pushed": wanted},
            as_json=as_json,
        )


def there(ecr: Any, url: str, tag: str) -> bool:
    """Raises Refusal where the repository itself is not."""
    try:
        ecr.describe_images(**where(url), imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        return False
    except ecr.exceptions.RepositoryNotFoundException:
        raise Refusal(f"There is no repository {url}: `pulumi up` makes it.") from None
    return True
