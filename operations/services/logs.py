"""`groundwork logs`: what services, tasks and everything else in the stack write, searched and followed."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    SYSTEM,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
)
from operations.policy.stacks import unknown
from operations.services import log_groups
from operations.services.log_groups import Group
from operations.show import printable
from operations.show import show as table

POLL_S = 2
# CloudWatch shows a line some seconds after it was written, and not always in their order.
LATE_S = 15
# Where no metric filter of the stack says what an error looks like.
ERROR_WORDS = '?ERROR ?FATAL ?"error:" ?"fatal:" ?Traceback'
_AGE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Source:
    """A log group; `pattern` in CloudWatch's filter syntax, empty for every line. `region` where it is another."""

    name: str
    group: str
    pattern: str = ""
    region: str = ""


@dataclass(frozen=True)
class Line:
    when: datetime
    source: str
    stream: str
    text: str
    event_id: str

    def as_json(self) -> str:
        return json.dumps(
            {"when": self.when.isoformat(), "source": self.source, "stream": self.stream, "text": self.text}
        )


@dataclass
class Reader:
    """Remembers what it has shown, for the lines that come late. `abroad` are clients of other regions."""

    logs: Any
    sources: Sequence[Source]
    shown: dict[str, float] = field(default_factory=dict)
    abroad: Mapping[str, Any] = field(default_factory=dict)

    def since(self, start: datetime) -> list[Line]:
        """New lines of all sources, in their order."""
        found = [line for source in self.sources for line in self._of(source, start)]
        fresh = [line for line in found if line.event_id not in self.shown]
        self.shown.update({line.event_id: line.when.timestamp() for line in fresh})
        return sorted(fresh, key=lambda line: line.when)

    def forget(self, before: datetime) -> None:
        self.shown = {key: when for key, when in self.shown.items() if when >= before.timestamp()}

    def _of(self, source: Source, start: datetime) -> Iterator[Line]:
        client = self.abroad.get(source.region, self.logs)
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=source.group,
            startTime=int(start.timestamp() * 1000),
            **({"filterPattern": source.pattern} if source.pattern else {}),
        )
        for page in pages:
            for event in page["events"]:
                yield Line(
                    when=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    source=source.name,
                    stream=event["logStreamName"],
                    text=event["message"].rstrip("\n"),
                    event_id=event["eventId"],
                )


def logs(
    services: Annotated[
        list[str] | None,
        typer.Argument(
            help="Services, tasks or others that --list shows, by their names. None: every service."
        ),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option("--list", help="Only say which logs there are, how long they are kept, and their size."),
    ] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="Only lines of level error or fatal, as the stack counts them.")
    ] = False,
    filter_pattern: Annotated[
        str | None,
        typer.Option(
            "--filter",
            help='Only lines that match: a word, "two words", or CloudWatch\'s own { $.status >= 500 }.',
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help="How far back: 30s, 15m, 1h, 2d, or a time: 2026-11-26T03:00.")
    ] = "15m",
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, help="The last so many lines, before it follows.")
    ] = 1000,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")
    ] = False,
    for_: Annotated[str | None, typer.Option("--for", help="Follow only so long: 30s, 10m.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="A JSON object for each line.")] = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """What services, one-off tasks and everything else in the stack write, in the order of time. Times are UTC.

    Everything else: the database, caches, brokers, the web firewall, shell sessions, the VPN, functions.

    \b
    Exit code
      0  lines were found, or it followed
      1  there is none that matches
      2  there is no such log, or AWS refused

    \b
    Examples
      groundwork logs core-matching --stack prod --follow
      groundwork logs --errors --since 1h --stack prod -n 10
      groundwork logs worker-ai --filter '{ $.jobId = "42" }' --since 2d --stack prod --json
      groundwork logs migrate --stack prod
      groundwork logs --list --stack prod
      groundwork logs database/postgresql cache/queue/slow-log --since 1h --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        now = datetime.now(UTC)
        start, ends = moment(since, now), None if for_ is None else now + age(for_)
        client = platform.client("logs")
        if list_:
            rows = [each.row() for each in chosen_groups(platform, services)]
            table(rows, as_json=json_output, nothing=f"{platform} writes no log yet.")
            return
        found = sources(platform, services)
        if errors and filter_pattern:
            raise Refusal("Say --errors or --filter, not both: CloudWatch takes one pattern.")
        if errors:
            found = [replace(each, pattern=error_pattern(client, each)) for each in found]
        elif filter_pattern:
            found = [replace(each, pattern=filter_pattern) for each in found]
        show = _shower(as_json=json_output, width=_width(found))
        abroad = {each.region: platform.client("logs", region=each.region) for each in found if each.region}
        reader = Reader(client, found, abroad=abroad)
        lines = reader.since(start)[-limit:]
        show(lines)
        if follow or ends:
            followed(reader, show, lines[-1].when if lines else now, ends)
        elif not lines:
            typer.echo(
                f"No line of {', '.join(each.name for each in found)} since {start:%Y-%m-%d %H:%M}.", err=True
            )
            raise typer.Exit(1)


def sources(platform: Platform, names: Sequence[str] | None) -> list[Source]:
    """Services and tasks by the stack's outputs, others by what stands. Raises Refusal for a name that is not there."""
    known = log_groups.named(platform)
    chosen = list(dict.fromkeys(names or platform.outputs["services"]))
    if not chosen:
        tasks = ", ".join(sorted(platform.outputs["tasks"])) or "there is none either"
        raise Refusal(f"{platform} runs no service yet. Name a task: {tasks}. --list shows every other log.")
    if all(name in known for name in chosen):
        return [Source(name, known[name]) for name in chosen]
    return [Source(each.name, each.group, region=each.region) for each in chosen_groups(platform, chosen)]


def chosen_groups(platform: Platform, names: Sequence[str] | None) -> list[Group]:
    """Those that stand; a name alone means all that begin with it, as `database` does. Raises Refusal."""
    groups = log_groups.every(platform)
    if not names:
        return groups
    chosen: dict[str, Group] = {}
    for name in names:
        found = [each for each in groups if each.name == name or each.name.startswith(f"{name}/")]
        if not found:
            known = sorted({*log_groups.named(platform), *(each.name for each in groups)})
            raise Refusal(unknown("log", name, known, of=f" of {platform.system}"))
        chosen |= {each.group: each for each in found}
    return list(chosen.values())


def error_pattern(client: Any, source: Source) -> str:
    """The one by which the stack counts this group's errors; words where there is none, as for tasks."""
    if source.region:
        return ERROR_WORDS
    answer = client.describe_metric_filters(
        logGroupName=source.group, filterNamePrefix=f"{source.name}-errors"
    )
    return next((each["filterPattern"] for each in answer["metricFilters"]), ERROR_WORDS)


def age(text: str) -> timedelta:
    found = _AGE.fullmatch(text)
    if not found:
        raise Refusal(f"{text} is no span of time: 30s, 15m, 1h or 2d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def moment(text: str, now: datetime) -> datetime:
    """So long ago, or that time; without a zone it is UTC."""
    if _AGE.fullmatch(text):
        return now - age(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"{text} is neither a span (30s, 15m, 1h, 2d) nor a time (2026-11-26T03:00).") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def followed(
    reader: Reader,
    show: Callable[[Sequence[Line]], None],
    last: datetime,
    ends: datetime | None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Until `ends`, or Ctrl-C."""
    try:
        while ends is None or clock() < ends:
            start = last - timedelta(seconds=LATE_S)
            lines = reader.since(start)
            show(lines)
            last = max([last, *(line.when for line in lines)])
            reader.forget(start)
            sleep(POLL_S)
    except KeyboardInterrupt:
        pass


def _width(found: Sequence[Source]) -> int:
    """Of the name before each line; one source needs none."""
    return max((len(each.name) for each in found), default=0) if len(found) > 1 else 0


def _shower(*, as_json: bool, width: int) -> Callable[[Sequence[Line]], None]:
    def show(lines: Sequence[Line]) -> None:
        for line in lines:
            name = f"{line.source:{width}} " if width else ""
            typer.echo(line.as_json() if as_json else f"{line.when:%H:%M:%S} {name}{printable(line.text)}")
        sys.stdout.flush()

    return show
