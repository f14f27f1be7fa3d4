"""The first picture: what fires, which services are short of tasks, what was deployed lately.

It must not keep anybody waiting: each part is asked at once with the others, with short timeouts, and what AWS does not
tell is a sentence.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from operator import itemgetter

from operations import show
from operations.alerts import alarms
from operations.incident import record
from operations.platform import Platform, Refusal, said
from operations.services import fleet
from operations.status.part import Asked

LIMIT_S = 20
RECENT = timedelta(hours=1)
MOST_DEPLOYMENTS = 5


def quick(platform: Platform) -> Platform:
    """The same one, which rather hears nothing than waits long."""
    return Asked(platform.system, platform.stack, platform.outputs, platform.endpoint_url)


def look(platform: Platform, *, limit_s: float = LIMIT_S) -> list[str]:
    """Lines, for whoever has just been woken."""
    asked = quick(platform)
    found: dict[str, list[str]] = {}
    threads = []
    for name, part in PARTS.items():

        def fill(name: str = name, part: Callable[[Platform], Iterator[str]] = part) -> None:
            found[name] = _looked(name, asked, part)

        # Not waited for when the command ends: one that hangs must not keep people from being told.
        thread = threading.Thread(target=fill, daemon=True)
        thread.start()
        threads.append(thread)
    ends = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0, ends - time.monotonic()))
    late = f"not seen, AWS did not answer within {limit_s:.0f} s."
    return [line for name in PARTS for line in found.get(name, [f"{name}: {late}"])]


def _looked(name: str, platform: Platform, part: Callable[[Platform], Iterator[str]]) -> list[str]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 so that `--help` stays quick

    try:
        return [f"{name}: {line}" for line in part(platform)]
    except ClientError as error:
        return [f"{name}: not seen. {said(error)}"]
    except (BotoCoreError, Refusal) as error:
        return [f"{name}: not seen. {error}"]
    except Exception as error:  # one part must not take the picture with it
        return [f"{name}: not seen. {type(error).__name__}: {error}"]


def _firing(platform: Platform) -> Iterator[str]:
    found, _ = alarms.look(platform)
    firing = [each for each in found if each.state == "ALARM"]
    if not firing:
        yield f"none of {len(found)} is in alarm."
    for each in firing:
        since = f" since {each.since:%Y-%m-%d %H:%M %Z}" if each.since else ""
        yield f"{each.name} is in alarm{since}. {each.why}".rstrip()


def _services(platform: Platform) -> Iterator[str]:
    if namespace := platform.outputs["kubernetes"]["namespace"]:
        yield f"Kubernetes runs them: `kubectl --namespace {namespace} get deployments,pods`."
        return
    chosen = fleet.choose(platform, None)
    seen = fleet.describe(platform.client("ecs"), chosen)
    short = [
        f"{each.name}: {seen[each.name]['runningCount']} of {seen[each.name]['desiredCount']} tasks run. `groundwork "
        f"service show {each.name}{options(platform)}`."
        for each in chosen
        if seen[each.name]["runningCount"] < seen[each.name]["desiredCount"]
    ]
    yield from short or ["each has the tasks that it should."]


def _deployments(platform: Platform) -> Iterator[str]:
    if platform.outputs["kubernetes"]["namespace"]:
        return
    ecs, now = platform.client("ecs"), record.now()
    chosen = fleet.choose(platform, None)
    seen = fleet.describe(ecs, chosen)
    when = [
        (primary["createdAt"], each.name, primary["taskDefinition"])
        for each in chosen
        if (primary := fleet.primary(seen[each.name])).get("createdAt")
    ]
    for made, name, definition in sorted(when, key=itemgetter(0), reverse=True)[:MOST_DEPLOYMENTS]:
        revision = fleet.revision(ecs, definition)
        ago = now - made
        way_back = f" `groundwork rollback {name}{options(platform)}` goes back." if ago < RECENT else ""
        yield (
            f"{name} {fleet.short(revision.tag(name))} (revision {revision.number}) "
            f"{show.duration(ago.total_seconds())} ago.{way_back}"
        )


def options(platform: Platform) -> str:
    """What a command of this stack ends with."""
    return f" --system {platform.system} --stack {platform.stack}"


PARTS: Mapping[str, Callable[[Platform], Iterator[str]]] = {
    "Alarms": _firing,
    "Services": _services,
    "Deployed": _deployments,
}
