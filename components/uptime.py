"""Watches a public address from outside, every 30 seconds from several places of the world, over HTTPS.

Route 53 publishes its figures in us-east-1 only, so the two alarms stand there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components._watch import Metric, Watch

METRICS_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class UptimeArgs:
    """`host` without https://, `path` with its slash.

    `availability_percent` is the objective, below 100, if there is one.
    `failure_threshold`: checks in a row before one place calls the address down. Raises ValueError otherwise.
    """

    host: str
    path: str
    availability_percent: float | None = None
    failure_threshold: int = 3
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        if "/" in self.host or ":" in self.host or not self.host:
            problems.append(f"host must be a bare name such as api.example.com, got {self.host!r}")
        if not self.path.startswith("/"):
            problems.append(f"path must begin with a slash, got {self.path!r}")
        if self.availability_percent is not None and not 0 < self.availability_percent < 100:
            problems.append(
                f"availability_percent must be above 0 and below 100, got {self.availability_percent:g}; "
                "an objective of 100 is missed by the first failed check"
            )
        if not 1 <= self.failure_threshold <= 10:
            problems.append(f"failure_threshold must be 1 to 10, got {self.failure_threshold}")
        if problems:
            raise ValueError("uptime: " + "; ".join(problems))


class Uptime(pulumi.ComponentResource):
    health_check_id: pulumi.Output[str]
    watches: list[Watch]

    def __init__(self, name: str, args: UptimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:Uptime", name, None, opts)

        check = aws.route53.HealthCheck(
            name,
            type="HTTPS",
            fqdn=args.host,
            port=443,
            resource_path=args.path,
            enable_sni=True,
            failure_threshold=args.failure_threshold,
            request_interval=30,
            measure_latency=True,
            tags={**args.tags, "Name": f"https://{args.host}{args.path}"},
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.health_check_id = check.id
        self.watches = [_down(name, args, check.id)]
        if args.availability_percent is not None:
            self.watches.append(_availability(name, args, check.id, args.availability_percent))
        self.register_outputs({"health_check_id": self.health_check_id})


def _down(name: str, args: UptimeArgs, health_check_id: pulumi.Output[str]) -> Watch:
    return Watch(
        name=f"{name}-down",
        description=f"https://{args.host}{args.path} does not answer from outside (1 is up, 0 is down), "
        "for 2 minutes",
        severity="critical",
        threshold=1,
        comparison="LessThanThreshold",
        metrics=[_status("Minimum", health_check_id)],
        period_s=60,
        evaluation_periods=2,
        treat_missing_data="breaching",
        region=METRICS_REGION,
    )


def _availability(name: str, args: UptimeArgs, health_check_id: pulumi.Output[str], percent: float) -> Watch:
    return Watch(
        name=f"slo-{name}",
        description=f"Objective missed: https://{args.host}{args.path} was up for less than "
        f"{percent:g} percent of an hour (1 is all of it)",
        severity="warning",
        threshold=round(percent / 100, 6),
        comparison="LessThanThreshold",
        metrics=[_status("Average", health_check_id)],
        period_s=3600,
        treat_missing_data="breaching",
        region=METRICS_REGION,
    )


def _status(stat: str, health_check_id: pulumi.Output[str]) -> Metric:
    return Metric(
        id="up",
        namespace="AWS/Route53",
        metric_name="HealthCheckStatus",
        stat=stat,
        dimensions={"HealthCheckId": health_check_id},
    )
