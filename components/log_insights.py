"""Turns each service's structured log into figures, keeps the queries people need at night, and masks personal data.

The log's own fields are the product's (RentalFix guide L531-545): their names come as arguments.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import pulumi
import pulumi_aws as aws

from components._watch import Metric, Watch

ERROR_LEVELS = ("error", "fatal")
# In plain text: as a word of its own, or as Winston and its like begin a line.
_TEXT_PATTERN = " ".join(f'?{level.upper()} ?"{level}:"' for level in ERROR_LEVELS)
_TEXT_EXPRESSION = "|".join(f"{level.upper()}|{level}:" for level in ERROR_LEVELS)
# Names of CloudWatch Logs' managed data identifiers ("Types of data that you can protect").
PERSONAL_DATA = (
    "Address",
    "BankAccountNumber-US",
    "CreditCardNumber",
    "EmailAddress",
    "PhoneNumber-US",
    "Ssn-US",
)


@dataclass(frozen=True, kw_only=True)
class LogFields:
    """What the fields of a log line are called; durations are in milliseconds, None where no line has them."""

    level: str
    duration_ms: str | None = None
    query_duration_ms: str | None = None


@dataclass(frozen=True, kw_only=True)
class LogInsightsArgs:
    """`log_groups` by service; figures go to `namespace` ("RentalFix/prod") as "<service>-errors" and so on.

    Without `fields` the logs are no JSON: then only errors are counted, by the words that mark them.
    More than `error_lines_per_5_minutes` is worth a look. Raises ValueError without log groups, on a namespace
    of AWS's own and on a field name that a filter pattern cannot hold.
    """

    log_groups: Mapping[str, pulumi.Input[str]]
    namespace: str
    query_prefix: str
    fields: LogFields | None
    error_lines_per_5_minutes: int = 10
    personal_data: Sequence[str] = PERSONAL_DATA

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError("log insights: " + "; ".join(problems))


class LogInsights(pulumi.ComponentResource):
    """`durations` and `query_durations` by service: milliseconds, for objectives and dashboards.

    They are empty where the log lines do not say.
    """

    errors: Mapping[str, Metric]
    durations: Mapping[str, Metric]
    query_durations: Mapping[str, Metric]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: LogInsightsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:LogInsights", name, None, opts)

        for service, log_group in args.log_groups.items():
            self._figures(f"{name}-{service}", service, log_group, args)
            self._queries(f"{name}-{service}", service, log_group, args)
            aws.cloudwatch.LogDataProtectionPolicy(
                f"{name}-{service}-mask",
                log_group_name=log_group,
                policy_document=json.dumps(mask(args.personal_data)),
                opts=pulumi.ResourceOptions(parent=self),
            )

        self.errors = {service: _metric(args, service, "errors", "Sum") for service in args.log_groups}
        self.durations, self.query_durations = (
            {service: _metric(args, service, f"{part}-ms", "p95") for service in args.log_groups}
            if part in _durations(args.fields)
            else {}
            for part in ("duration", "query-duration")
        )
        self.watches = [_too_many_errors(args, service, metric) for service, metric in self.errors.items()]
        self.register_outputs({"namespace": args.namespace})

    def _figures(self, label: str, service: str, log_group: pulumi.Input[str], args: LogInsightsArgs) -> None:
        # A count has a zero in quiet minutes; a duration of nothing is no duration.
        filters: Mapping[str, tuple[str, aws.cloudwatch.LogMetricFilterMetricTransformationArgsDict]] = {
            "errors": (
                _error_pattern(args.fields),
                {
                    "name": f"{service}-errors",
                    "namespace": args.namespace,
                    "value": "1",
                    "default_value": "0",
                    "unit": "Count",
                },
            ),
            **{
                part: _duration(args, f"{service}-{part}-ms", log_field)
                for part, log_field in _durations(args.fields).items()
            },
        }
        for part, (pattern, transformation) in filters.items():
            aws.cloudwatch.LogMetricFilter(
                f"{label}-{part}",
                name=f"{service}-{part}",
                log_group_name=log_group,
                pattern=pattern,
                metric_transformation=transformation,
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _queries(self, label: str, service: str, log_group: pulumi.Input[str], args: LogInsightsArgs) -> None:
        for query, text in _query_texts(args.fields).items():
            aws.cloudwatch.QueryDefinition(
                f"{label}-{query}",
                name=f"{args.query_prefix}/{service}/{query}",
                log_group_names=[log_group],
                query_string=text,
                opts=pulumi.ResourceOptions(parent=self),
            )


def mask(personal_data: Sequence[str]) -> dict[str, object]:
    """The data protection policy: both statements are required, and must list the same identifiers."""
    identifiers = [f"arn:aws:dataprotection::aws:data-identifier/{each}" for each in personal_data]
    return {
        "Name": "personal-data",
        "Version": "2021-06-01",
        "Statement": [
            {
                "Sid": "audit",
                "DataIdentifier": identifiers,
                "Operation": {"Audit": {"FindingsDestination": {}}},
            },
            {"Sid": "mask", "DataIdentifier": identifiers, "Operation": {"Deidentify": {"MaskConfig": {}}}},
        ],
    }


def _error_pattern(fields: LogFields | None) -> str:
    """A filter has one pattern: that for JSON finds nothing in plain text, and the other too much in JSON."""
    if fields is None:
        return _TEXT_PATTERN
    levels = " || ".join(f'$.{fields.level} = "{level}"' for level in ERROR_LEVELS)
    return f"{{ {levels} }}"


def _durations(fields: LogFields | None) -> dict[str, str]:
    """The fields that hold one, by the part of the metric's name that says which."""
    if fields is None:
        return {}
    named = {"duration": fields.duration_ms, "query-duration": fields.query_duration_ms}
    return {part: log_field for part, log_field in named.items() if log_field is not None}


def _duration(
    args: LogInsightsArgs, metric_name: str, log_field: str
) -> tuple[str, aws.cloudwatch.LogMetricFilterMetricTransformationArgsDict]:
    return (
        f"{{ $.{log_field} >= 0 }}",
        {
            "name": metric_name,
            "namespace": args.namespace,
            "value": f"$.{log_field}",
            "unit": "Milliseconds",
        },
    )


def _query_texts(fields: LogFields | None) -> Mapping[str, str]:
    levels = ", ".join(f'"{level}"' for level in ERROR_LEVELS)
    is_error = f"{fields.level} in [{levels}]" if fields else f"@message like /{_TEXT_EXPRESSION}/"
    durations = _durations(fields)
    slowest = {
        "slowest-requests": durations.get("duration"),
        "slowest-queries": durations.get("query-duration"),
    }
    return {
        "errors": f"filter {is_error}\n| sort @timestamp desc\n| limit 100",
        **{query: _slowest(log_field) for query, log_field in slowest.items() if log_field is not None},
    }


def _slowest(log_field: str) -> str:
    return f"filter ispresent({log_field})\n| sort {log_field} desc\n| limit 50"


def _metric(args: LogInsightsArgs, service: str, figure: str, stat: str) -> Metric:
    ident = f"{service}_{figure}".replace("-", "_").lower()
    return Metric(id=ident, namespace=args.namespace, metric_name=f"{service}-{figure}", stat=stat)


def _too_many_errors(args: LogInsightsArgs, service: str, metric: Metric) -> Watch:
    return Watch(
        name=f"{service}-error-lines",
        description=f"{service} wrote more than {args.error_lines_per_5_minutes} lines of level "
        f"{' or '.join(ERROR_LEVELS)} in 5 minutes",
        severity="warning",
        threshold=args.error_lines_per_5_minutes,
        metrics=[metric],
    )


def _problems(args: LogInsightsArgs) -> Iterator[str]:
    if not args.log_groups:
        yield "log_groups is empty; name at least one service's log group"
    if args.namespace.startswith("AWS/"):
        yield f"namespace must not begin with AWS/, which is Amazon's own, got {args.namespace!r}"
    if not args.personal_data:
        yield "personal_data is empty; name at least one identifier to mask"
    if args.error_lines_per_5_minutes < 0:
        yield f"error_lines_per_5_minutes must be at least 0, got {args.error_lines_per_5_minutes}"
    for key, value in asdict(args.fields).items() if args.fields else ():
        if value is not None and not value.replace("_", "").replace(".", "").isalnum():
            yield f"fields.{key} must be a name of letters, digits, _ and ., got {value!r}"
