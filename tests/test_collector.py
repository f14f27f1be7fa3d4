"""The collector's configuration: what it scrapes, how often, and where it sends it."""

from typing import Any

import pulumi
import pytest
import yaml

from components._collector import Job, configuration
from tests.recorder import record

JOB = Job(name="core-matching", dns_name="core-matching-metrics.prod.rentalfix.internal", port=9090)


def configure(jobs=(JOB,), **changes):
    values: dict[str, Any] = {
        "scrape_interval_s": 15,
        "region": "us-east-1",
        "endpoint": pulumi.Output.from_input("https://aps.example/workspaces/ws-1/"),
        "labels": {"system": "rentalfix"},
        **changes,
    }
    return yaml.safe_load(record(lambda: configuration(jobs, **values)).value)


def test_the_whole_configuration():
    assert configure() == {
        "extensions": {"health_check": {}, "sigv4auth": {"region": "us-east-1", "service": "aps"}},
        "receivers": {
            "prometheus": {
                "config": {
                    "global": {"scrape_interval": "15s"},
                    "scrape_configs": [
                        {
                            "job_name": "core-matching",
                            "metrics_path": "/metrics",
                            "dns_sd_configs": [
                                {
                                    "names": ["core-matching-metrics.prod.rentalfix.internal"],
                                    "type": "A",
                                    "port": 9090,
                                }
                            ],
                        }
                    ],
                }
            }
        },
        "exporters": {
            "prometheusremotewrite": {
                "endpoint": "https://aps.example/workspaces/ws-1/api/v1/remote_write",
                "auth": {"authenticator": "sigv4auth"},
                "external_labels": {"system": "rentalfix"},
            }
        },
        "service": {
            "extensions": ["health_check", "sigv4auth"],
            "pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["prometheusremotewrite"]}},
        },
    }


@pytest.mark.parametrize(
    ("jobs", "changes", "message"),
    [
        ([], {}, "jobs is empty; name at least one"),
        ([JOB, JOB], {}, "two jobs are called 'core-matching'"),
        ([JOB], {"scrape_interval_s": 0}, "scrape_interval_s must be 1 or more, got 0"),
    ],
)
def test_what_is_refused(jobs, changes, message):
    with pytest.raises(ValueError, match=message):
        configure(jobs, **changes)


def test_metrics_on_another_path():
    job = Job(name="api", dns_name="api-metrics.prod", port=3000, path="/api/v1/system/metrics")
    (scrape,) = configure([job])["receivers"]["prometheus"]["config"]["scrape_configs"]
    assert scrape["metrics_path"] == "/api/v1/system/metrics"
