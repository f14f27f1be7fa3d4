"""What the program says in a reminder, and what it leaves out where there is no dump to read back."""

import pytest

from tests.program import configuration, run
from tests.settings_examples import refusal

SCHEDULE = "aws:scheduler/schedule:Schedule"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({}, "the external penetration test is due."),
        ({"audit_reminder_text": "the guide is due to be read."}, "the guide is due to be read."),
    ],
)
def test_a_reminder_says_what_is_due(text, said):
    config = configuration("prod")
    stack = run("prod", {**config, "groundwork:backups": {**config["groundwork:backups"], **text}})
    message = stack.one(SCHEDULE, "remind-audit")["target"]["input"]
    assert message == f"rentalfix, prod: {said}"


def test_words_that_nobody_sends_are_refused():
    assert refusal({"backups/audit_reminder_text": "it is due.", "backups/audit_reminder": None}) == (
        "Pulumi.prod.yaml: groundwork:backups.audit_reminder_text: is never sent: backups.audit_reminder says when, "
        "and is missing. Add backups.audit_reminder, or remove it.",
    )


def test_without_a_dump_nothing_is_read_back():
    config = configuration("prod")
    gone = {"dump": None, "verify": None}
    config = {**config, "groundwork:backups": {**config["groundwork:backups"], **gone}}
    stack = run("prod", {**config, "groundwork:tasks": {"migrate": {"backup_first": False}}})
    assert not {"dump", "verify", "restore"} & set(stack.value["tasks"])
    assert "task-restore" not in stack.names("aws:ecs/taskDefinition:TaskDefinition")
