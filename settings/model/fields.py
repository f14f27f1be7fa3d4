"""What the models are made of: the base, and the types of single values.

Each field says which of the two files it belongs to: `in_system` is what the product is in every environment,
`in_stack` is how large and where. Either file may hold it all the same; the stack file wins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from settings.data.cloudwatch import RETENTION_DAYS

Item = TypeVar("Item")
# A YAML list. Strictness is for what stands in it: YAML has no tuples.
Items = Annotated[tuple[Item, ...], Strict(False)]


class _Unusable:
    """Whoever looks at it trips: nothing can follow from a value that is wrong or missing."""

    def _trip(self, *_: Any) -> Any:
        raise TypeError("this value was refused")

    __eq__ = __bool__ = __str__ = __len__ = __iter__ = __contains__ = _trip
    __hash__ = None


UNUSABLE = _Unusable()


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep_going(cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """With the context `lenient`, UNUSABLE stands for a wrong value, so that rules can look at the rest."""
        if info.context != "lenient":
            return validate(value)
        try:
            return validate(value)
        except ValidationError:
            return UNUSABLE


def in_system(description: str, **constraints: Any) -> Any:
    """A field of the system file."""
    return Field(description=description, json_schema_extra={"file": "system"}, **constraints)


def in_stack(description: str, **constraints: Any) -> Any:
    """A field of the stack file."""
    return Field(description=description, json_schema_extra={"file": "stack"}, **constraints)


@dataclass(frozen=True)
class Matching:
    """Text of a certain form. `form` says it in words ("must be <form>"), `example` is what to write."""

    pattern: str
    form: str
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern, "examples": [self.example]}

    def _check(self, text: str) -> str:
        # Not search: in Python, unlike in a JSON Schema, $ also stands before a last line break.
        if not re.fullmatch(self.pattern, text):
            raise Unfit(f"must be {self.form}", f"Write it like {self.example}.")
        return text


@dataclass(frozen=True)
class OneOf:
    """A number out of a table of AWS's."""

    accepted: tuple[int, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.accepted)}

    def _check(self, number: int) -> int:
        if number not in self.accepted:
            nearest = min(self.accepted, key=lambda accepted: (abs(accepted - number), -accepted))
            raise Unfit(f"must be one of {', '.join(map(str, self.accepted))}", f"Set it to {nearest}.")
        return number


class Unfit(ValueError):
    """A value that a type refuses: the rule ("must be ...") and the remedy, a sentence."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(f"{rule}. {remedy}")
        self.rule = rule
        self.remedy = remedy


def _without_host_bits(block: str) -> str:
    try:
        network = IPv4Network(block, strict=False)
    except ValueError:
        raise Unfit("must be an IPv4 block in CIDR notation", "Write it like 10.20.0.0/16.") from None
    if str(network) != block:
        raise Unfit("must be the first address of its block", f"Write {network}.")
    return block


_DAILY = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_WEEKLY = rf"(mon|tue|wed|thu|fri|sat|sun):{_DAILY}"

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[float, Field(gt=0, le=100)]
Ratio = Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
RetentionDays = Annotated[int, OneOf(RETENTION_DAYS)]

Name = Annotated[
    str,
    Matching(
        r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        "lower case letters, digits and single hyphens, a letter first",
        "core-matching",
    ),
]
Label = Annotated[
    str, Matching(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "one label of a host name, without dots", "api")
]
DomainName = Annotated[
    str,
    Matching(
        r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$",
        "a domain name in lower case, without scheme or path",
        "example.com",
    ),
]
AccountId = Annotated[
    str, Matching(r"^[0-9]{12}$", "the 12 digits of an AWS account, in quotes", '"111122223333"')
]
Region = Annotated[str, Matching(r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "the name of an AWS region", "us-east-1")]
Zone = Annotated[
    str, Matching(r"^[a-z]{2}(-[a-z]+)+-[0-9][a-h]$", "the full name of an availability zone", "us-east-1a")
]
CidrBlock = Annotated[
    str,
    Matching(r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$", "an IPv4 block in CIDR notation", "10.20.0.0/16"),
    AfterValidator(_without_host_bits),
]
Identifier = Annotated[
    str,
    Matching(
        r"^[a-z](-?[a-z0-9])*$",
        "lower case letters, digits and single hyphens, a letter first",
        "rentfix-primary",
    ),
]
SqlName = Annotated[
    str,
    Matching(
        r"^[a-z_][a-z0-9_]{0,62}$", "a PostgreSQL name of at most 63 lower case characters", "rentfix_app"
    ),
]
Version = Annotated[str, Matching(r"^[0-9]+(\.[0-9]+)*$", "a version number in quotes", '"3.3"')]
Timezone = Annotated[
    str, Matching(r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$", "the name of a time zone", "UTC")
]
DailyWindow = Annotated[
    str, Matching(rf"^{_DAILY}-{_DAILY}$", "a daily window in UTC, hh:mm-hh:mm", "02:00-03:00")
]
WeeklyWindow = Annotated[
    str,
    Matching(rf"^{_WEEKLY}-{_WEEKLY}$", "a weekly window in UTC, ddd:hh:mm-ddd:hh:mm", "sun:04:00-sun:05:00"),
]
Schedule = Annotated[
    str,
    Matching(
        # EventBridge wants ? in the day of the month or in the day of the week, and "1 hour" but "2 hours".
        r"^(cron\(\S+ \S+ (\? \S+ [^?\s]+|[^?\s]+ \S+ \?) \S+\)"
        r"|rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\))$",
        "a schedule of EventBridge: rate(...), or cron(...) with six fields and ? for one of the two days",
        "cron(0 2 * * ? *)",
    ),
]
Duration = Annotated[str, Matching(r"^([1-9][0-9]*(ms|s|m|h|d))+$", "a duration of Prometheus", "5m")]
Email = Annotated[
    str, Matching(r"^[^@\s]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", "an e-mail address", "oncall@example.com")
]
EnvironmentName = Annotated[
    str, Matching(r"^[A-Za-z_][A-Za-z0-9_]*$", "letters, digits and underscores, no digit first", "DB_HOST")
]
UrlPath = Annotated[str, Matching(r"^/\S*$", "a path that starts with a slash", "/health")]
PlainPath = Annotated[
    str,
    Matching(
        r"^/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]$",
        "a path without wildcards, a slash first and none at the end",
        "/health",
    ),
]
ContainerPath = Annotated[str, Matching(r"^/\S+$", "a folder in the container, from the root", "/tmp")]
Tags = Mapping[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=256)]]
