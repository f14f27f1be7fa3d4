"""Do the services answer, are their stores there, and is shut what should be."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from operations import probe
from operations.show import printable
from operations.verify.asking import Asking, each
from operations.verify.expected import Entry
from operations.verify.seen import Seen, found, judged, nothing
from operations.verify.web import Unreachable

TRIES, IN_A_ROW, PAUSE_S = 5, 3, 1
SHOWN = 60
UNHEALTHY = "`groundwork targets` and `groundwork logs SERVICE --errors` say why; docs/runbooks/service.md."


def health(asking: Asking) -> Iterator[Seen]:
    """200 on the health path several times in a row, and once for HEAD."""
    if not asking.expected.entries:
        yield nothing("services", "none is public and started")
    yield from each(asking.expected.entries, lambda entry: entry.service, partial(_health, asking))


def _health(asking: Asking, entry: Entry) -> Iterator[Seen]:
    url, took_ms = f"https://{entry.host}{entry.health_path}", []

    def trouble(_: str) -> str:
        try:
            answer = asking.web.ask(entry.host, entry.health_path)
        except Unreachable as away:
            return str(away)
        took_ms.append(answer.took_ms)
        return "" if answer.status == HTTPStatus.OK else f"answered {answer.status}"

    said = probe.until_well(
        url, tries=TRIES, in_a_row=IN_A_ROW, pause_s=PAUSE_S, asking=trouble, sleep=asking.sleep
    )
    if said:
        yield found(entry.service, f"{url}: {said}", UNHEALTHY)
        return
    head = asking.web.ask(entry.host, entry.health_path, method="HEAD").status
    yield judged(
        entry.service,
        [f"{url} answers HEAD with {head}"] if head != HTTPStatus.OK else [],
        f"{url} answers 200 in {min(took_ms):.0f} ms",
        "`curl -I` should see 200, as GET does.",
    )


def readiness(asking: Asking) -> Iterator[Seen]:
    """What the declared paths say in their JSON, such as database: connected."""
    for entry in asking.expected.entries:
        if not entry.answers:
            yield nothing(entry.service, "the system file names no path that tells more (checks.answers)")
    asked = [(entry, path) for entry in asking.expected.entries for path in entry.answers]
    yield from each(asked, lambda one: one[0].service, partial(_readiness, asking))


def _readiness(asking: Asking, one: tuple[Entry, str]) -> Iterator[Seen]:
    entry, path = one
    wanted = entry.answers[path]
    answer = asking.web.ask(entry.host, path)
    troubles = [] if answer.status == HTTPStatus.OK else [f"answered {answer.status}"]
    if wanted:
        troubles += _differs(answer.body, wanted)
    told = ", ".join(f"{key} {value}" for key, value in wanted.items()) or "200"
    yield judged(
        entry.service,
        [f"{path}: {trouble}" for trouble in troubles],
        f"{path} says {told}, in {answer.took_ms:.0f} ms",
        "`groundwork db ping` and `groundwork redis ping` ask the stores themselves; docs/runbooks/service.md.",
    )


def _differs(body: bytes, wanted: Mapping[str, str]) -> Iterator[str]:
    try:
        said = json.loads(body)
    except ValueError:
        yield "what it answers is no JSON"
        return
    for key, value in wanted.items():
        got = at(said, key)
        if got is None:
            yield f"{key} is missing, {value} is expected"
        elif text(got) != value:
            yield f"{key} is {text(got)}, {value} is expected"


def at(said: Any, key: str) -> Any:
    """What stands under a key with dots; an entry of a list by its number. None where nothing does."""
    for part in key.split("."):
        if isinstance(said, list) and part.isdigit() and int(part) < len(said):
            said = said[int(part)]
        elif isinstance(said, dict):
            said = said.get(part)
        else:
            return None
    return said


def text(value: Any) -> str:
    """As the system file writes it; shortened, for it is a product's."""
    return printable(value if isinstance(value, str) else json.dumps(value))[:SHOWN]


def metrics(asking: Asking) -> Iterator[Seen]:
    """Private paths, and what is below them, answer 404 from outside."""
    for entry in asking.expected.entries:
        if not entry.private_paths:
            yield nothing(entry.service, "it has no private paths")
    shut = [entry for entry in asking.expected.entries if entry.private_paths]
    yield from each(shut, lambda entry: entry.service, partial(_private, asking))


def _private(asking: Asking, entry: Entry) -> Iterator[Seen]:
    paths = [path.replace("*", "x").replace("?", "x") for path in entry.private_paths]
    asked = [each for path in paths for each in (path, f"{path.rstrip('/')}/x")]
    statuses = {path: asking.web.ask(entry.host, path).status for path in asked}
    yield judged(
        entry.service,
        [
            f"{path} answers {status} from outside, and not 404"
            for path, status in statuses.items()
            if status != HTTPStatus.NOT_FOUND
        ],
        f"{', '.join(entry.private_paths)} and what is below answer 404",
        "The listener's rule for private_paths is not there or comes too late: `pulumi up --refresh`.",
    )
