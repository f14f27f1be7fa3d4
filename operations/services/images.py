"""Whether an image is fit to be released: it is in the registry, and its scan found nothing grave."""

from collections.abc import Iterator
from typing import Any

from operations import nightly
from operations.platform import ROOT, Platform, Refusal
from operations.policy.stacks import Stack
from operations.services import edits
from operations.services.fleet import DIGEST, short

SHOWN_TAGS = 5


def repository(platform: Platform, service: str) -> str:
    """The URL of the service's repository, or of the service's whose image it runs too. Raises Refusal for none."""
    known = platform.outputs["repositories"]
    if service in known:
        return known[service]
    system_file = Stack(platform.system, platform.stack, ROOT).system_file
    _, owner = edits.find(ROOT, system_file, ("services", service, "image_of"))
    if owner in known:
        return known[owner]
    raise Refusal(
        f"{platform} has no repository for {service}: `pulumi up` makes it. Push the image there, then deploy."
    )


def image(url: str, tag: str) -> str:
    return f"{url}{'@' if tag.startswith(DIGEST) else ':'}{tag}"


def problems(ecr: Any, service: str, wanted: str) -> Iterator[str]:
    """What its scan says against it. Raises Refusal where the registry has no such image."""
    found = nightly.in_registry(wanted)
    if found is None:
        raise Refusal(f"{wanted} is in no registry of ECR, so nobody can say whether it is there.")
    names = {"registryId": found["account"], "repositoryName": found["repository"]}
    try:
        ecr.describe_images(**names, imageIds=[found["image"]])
    except ecr.exceptions.ImageNotFoundException:
        there = ", ".join(newest(ecr, names)) or "nothing"
        raise Refusal(
            f"The registry has no {wanted}. Push it first. The newest of {found['repository']}: {there}."
        ) from None
    except ecr.exceptions.RepositoryNotFoundException:
        raise Refusal(f"There is no repository {found['repository']}: `pulumi up` makes it.") from None
    for notice in nightly.scan(ecr, service, **found):
        yield f"{notice.subject}: {notice.said}"


def newest(ecr: Any, names: dict[str, str]) -> list[str]:
    """The tags that were pushed last, the newest first."""
    pages = ecr.get_paginator("describe_images").paginate(**names, filter={"tagStatus": "TAGGED"})
    pushed = [each for page in pages for each in page["imageDetails"]]
    pushed.sort(key=lambda each: each["imagePushedAt"], reverse=True)
    return [short(tag) for each in pushed[:SHOWN_TAGS] for tag in each["imageTags"]]
