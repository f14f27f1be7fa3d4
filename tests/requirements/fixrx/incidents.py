"""F89 to F94: how bad it is, who is told, and what they do."""

import json

from components.webhook_notifier_handler import handler
from tests.recorder import Declared, Recording
from tests.requirements.fixrx.support import API, OPS, page
from tests.requirements.production import ALARM, BUCKET, output, referred
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Incident response")
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
RUNBOOKS = "https://github.com/your-org/fixrx-infrastructure/blob/main/docs/runbooks/"
RESPONSES = {"critical": "P1: answered within 15 minutes.", "warning": "P2: answered within 1 hour."}


def alarms(stack: Recording, severity: str) -> list[Declared]:
    """Those that tell the readers of that topic of the stack's region."""
    topic = output(stack, "topics", severity)
    found = [each for each in stack.all(ALARM) if each.get("alarmActions") == [topic]]
    assert found, f"no alarm is {severity}"
    return found


def mailed(stack: Recording, severity: str) -> set[str]:
    return {
        each["endpoint"]
        for each in stack.all(SUBSCRIPTION)
        if (each["protocol"], each["topic"]) == ("email", output(stack, "topics", severity))
    }


@CHAPTER.row(
    "F89",
    "L583-587",
    "Four severities, P1 to P4",
    "declared",
    note="each alarm says what it is: a critical one P1, a warning P2. For P3 and P4 nothing rings: somebody "
    "opens the incident",
    commands=["incident open --severity P3 --title TITLE"],
    components=["alarms", "notifications"],
    settings=["notifications.responses"],
)
def severities(stack: Recording) -> None:
    for severity, response in RESPONSES.items():
        priority = response.partition(":")[0]
        found = alarms(stack, severity)
        assert [each.name for each in found if f" {priority}: " not in each["alarmDescription"]] == []


@CHAPTER.row(
    "F90",
    "L589-593",
    "P1 is answered within 15 minutes, P2 within an hour, P3 within four, P4 on the next working day",
    "declared",
    note="in the description of each alarm, and so in the mail and in Slack; an incident of each severity has its "
    "own time, and its record says whether the answer was late",
    commands=["incident show"],
    components=["alarms", "webhook_notifier"],
    settings=["notifications.responses.critical.within", "notifications.responses.warning.within"],
)
def response_times(stack: Recording) -> None:
    for severity, response in RESPONSES.items():
        found = alarms(stack, severity)
        assert [each.name for each in found if response not in each["alarmDescription"]] == []


@CHAPTER.row(
    "F91",
    "L597-603",
    "Slack is told: CRITICAL, the API is down",
    "declared",
    note="a function posts each critical alarm to the webhook, whose URL is a secret to fill; what Slack does not take "
    "waits in a queue with an alarm of its own",
    commands=["secrets put slack-webhook", "alerts test --severity critical"],
    components=["webhook_notifier", "uptime"],
    settings=["notifications.slack", "secrets.slack-webhook", "observability.alarms.uptime-fixrx-api-down"],
)
def slack(stack: Recording) -> None:
    function = stack.one("aws:lambda/function:Function", "notify-slack")
    told = function["environment"]["variables"]
    (topic,) = json.loads(told["TOPICS"])
    assert told["SECRET_ARN"] == output(stack, "secrets", "slack-webhook")
    assert told["SECRET_ARN"] in output(stack, "secretsToFill")
    assert topic["topic_arn"] == output(stack, "topics", "critical")
    subscription = stack.one(SUBSCRIPTION, "notify-slack-critical-us-east-1")
    assert (subscription["protocol"], subscription["topic"]) == ("lambda", topic["topic_arn"])
    assert referred(stack, subscription, "endpoint") == ["notify-slack"]
    down = page(stack, f"uptime-{API}-down")
    message = {"AlarmName": down["name"], "AlarmDescription": down["alarmDescription"]}
    meaning = handler.Topic(severity=topic["severity"], response=topic["response"])
    text = handler.slack(handler.read({"Message": json.dumps(message)}, meaning))["text"]
    assert text.startswith("*CRITICAL: fixrx-prod-uptime-fixrx-api-down*\nFixRx API is down: ")
    assert "*P1: answered within 15 minutes*" in text
    page(stack, "notify-slack-undelivered")


@CHAPTER.row(
    "F92",
    "L605-606",
    "ops@fixrx.com gets a mail: the health check failed",
    "declared",
    note="the address confirms once, by a link that it is sent, and the first command says whether it has",
    missing="the guide's subject: CloudWatch writes its own, with the alarm's name",
    commands=["alerts status", "alerts test --severity critical"],
    components=["notifications"],
    settings=["notifications.critical"],
)
def mail(stack: Recording) -> None:
    assert mailed(stack, "critical") == {OPS}
    down = page(stack, f"uptime-{API}-down")
    assert down["alarmDescription"].startswith(
        "FixRx API is down: https://api.fixrx.com/api/v1/system/health does not answer from outside"
    )


@CHAPTER.row(
    "F93",
    "L609-617",
    "Eight steps, from acknowledging an incident to the review after it",
    "operator",
    note="people take them; the second lists the eight with what is typed for each, and who has taken which and "
    "when is kept beside the backups. Each alarm links to a page of docs/runbooks that says what it means "
    "and what to look at first",
    commands=[
        "incident open --severity P1 --title TITLE",
        "incident checklist",
        "incident done acknowledge",
        "incident close",
    ],
    components=["alarms"],
    settings=["observability.runbook_url_prefix"],
)
def checklist(stack: Recording) -> None:
    found = [*alarms(stack, "critical"), *alarms(stack, "warning")]
    assert [each.name for each in found if f"Runbook: {RUNBOOKS}" not in each["alarmDescription"]] == []
    assert output(stack, "backups", "bucket") == stack.one(BUCKET, "backups")["bucket"]
    assert set(output(stack, "topics")) == set(RESPONSES)


@CHAPTER.row(
    "F94",
    "L619-632",
    "A message when an incident begins, and one when it is over, from two templates",
    "operator",
    note="in the guide's words, to those who hear the alarms of that severity",
    commands=[
        "incident notify --template investigating --impact TEXT --actions TEXT",
        "incident notify --template resolved --resolution TEXT",
    ],
    components=["notifications"],
)
def templates(stack: Recording) -> None:
    for severity in RESPONSES:
        assert mailed(stack, severity) == {OPS}
