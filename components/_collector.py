"""The configuration of an OpenTelemetry collector that scrapes a system's services into Managed Prometheus.

AWS's own agentless scraper would need nothing to run, but looks every 30 seconds at most, and the product's
documents ask for 15 (RentalFix guide L471).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

# Asked by the image's own /healthcheck (aws-otel-collector, "health check").
HEALTH_COMMAND = ["/healthcheck"]
COLLECTOR_USER = "4317"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is scraped: each address behind the private name `dns_name`, on `port`, at `path`."""

    name: str
    dns_name: str
    port: int
    path: str = "/metrics"


def configuration(
    jobs: Sequence[Job],
    *,
    scrape_interval_s: int,
    region: str,
    endpoint: pulumi.Input[str],
    labels: Mapping[str, str],
) -> pulumi.Output[str]:
    """The collector's YAML; `endpoint` is the workspace's, `labels` go onto every series.

    Raises ValueError without jobs, on repeated names and on an interval below one second.
    """
    problems = []
    if not jobs:
        problems.append("jobs is empty; name at least one, or leave the collector out")
    names = [job.name for job in jobs]
    for repeated in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"two jobs are called {repeated!r}; give each its own name")
    if scrape_interval_s < 1:
        problems.append(f"scrape_interval_s must be 1 or more, got {scrape_interval_s}")
    if problems:
        raise ValueError("collector: " + "; ".join(problems))
    document = _document(jobs, scrape_interval_s, region, labels)
    return pulumi.Output.from_input(endpoint).apply(lambda address: _with_endpoint(document, address))


def _document(
    jobs: Sequence[Job], scrape_interval_s: int, region: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "extensions": {"health_check": {}, "sigv4auth": {"region": region, "service": "aps"}},
        "receivers": {
            "prometheus": {
                "config": {
                    "global": {"scrape_interval": f"{scrape_interval_s}s"},
                    "scrape_configs": [
                        {
                            "job_name": job.name,
                            "metrics_path": job.path,
                            # From DNS, so that a new task is found without a change here.
                            "dns_sd_configs": [{"names": [job.dns_name], "type": "A", "port": job.port}],
                        }
                        for job in jobs
                    ],
                }
            }
        },
        "exporters": {
            "prometheusremotewrite": {
                "auth": {"authenticator": "sigv4auth"},
                "external_labels": dict(labels),
            }
        },
        "service": {
            "extensions": ["health_check", "sigv4auth"],
            "pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["prometheusremotewrite"]}},
        },
    }


def _with_endpoint(document: dict[str, Any], endpoint: str) -> str:
    exporters = document["exporters"]["prometheusremotewrite"]
    exporters = {"endpoint": f"{endpoint}api/v1/remote_write", **exporters}
    return yaml.safe_dump({**document, "exporters": {"prometheusremotewrite": exporters}}, sort_keys=False)
