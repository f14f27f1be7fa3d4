"""A stack that tells people: topics, alarms and a queue of what was not delivered, in the emulator."""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from operations import alerts, incident
from tests.aws_cloud import REGION, Cloud
from tests.running_services import outputs

# The two groups alone: to make all of the command's anew for each call would take most of the tests' time.
APP = typer.Typer()
APP.add_typer(alerts.app, name="alerts")
APP.add_typer(incident.app, name="incident")


@dataclass
class Stack:
    """`reader` is a queue that is subscribed to both topics."""

    cloud: Cloud
    reader: str

    @property
    def topics(self) -> dict[str, str]:
        return self.cloud.outputs["topics"]

    def subscribe(self, severity: str, endpoint: str, protocol: str = "email") -> None:
        self.cloud.client("sns").subscribe(
            TopicArn=self.topics[severity], Protocol=protocol, Endpoint=endpoint
        )

    def alarm(self, name: str, *, state: str = "OK", severity: str | None = "critical", **more: Any) -> str:
        """Declared, and there; its whole name."""
        whole = f"{self.cloud.outputs['cluster']}-{name}"
        self.declare(whole)
        client = self.cloud.client("cloudwatch")
        client.put_metric_alarm(
            **{
                "AlarmName": whole,
                "Namespace": "AWS/ECS",
                "MetricName": "CPUUtilization",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 80,
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmActions": [self.topics[severity]] if severity else [],
                **more,
            }
        )
        client.set_alarm_state(AlarmName=whole, StateValue=state, StateReason=f"{name} says so")
        return whole

    def declare(self, whole: str) -> None:
        self.cloud.outputs["alarms"].append(whole)

    def received(self) -> list[tuple[str, str, str]]:
        """What came since the last time: severity, subject and text."""
        sqs, found = self.cloud.client("sqs"), []
        severities = {arn: severity for severity, arn in self.topics.items()}
        while messages := sqs.receive_message(QueueUrl=self.reader, MaxNumberOfMessages=10).get("Messages"):
            for each in messages:
                body = json.loads(each["Body"])
                found.append((severities[body["TopicArn"]], body["Subject"], body["Message"]))
                sqs.delete_message(QueueUrl=self.reader, ReceiptHandle=each["ReceiptHandle"])
        return found


def queue(cloud: Cloud, name: str) -> tuple[str, str]:
    """Its URL and ARN."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=f"{cloud.outputs['cluster']}-{name}")["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, told["Attributes"]["QueueArn"]


@pytest.fixture
def stack(emulator_url: str) -> Generator[Stack]:
    """Nobody is in alarm, and the reader is the only subscriber."""
    name = f"rentalfix-{uuid4().hex[:8]}"
    said = {**outputs(name), "alarms": []}
    made = Cloud("rentalfix", "prod", said, emulator_url)
    sns = made.client("sns")
    said.update(
        topics={
            each: sns.create_topic(Name=f"{name}-{each}")["TopicArn"] for each in ("critical", "warning")
        },
        undelivered={"slack": queue(made, "slack")[0]},
    )
    made.says("ListAlarmMuteRules", {"AlarmMuteRuleSummaries": []})
    reader, arn = queue(made, "reader")
    stack = Stack(made, reader)
    for severity in stack.topics:
        stack.subscribe(severity, arn, "sqs")
    made.asked.clear()
    yield stack
    made.answers.clear()
    ssm = made.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/rentalfix/prod", Recursive=True)
    for each in [each["Name"] for page in pages for each in page["Parameters"]]:
        ssm.delete_parameter(Name=each)


@pytest.fixture
def groundwork(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command, on `stack`; nobody is there to answer."""
    from operations.alerts import mute, status, trial
    from operations.incident import closing, following, marking, opening, telling

    for module in (mute, status, trial, closing, following, marking, opening, telling):
        monkeypatch.setattr(module, "opened", lambda *_: stack.cloud)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(APP, [*arguments, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


__all__ = ["REGION", "Stack", "groundwork", "queue", "stack"]
