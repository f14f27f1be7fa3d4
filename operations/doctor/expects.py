"""What the first `up` leaves to somebody (images, secrets, e-mails), and what the stack will cost."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from operations.doctor.declared import Declared, given
from operations.doctor.line import Line, guarded, note, well, wrong
from operations.platform import Platform
from operations.report.costs import costs
from operations.report.preview import Change

SECRET, VERSION = "aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretVersion:SecretVersion"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
REPOSITORY = "aws:ecr/repository:Repository"


def check(declared: Declared) -> Iterator[Line]:
    yield _preview(declared)
    yield _secrets(declared)
    yield _mails(declared)
    yield _cost(declared)


def _preview(declared: Declared) -> Line:
    preview = declared.preview
    own = sum(change.state.custom for change in preview.changes.values())
    if preview.is_whole:
        return well("preview", f"{own} resources", "make preview")
    return wrong(
        "preview", "; ".join(preview.errors) or "it was refused", "`make preview` says where.", "make preview"
    )


def images(declared: Declared, platform: Platform | None) -> Iterator[Line]:
    """A service whose image is not there yet is waited for until `up` gives up; `platform` is None offline."""
    tagged = {
        name: str(tag)
        for name, asked in (declared.setting("services") or {}).items()
        if (tag := asked.get("image_tag")) is not None
    }
    repositories = {each.name.removeprefix("registry-"): each for each in declared.all(REPOSITORY)}
    started = {name: tag for name, tag in tagged.items() if name in repositories}
    if not started:
        yield well("images", "no service starts before its first image is pushed", "stack file: image_tag")
    for name, tag in started.items():
        repository = str(given(repositories[name], "name"))
        if platform is None:
            yield _too_early(name, tag)
        else:
            yield from guarded(f"image of {name}", partial(_pushed, platform, name, repository, tag))


def _too_early(name: str, tag: str) -> Line:
    return wrong(
        f"image of {name}",
        f"`image_tag: {tag}`, and its repository exists only after the first `up`, which waits for the service",
        f"`groundwork:services: {name}: image_tag: null` for the first `up` (README, First deployment, step 3).",
        "stack file",
    )


def _pushed(platform: Platform, name: str, repository: str, tag: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 half a second that `--help` saves

    one: dict[str, Any] = {"imageDigest": tag} if tag.startswith("sha256:") else {"imageTag": tag}
    try:
        platform.client("ecr").describe_images(repositoryName=repository, imageIds=[one])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("RepositoryNotFoundException", "ImageNotFoundException"):
            raise
        yield _too_early(name, tag)
    else:
        yield well(f"image of {name}", f"{repository}:{tag} is there", "ecr DescribeImages")


def _secrets(declared: Declared) -> Line:
    filled = {
        secret.urn for version in declared.all(VERSION) for secret in declared.sources(version, "secretId")
    }
    empty = [each for each in declared.all(SECRET) if each.urn not in filled]
    if not empty:
        return well("secrets", "the stack fills all of them")
    made = [each for each in empty if _is_made_by_bootstrap(each)]
    put = [each.name.removeprefix("secret-") for each in empty if each not in made]
    remedies = [
        *(["Have their values at hand: `groundwork secrets put NAME`."] if put else []),
        *(["`groundwork db bootstrap` makes logins of roles, and URLs that hold one."] if made else []),
    ]
    names = sorted([*put, *(each.name.removeprefix("secret-") for each in made)])
    return note("secrets", f"empty after `up`: {', '.join(names)}", " ".join(remedies))


def _is_made_by_bootstrap(secret: Change) -> bool:
    """A role's login; or a URL, which Pulumi fills unless it holds the password of one."""
    described = str(given(secret, "description"))
    return secret.name.startswith("database-role-") or described.startswith("Put together")


def _mails(declared: Declared) -> Line:
    """One message for each topic that somebody is subscribed to."""
    found: dict[str, int] = {}
    for each in declared.all(SUBSCRIPTION):
        if given(each, "protocol") in ("email", "email-json"):
            address = str(given(each, "endpoint"))
            found[address] = found.get(address, 0) + 1
    if not found:
        return well("e-mails", "nobody has to confirm one")
    who = ", ".join(f"{address} ({number})" for address, number in sorted(found.items()))
    return note(
        "e-mails", f"to confirm, within three days: {who}", "Say so beforehand: until then no alarm is heard."
    )


def _cost(declared: Declared) -> Line:
    price = costs(declared.preview)
    if price.after is None:
        return note("cost", "not known, as the preview is not whole", "`make preview`.")
    left_out = f"; without {len(price.left_out)} that have no price" if price.left_out else ""
    elsewhere = f", at the prices of us-east-1 instead of {price.region}" if price.is_elsewhere else ""
    return note(
        "cost",
        f"about {price.after:,.0f} USD a month at rest{elsewhere}{left_out}; what is used comes on top",
        source="operations/report/prices.yaml",
    )
