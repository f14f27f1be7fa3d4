"""How a component says that it wants to be watched: plain data that the Alarms component turns into alarms.

A watch is one CloudWatch metric, or an expression over several, and the threshold at which somebody
should know. `period_s` is in seconds; `threshold` is in the metric's own unit, which `description` names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

Severity = Literal["critical", "warning"]
Comparison = Literal[
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
]
# What an alarm makes of silence. A metric that only exists while something is wrong is "notBreaching";
# one that is always published is "breaching", because its silence is the fault.
MissingData = Literal["breaching", "notBreaching", "missing", "ignore"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of an expression: `id` is how the expression calls it (lower case first)."""

    id: str
    namespace: str
    metric_name: str
    stat: str
    dimensions: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """`name` is the alarm's logical name and never changes; `runbook` is the page in docs/runbooks."""

    name: str
    description: str
    severity: Severity
    threshold: float
    comparison: Comparison = "GreaterThanThreshold"
    metrics: Sequence[Metric]
    expression: str | None = None  # required when there is more than one metric
    period_s: int = 300
    evaluation_periods: int = 1
    datapoints_to_alarm: int | None = None
    treat_missing_data: MissingData = "notBreaching"
    region: str | None = None  # where the metric lives, when it is not the stack's own region

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError(f"watch {self.name}: it needs at least one metric")
        if len(self.metrics) > 1 and self.expression is None:
            raise ValueError(f"watch {self.name}: {len(self.metrics)} metrics need an expression over them")
