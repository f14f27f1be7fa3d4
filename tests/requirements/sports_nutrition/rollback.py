"""S104 to S107: the way back, and what is read beside the guide."""

from tests.recorder import Recording
from tests.requirements.production import ALARM, SCHEDULE, TASK, operator_can_replace, output, referred
from tests.requirements.sports_nutrition.support import API, repository, service
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Rollback")
RUNBOOKS = "https://github.com/your-org/individual-sports-nutrition/blob/main/docs/runbooks/"


@CHAPTER.row(
    "S104",
    "L640-646",
    "Quickly back to the image before",
    "operator",
    note="the revision that ran before, and its tag in the stack file; `--force-new-deployment` alone, as the "
    "guide has it, starts the same image again",
    commands=["rollback api --write"],
    components=["service", "task"],
    policies=["deployment-rollback-enabled"],
)
def quickly_back(stack: Recording) -> None:
    operator_can_replace(stack, API)
    assert service(stack)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (output(stack, "cluster"), output(stack, "services", API, "name")) == ("production", "api")


@CHAPTER.row(
    "S105",
    "L648-653",
    "Back to a certain version: `api-production:1`",
    "operator",
    note="revisions stay, and so do the images of the last releases",
    commands=["rollback api --to api-production:1"],
    components=["task", "registry"],
    settings=["services.api.names.family"],
)
def back_to(stack: Recording) -> None:
    found = stack.one(TASK, API)
    assert (found["family"], found["skipDestroy"]) == ("api-production", True)
    assert repository(stack)["imageTagMutability"] == "IMMUTABLE"
    lifecycle = stack.one("aws:ecr/lifecyclePolicy:LifecyclePolicy", "registry-api-lifecycle")
    kept = [
        rule["selection"]["countNumber"]
        for rule in lifecycle.json("policy")["rules"]
        if rule["selection"]["tagStatus"] != "untagged"
    ]
    assert kept == [50]


@CHAPTER.row(
    "S106",
    "L668-670",
    "The guide is reviewed every quarter",
    "operator",
    by_hand="whoever answers for the product reads it again: only people can say whether it is still right. An "
    "e-mail says every three months that it is time",
    components=["schedule"],
    settings=["backups.audit_reminder", "backups.audit_reminder_text"],
)
def reviewed(stack: Recording) -> None:
    reminder = stack.one(SCHEDULE, "remind-audit")
    assert reminder["scheduleExpression"] == "cron(0 9 1 1/3 ? *)"
    said = "sports-nutrition, prod: the deployment guide is due to be read again."
    assert reminder["target"]["input"] == said
    assert referred(stack, reminder, "target") == ["notifications-warning-us-east-1", "remind-audit-schedule"]


@CHAPTER.row(
    "S107",
    "L638, L660-664",
    "Further documents: migrations, health checks, rollback, environment, pipeline",
    "operator",
    missing="the five documents themselves, which are the product's",
    by_hand="people read them: README, docs/operations.md, docs/pipeline.md, docs/outputs.md and docs/runbooks "
    "stand in, and every alarm links to its page",
    components=["alarms"],
    settings=["observability.runbook_url_prefix"],
)
def documents(stack: Recording) -> None:
    alarms = [each for each in stack.all(ALARM) if each.name.startswith("alarms-")]
    assert alarms
    assert [each.name for each in alarms if RUNBOOKS not in each["alarmDescription"]] == []
