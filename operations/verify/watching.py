"""What the services write since they were deployed, and whether somebody would hear of trouble."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from operations.alerts.alarms import look
from operations.platform import Platform
from operations.services import fleet
from operations.services.logs import Source, error_pattern, sources
from operations.show import printable
from operations.verify.asking import Asking
from operations.verify.seen import Seen, found, judged, nothing, unasked, well

START_HOURS = 1  # tasks of a deployment start within it; later ones are asked of the log no more
MOST_PAGES = 20
SHOWN = 100
CPU_MINUTES, PERIOD_S = 5, 60  # sports-nutrition guide L489-500


def logs(asking: Asking) -> Iterator[Seen]:
    """The start-up text since the deployment, and no error in the last minutes."""
    platform, client = asking.platform, asking.platform.client("logs")
    if not platform.outputs["services"]:
        yield nothing("services", "none is started")
        return
    for source in sources(platform, None):
        text = platform.outputs["services"][source.name]["startText"]
        if text:
            yield _started(asking, client, source, text)
        yield _errors(asking, client, source)


def _started(asking: Asking, client: Any, source: Source, text: str) -> Seen:
    if asking.platform.outputs["kubernetes"]["namespace"]:
        return unasked(source.name, f"Kubernetes knows since when it runs: `kubectl logs` for {text!r}")
    [service] = fleet.choose(asking.platform, [source.name])
    said = fleet.describe(asking.platform.client("ecs"), [service])[source.name]
    since = fleet.primary(said)["createdAt"]
    until = min(since + timedelta(hours=START_HOURS), asking.now())
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    lines = _lines(client, source.group, f'"{quoted}"', since, until)
    if lines:
        return well(source.name, f'"{text}" written {len(lines)} times since {since:%Y-%m-%d %H:%M %Z}')
    return found(
        source.name,
        f'"{text}" was not written in the hour after the deployment of {since:%Y-%m-%d %H:%M %Z}',
        f"`groundwork logs {source.name}` shows how far its start came.",
    )


def _errors(asking: Asking, client: Any, source: Source) -> Seen:
    since = asking.now() - timedelta(minutes=asking.log_minutes)
    lines = _lines(client, source.group, error_pattern(client, source), since, asking.now())
    if not lines:
        return well(source.name, f"no error in the last {asking.log_minutes} minutes")
    last = printable(lines[-1].strip())[:SHOWN]
    return found(
        source.name,
        f"errors in the last {asking.log_minutes} minutes: {len(lines)}, the last: {last}",
        f"`groundwork logs {source.name} --errors` shows them.",
    )


def _lines(client: Any, group: str, pattern: str, since: datetime, until: datetime) -> list[str]:
    """Those that match, as many as the first pages hold."""
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        filterPattern=pattern,
        startTime=int(since.timestamp() * 1000),
        endTime=int(until.timestamp() * 1000),
    )
    found_there: list[str] = []
    for number, page in enumerate(pages, start=1):
        found_there += [event["message"] for event in page["events"]]
        if number == MOST_PAGES:
            break
    return found_there


def capacity(asking: Asking) -> Iterator[Seen]:
    """CPU of the last minutes, and alarms that are there and tell somebody."""
    platform = asking.platform
    if platform.outputs["kubernetes"]["namespace"]:
        yield unasked("services", "Kubernetes runs them: `kubectl top pods` shows their CPU")
    elif platform.outputs["services"]:
        for service in fleet.choose(platform, None):
            yield _cpu(asking, service)
    yield from _alarms(platform)


def _cpu(asking: Asking, service: fleet.Service) -> Seen:
    now = asking.now()
    answer = asking.platform.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=[
            {"Name": "ServiceName", "Value": service.ecs_name},
            {"Name": "ClusterName", "Value": service.cluster},
        ],
        StartTime=now - timedelta(minutes=CPU_MINUTES),
        EndTime=now,
        Period=PERIOD_S,
        Statistics=["Average", "Maximum"],
    )
    points = answer["Datapoints"]
    if not points:
        return found(
            service.name,
            f"CloudWatch has no CPU of the last {CPU_MINUTES} minutes",
            f"Does a task run? `groundwork service show {service.name}`.",
        )
    average = sum(point["Average"] for point in points) / len(points)
    most = max(point["Maximum"] for point in points)
    return well(
        service.name, f"CPU {average:.0f} % on average, {most:.0f} % at most in {CPU_MINUTES} minutes"
    )


def _alarms(platform: Platform) -> Iterator[Seen]:
    names = platform.outputs["alarms"]
    if not names:
        yield found("alarms", "the stack has none", "`pulumi up` makes them.")
        return
    there, missing = look(platform)
    off = [each.name for each in there if not each.is_on]
    silent = [each.name for each in there if not each.actions]
    firing = [each.name for each in there if each.state == "ALARM"]
    yield judged(
        "alarms",
        [
            f"{', '.join(sorted(which))} {what}"
            for which, what in (
                (missing, "not there"),
                (off, "with actions switched off"),
                (silent, "telling nobody"),
            )
            if which
        ],
        f"all {len(names)} there, actions on, in alarm: {', '.join(sorted(firing)) or 'none'}",
        "`pulumi up --refresh` makes them again; `aws cloudwatch enable-alarm-actions` switches actions on.",
    )
