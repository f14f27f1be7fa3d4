"""An incident as what has happened to it, each step a parameter of Systems Manager.

`/rentalfix/prod/incidents/20261126-1131-api-is-slow/0001-opened`, `.../0002-told`, ... Nothing is ever overwritten: SSM
takes a name only where there is none, so of two operators at the same moment neither loses a step.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from operations.incident.severity import Severity
from operations.platform import Platform, Refusal

FOLDER = "incidents"
MOST_BYTES = 4096  # SSM guide, "Managing parameter tiers": a value of the standard tier, which costs nothing
MOST_WORDS_BYTES = 3000  # of what people write into one step: the rest of it has names and times
UPDATE_EVERY = timedelta(minutes=30)  # FixRx guide L624: "updates in 30 minutes"
ATTEMPTS = 5
LONGEST_SLUG = 40
OPENED, PICTURE, TOLD, DONE, CLOSED = "opened", "picture", "told", "done", "closed"
_NAME = re.compile(r"(?P<incident>[^/]+)/(?P<number>\d{4})-(?P<kind>[a-z]+)")


class Taken(Exception):
    """Somebody else has written that step."""


@dataclass(frozen=True)
class Step:
    """`details` are what the kind has: `title`, `severity` and `began` of `opened`, the words of `told`, ..."""

    kind: str
    at: datetime
    by: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = {"": self.details.get("note", ""), **self.details.get("words", {})}
        texts = [f"{name}: {text}" if name else text for name, text in words.items() if text]
        return f"{self.at:%Y-%m-%d %H:%M} UTC  {self.by}  {'; '.join([self.details['says'], *texts])}"


@dataclass(frozen=True)
class Incident:
    name: str
    steps: Sequence[Step]

    def of(self, kind: str) -> list[Step]:
        return [each for each in self.steps if each.kind == kind]

    @property
    def title(self) -> str:
        return self.steps[0].details["title"]

    @property
    def severity(self) -> Severity:
        """As it was assessed last."""
        return Severity([each.details["severity"] for each in self.steps if each.details.get("severity")][-1])

    @property
    def began(self) -> datetime:
        return datetime.fromisoformat(self.steps[0].details["began"])

    @property
    def closed(self) -> Step | None:
        return next(iter(self.of(CLOSED)), None)

    @property
    def resolved(self) -> Step | None:
        """The message that it is over, unless another came after it."""
        told = self.of(TOLD)
        return told[-1] if told and told[-1].details["template"] == "resolved" else None

    @property
    def ended(self) -> datetime | None:
        over = self.resolved or self.closed
        return over.at if over else None

    @property
    def update_due(self) -> datetime | None:
        """When people expect the next message; None once it is over."""
        if self.ended:
            return None
        told = self.of(TOLD)
        return (told[-1].at if told else self.steps[0].at) + UPDATE_EVERY


@dataclass(frozen=True)
class Found:
    """One as it is stored: the text of each step by its number and kind, `0001-opened`."""

    name: str
    texts: Mapping[str, str]

    @property
    def is_open(self) -> bool:
        return not any(step.endswith(f"-{CLOSED}") for step in self.texts)


@dataclass(frozen=True)
class Journal:
    """All incidents of a stack."""

    platform: Platform

    @property
    def path(self) -> str:
        return f"/{self.platform.outputs['system']}/{self.platform.outputs['environment']}/{FOLDER}/"

    @cached_property
    def _ssm(self) -> Any:
        return self.platform.client("ssm")

    @cached_property
    def by(self) -> str:
        """Who is signed in: the session's name, as a rule the person's. The record goes on where AWS does not tell."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 so that `--help` stays quick

        try:
            arn = self.platform.client("sts").get_caller_identity()["Arn"]
        except (BotoCoreError, ClientError):
            return "somebody"
        return arn.rpartition("/")[2].rpartition(":")[2]

    def found(self) -> list[Found]:
        """The newest first."""
        texts: dict[str, dict[str, str]] = {}
        for name, text in self._texts(""):
            if match := _NAME.fullmatch(name):
                texts.setdefault(match["incident"], {})[f"{match['number']}-{match['kind']}"] = text
        return [Found(name, texts[name]) for name in sorted(texts, reverse=True)]

    def read(self, found: Found) -> Incident:
        # Two of the same moment may have one number.
        steps = sorted(map(_step, found.texts.values()), key=lambda each: each.at)
        if not steps or steps[0].kind != OPENED:
            raise Refusal(
                f"The incident {found.name} has lost its first step: `aws ssm get-parameters-by-path --recursive "
                f"--path {self.path}{found.name}` has what is left."
            )
        return Incident(found.name, steps)

    def open_ones(self) -> list[Incident]:
        return [self.read(each) for each in self.found() if each.is_open]

    def choose(self, name: str | None) -> Incident:
        """By its name or how that begins; left out, the one that is open. Raises Refusal where it is not one."""
        every = self.found()
        fitting = [each for each in every if (each.name.startswith(name) if name else each.is_open)]
        exact = [each for each in fitting if each.name == name]
        if len(exact or fitting) == 1:
            return self.read((exact or fitting)[0])
        if fitting:
            told = "; ".join(f"{each.name} ({self.read(each).title})" for each in fitting[:10])
            raise Refusal(f"Which incident? {told}. Name it as it stands here.")
        if name:
            raise Refusal(
                f"There is no incident {name} in {self.platform}. `groundwork incident list` has them."
            )
        raise Refusal(
            f"No incident is open in {self.platform}. `groundwork incident open` opens one; a closed one is named."
        )

    def begin(self, title: str, severity: Severity, began: datetime, services: Sequence[str]) -> Incident:
        """Raises `Taken` where one of that title was begun in the same minute."""
        at = now()
        step = Step(
            OPENED,
            at,
            self.by,
            {
                "title": title,
                "severity": str(severity),
                "began": began.isoformat(),
                "services": list(services),
                "says": f"opened as {severity}: {title}",
            },
        )
        name = f"{at:%Y%m%d-%H%M}-{_slug(title)}"
        self._write(name, 1, step)
        return Incident(name, [step])

    def add(self, incident: Incident, kind: str, says: str, **details: Any) -> Incident:
        """Raises Refusal where others write faster than this, five times in a row."""
        step = Step(kind, now(), self.by, {**details, "says": says})
        for _ in range(ATTEMPTS):
            numbers = [int(name[:4]) for name, _ in self._texts(f"{incident.name}/")]
            try:
                self._write(incident.name, 1 + max(numbers, default=0), step)
            except Taken:
                continue
            return Incident(incident.name, [*incident.steps, step])
        raise Refusal(
            f"Others write to the incident {incident.name} at the same time. Run the same command again."
        )

    def _texts(self, below: str) -> Iterator[tuple[str, str]]:
        """Names without the path, and what is there."""
        path = f"{self.path}{below}"
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
        for page in pages:
            yield from ((each["Name"].removeprefix(path), each["Value"]) for each in page["Parameters"])

    def _write(self, name: str, number: int, step: Step) -> None:
        body = {"kind": step.kind, "at": step.at.isoformat(), "by": step.by, "details": step.details}
        # SSM would take two braces for another parameter's name; in JSON they only stand in texts.
        text = json.dumps(body, ensure_ascii=False).replace("{{", "{\\u007b")
        if len(text.encode()) > MOST_BYTES:
            raise Refusal(
                f"A step of the record takes {MOST_BYTES:,} bytes, and this has {len(text.encode()):,}."
            )
        try:
            self._ssm.put_parameter(
                Name=f"{self.path}{name}/{number:04}-{step.kind}",
                Value=text,
                Type="String",
                Tier="Standard",
                Overwrite=False,
            )
        except self._ssm.exceptions.ParameterAlreadyExists:
            raise Taken from None


def _step(text: str) -> Step:
    said = json.loads(text)
    return Step(said["kind"], datetime.fromisoformat(said["at"]), said["by"], said["details"])


def check_length(words: Mapping[str, str]) -> None:
    """Raises Refusal where a step could not be recorded with these words."""
    size = len(json.dumps(dict(words), ensure_ascii=False).encode())
    if size > MOST_WORDS_BYTES:
        raise Refusal(
            f"{', '.join(words)}: {size:,} bytes, and a step of the record takes {MOST_WORDS_BYTES:,}. Put the rest "
            "behind a link."
        )


def now() -> datetime:
    return datetime.now(UTC)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower())[:LONGEST_SLUG].strip("-") or "incident"
