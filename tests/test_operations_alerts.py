"""`groundwork alerts status | test | mute | unmute`: SNS, CloudWatch and SQS are the emulator's.

It confirms every subscription by itself and knows no mute rules: those are answers of the test, checked against
botocore's models.
"""

import json
from datetime import UTC, datetime

import pytest

from operations.alerts import alarms, mute, rules, topics
from operations.alerts.topics import MOST_MESSAGE_BYTES, MOST_SUBJECT, Message
from operations.platform import Refusal
from tests.alerted_stack import REGION, groundwork, stack
from tests.aws_cloud import Cloud, emulator_url, refusal

__all__ = ["emulator_url", "groundwork", "stack"]

PENDING = "PendingConfirmation"


def unheard(groundwork):
    """What `status --json` says of who would not hear, with the exit code that belongs to it."""
    found = json.loads(groundwork("alerts", "status", "--json", code=1).stdout)
    assert found["problems"] == []
    return found["unheard"]


def subscribed(stack, *subscriptions):
    """From now on both topics have these: (protocol, endpoint, ARN of the subscription)."""
    stack.cloud.says(
        "ListSubscriptionsByTopic",
        {
            "Subscriptions": [
                {"Protocol": protocol, "Endpoint": endpoint, "SubscriptionArn": arn}
                for protocol, endpoint, arn in subscriptions
            ]
        },
    )


# status


def test_where_everybody_hears_it_says_so_and_who(stack, groundwork):
    stack.subscribe("critical", "ops@example.com")
    stack.alarm("cpu")
    shown = groundwork("alerts", "status").stdout
    assert "critical  email     ops@example.com" in shown
    assert "Alarms: 0 ALARM, 0 INSUFFICIENT_DATA, 1 OK, of 1 declared" in shown
    assert shown.endswith("Everybody hears.\n")


def test_alarms_that_are_not_well_are_shown_with_their_time_and_are_no_fault(stack, groundwork):
    firing = stack.alarm("down", state="ALARM")
    silent = stack.alarm("queue", state="INSUFFICIENT_DATA")
    found = json.loads(groundwork("alerts", "status", "--json").stdout)
    assert found["alarms"]["states"] == {"ALARM": 1, "INSUFFICIENT_DATA": 1, "OK": 0}
    assert [(row["alarm"], row["why"]) for row in found["alarms"]["not_ok"]] == [
        (firing, "down says so"),
        (silent, "queue says so"),
    ]
    since = datetime.fromisoformat(found["alarms"]["not_ok"][0]["since"])
    assert abs((datetime.now(UTC) - since).total_seconds()) < 60
    assert found["unheard"] == []


def test_since_when_is_the_change_of_state_and_not_of_its_reason(stack):
    whole = stack.alarm("down", state="ALARM")
    changed, reasoned = datetime(2026, 4, 1, 12, tzinfo=UTC), datetime(2026, 4, 1, 13, tzinfo=UTC)
    real = stack.cloud.client("cloudwatch").describe_alarms(AlarmNames=[whole])["MetricAlarms"][0]
    stack.cloud.says(
        "DescribeAlarms",
        {
            "MetricAlarms": [
                {**real, "StateUpdatedTimestamp": reasoned, "StateTransitionedTimestamp": changed}
            ]
        },
    )
    [found], _ = alarms.look(stack.cloud)
    assert found.since == changed


def test_a_subscription_that_is_not_confirmed_is_told(stack, groundwork):
    subscribed(
        stack,
        ("email", "ops@example.com", PENDING),
        ("lambda", f"arn:aws:lambda:{REGION}:1:function:notify-slack-1a", "arn:aws:sns:us-east-1:1:a:1"),
    )
    found = unheard(groundwork)
    assert found == [
        f"ops@example.com has not confirmed the subscription to {severity}: the mail "
        '"AWS Notification - Subscription Confirmation" has the link. `pulumi up` after three days sends another.'
        for severity in ("critical", "warning")
    ]
    assert "lambda    notify-slack-1a  confirmed" in groundwork("alerts", "status", code=1).stdout


def test_a_topic_that_nobody_hears_is_told_and_each_alarm_that_leads_there(stack, groundwork):
    whole = stack.alarm("cpu")
    subscribed(stack, ("email", "ops@example.com", PENDING))
    found = unheard(groundwork)
    assert (
        "Nobody hears critical: no subscription is confirmed. `notifications` of the stack file says who is."
        in found
    )
    assert f"Nobody hears of {whole}: its topic critical has no confirmed subscription." in found
    subscribed(stack)
    assert unheard(groundwork)[0].startswith("Nobody hears critical: nobody is subscribed.")


def test_of_a_webhook_only_the_host_is_shown(stack, groundwork):
    subscribed(stack, ("https", "https://hooks.example.com/services/T0/very-secret", "arn:aws:sns:x"))
    shown = groundwork("alerts", "status").output
    assert "https://hooks.example.com/..." in shown
    assert "very-secret" not in shown


def test_alarms_that_are_off_lead_nowhere_or_are_gone_are_told(stack, groundwork):
    off = stack.alarm("off", ActionsEnabled=False)
    alone = stack.alarm("alone", severity=None)
    other = stack.alarm("other", AlarmActions=[f"arn:aws:automate:{REGION}:ec2:recover"])
    stack.declare("rentfix-gone")
    assert unheard(groundwork) == [
        "rentfix-gone is declared, and not there any more. `pulumi up --refresh` makes it again.",
        f"Nobody hears of {off}: its actions are switched off. `aws cloudwatch enable-alarm-actions "
        f"--alarm-names {off} --region {REGION}`.",
        f"Nobody hears of {alone}: it has no action. `pulumi up --refresh` gives it its topic again.",
        f"Nobody hears of {other}: its actions are arn:aws:automate:{REGION}:ec2:recover. `pulumi up --refresh` gives "
        "it its topic again.",
    ]


def test_an_action_to_a_topic_that_is_gone_leads_nowhere(stack, groundwork):
    gone = f"arn:aws:sns:{REGION}:123456789012:was-here"
    whole = stack.alarm("cpu", AlarmActions=[gone])
    assert unheard(groundwork) == [
        f"The topic was-here ({gone}) is gone. `pulumi up --refresh` makes it again.",
        f"Nobody hears of {whole}: its topic was-here has no confirmed subscription.",
    ]


def test_of_several_topics_one_that_is_heard_is_enough(stack, groundwork):
    gone = f"arn:aws:sns:{REGION}:123456789012:was-here"
    stack.alarm("cpu", AlarmActions=[gone, stack.topics["critical"]])
    assert unheard(groundwork) == [
        f"The topic was-here ({gone}) is gone. `pulumi up --refresh` makes it again."
    ]


def test_alarms_of_another_region_are_found_where_they_stand(emulator_url):
    abroad = Cloud(
        "rentalfix", "prod", {"region": "eu-west-1", "alarms": ["cdn-errors-abroad", "no"]}, emulator_url
    )
    abroad.client("cloudwatch", region="us-east-1").put_metric_alarm(
        AlarmName="cdn-errors-abroad",
        Namespace="AWS/CloudFront",
        MetricName="5xxErrorRate",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    [found], gone = alarms.look(abroad)
    assert (found.name, found.region, gone) == ("cdn-errors-abroad", "us-east-1", ["no"])


def test_messages_that_a_notifier_did_not_get_rid_of_are_counted(stack, groundwork):
    url = stack.cloud.outputs["undelivered"]["slack"]
    for text in ("a", "b"):
        stack.cloud.client("sqs").send_message(QueueUrl=url, MessageBody=text)
    assert unheard(groundwork) == ["slack did not get 2 messages. docs/runbooks/notifications.md."]
    stack.cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    assert unheard(groundwork) == ["slack did not get 2 messages. docs/runbooks/notifications.md."]


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        ("DescribeAlarms", "Alarms"),
        ("ListSubscriptionsByTopic", "Topic critical"),
        ("GetQueueAttributes", "Undelivered messages of slack"),
    ],
)
def test_what_aws_does_not_tell_is_a_sentence_and_the_rest_is_there(stack, groundwork, operation, part):
    stack.alarm("cpu")
    stack.cloud.says(operation, refusal("AccessDenied", "may not"))
    found = json.loads(groundwork("alerts", "status", "--json", code=1).stdout)
    assert found["problems"][0].startswith(f"{part}: AWS refused {operation}: may not (AccessDenied).")
    assert found["unheard"] == []
    assert set(found) >= {"subscriptions", "alarms", "undelivered", "mutes"}


def test_an_alarm_whose_topic_could_not_be_asked_is_not_called_unheard(stack, groundwork):
    stack.alarm("cpu")
    stack.cloud.says("ListSubscriptionsByTopic", refusal("AuthorizationError"))
    assert json.loads(groundwork("alerts", "status", "--json", code=1).stdout)["unheard"] == []


def test_that_the_emulator_has_no_mute_rules_is_a_note(stack, groundwork):
    stack.alarm("cpu")
    del stack.cloud.answers["ListAlarmMuteRules"]
    assert "The emulator has no ListAlarmMuteRules." in groundwork("alerts", "status").stdout


# test


def test_a_test_message_names_itself_and_reaches_every_topic(stack, groundwork):
    shown = groundwork("alerts", "test", "--yes")
    assert "will send a test message to critical, heard by sqs" in shown.stderr
    found = stack.received()
    assert [(severity, subject) for severity, subject, _ in found] == [
        ("critical", "TEST of critical alerts: rentalfix prod"),
        ("warning", "TEST of warning alerts: rentalfix prod"),
    ]
    assert all(text.startswith("TEST MESSAGE\n") and "nothing is to be done" in text for *_, text in found)


def test_a_test_message_goes_to_one_topic_on_demand_and_a_dry_run_sends_none(stack, groundwork):
    groundwork("alerts", "test", "--dry-run")
    assert stack.received() == []
    groundwork("alerts", "test", "--severity", "warning", "--yes")
    assert [severity for severity, *_ in stack.received()] == ["warning"]


def test_nobody_there_to_say_yes_sends_nothing(stack, groundwork):
    assert "Add --yes" in groundwork("alerts", "test", code=2).stderr
    assert stack.received() == []


def test_that_pagerduty_wakes_somebody_is_said_before(stack, groundwork):
    assert "PagerDuty" not in groundwork("alerts", "test", "--dry-run").stderr
    stack.cloud.outputs["undelivered"]["pagerduty"] = "queue"
    assert "would wake whoever is on call: PagerDuty" in groundwork("alerts", "test", "--dry-run").stderr


def test_a_test_that_nobody_hears_is_a_finding(stack, groundwork):
    subscribed(stack, ("email", "ops@example.com", PENDING))
    shown = groundwork("alerts", "test", "--severity", "critical", "--yes", code=1)
    assert "Nobody hears critical" in shown.stderr
    assert "Should have it: nobody" in shown.stdout


def test_a_topic_that_is_gone_or_was_never_there_is_told(stack, groundwork):
    stack.cloud.client("sns").delete_topic(TopicArn=stack.topics["critical"])
    shown = groundwork("alerts", "test", "--yes", code=1)
    assert "The topic critical" in shown.stderr
    assert [severity for severity, *_ in stack.received()] == ["warning"]
    del stack.topics["critical"]
    shown = groundwork("alerts", "test", "--severity", "critical", "--yes", code=2)
    assert "has no topic critical: its outputs name warning." in shown.stderr


def test_a_program_is_told_which_message_went_where_and_who_should_have_it(stack, groundwork):
    [mail] = stack.cloud.client("sns").list_subscriptions_by_topic(TopicArn=stack.topics["critical"])[
        "Subscriptions"
    ]
    shown = groundwork("alerts", "test", "--severity", "critical", "--yes", "--json")
    [sent] = json.loads(shown.stdout)
    assert (sent["topic"], sent["heard_by"]) == ("critical", [f"sqs {mail['Endpoint'].rpartition(':')[2]}"])
    assert f"Sent to critical as {sent['message_id']}." in shown.stderr
    assert [severity for severity, *_ in stack.received()] == ["critical"]


def test_a_program_is_told_of_a_test_that_nobody_hears_and_of_one_that_is_tried(stack, groundwork):
    subscribed(stack)
    shown = groundwork("alerts", "test", "--yes", "--json", code=1)
    assert [(each["topic"], each["heard_by"]) for each in json.loads(shown.stdout)] == [
        ("critical", []),
        ("warning", []),
    ]
    assert "Nobody hears warning: nobody is subscribed." in shown.stderr
    tried = json.loads(groundwork("alerts", "test", "--severity", "warning", "--dry-run", "--json").stdout)
    assert tried == {
        "stack": str(stack.cloud),
        "would": ["send a test message to warning, heard by nobody"],
    }


def test_of_a_webhook_a_program_is_told_the_host_alone(stack, groundwork):
    subscribed(stack, ("https", "https://hooks.example.com/services/T0/very-secret", "arn:aws:sns:x"))
    shown = groundwork("alerts", "test", "--severity", "critical", "--yes", "--json")
    [sent] = json.loads(shown.stdout)
    assert sent["heard_by"] == ["https https://hooks.example.com/..."]
    assert "very-secret" not in shown.output


# What SNS takes


def test_the_limits_of_a_message_are_said_before_sns_is_asked():
    assert Message("a" * MOST_SUBJECT, "ä" * (MOST_MESSAGE_BYTES // 2)).subject
    with pytest.raises(Refusal) as refused:
        Message("a" * 98 + "\u00fc\n", "ä" * (MOST_MESSAGE_BYTES // 2) + "a")
    assert str(refused.value) == (
        "The subject would have 100 characters, and SNS takes 99: shorten the title by 1. A mail's subject is "
        "printable ASCII; the title has U+000A, ü. The message has 262,145 bytes, and SNS takes 262,144. Put the rest "
        "behind a link."
    )


def test_sns_takes_the_longest_that_is_let_through(stack):
    arn = stack.topics["critical"]
    topics.publish(stack.cloud, arn, Message("a" * MOST_SUBJECT, "a" * MOST_MESSAGE_BYTES))
    assert [len(text) for *_, text in stack.received()] == [MOST_MESSAGE_BYTES]


# mute


class Rules:
    """CloudWatch's mute rules, as far as the commands know them."""

    def __init__(self, cloud):
        self.known = {}
        cloud.says("PutAlarmMuteRule", self.put)
        cloud.says("GetAlarmMuteRule", lambda given: self.known[given["AlarmMuteRuleName"]])
        cloud.says("DeleteAlarmMuteRule", self.delete)
        cloud.says("ListAlarmMuteRules", self.list)

    def put(self, given):
        self.known[given["Name"]] = {**given, "Status": "SCHEDULED"}
        return {}

    def delete(self, given):
        del self.known[given["AlarmMuteRuleName"]]
        return {}

    def list(self, given):
        return {
            "AlarmMuteRuleSummaries": [
                {"AlarmMuteRuleArn": f"arn:aws:cloudwatch:{REGION}:1:alarm-mute-rule:{name}"}
                for name, rule in self.known.items()
                if rule["Status"] in given["Statuses"]
            ]
        }

    def other(self, name, status, alarms, expression="cron(0 2 * * *)", duration="PT4H"):
        self.known[name] = {
            "Name": name,
            "Status": status,
            "Rule": {"Schedule": {"Expression": expression, "Duration": duration}},
            "MuteTargets": {"AlarmNames": alarms},
        }


def muted(groundwork, *alarms, for_="30m", **more):
    return groundwork(
        "alerts", "mute", *alarms, "--for", for_, "--reason", "REINDEX by hand", "--yes", **more
    )


def test_a_mute_ends_by_itself_and_says_when(stack, groundwork):
    known, whole = Rules(stack.cloud).known, stack.alarm("cpu", state="ALARM")
    shown = muted(groundwork, whole)
    [rule] = known.values()
    assert rule["Description"] == "REINDEX by hand"
    assert rule["MuteTargets"] == {"AlarmNames": [whole]}
    schedule = rule["Rule"]["Schedule"]
    assert (schedule["Duration"], schedule["Timezone"]) == ("PT30M", "UTC")
    begins = datetime.strptime(schedule["Expression"], "at(%Y-%m-%dT%H:%M)").replace(tzinfo=UTC)
    assert 0 <= (begins - datetime.now(UTC)).total_seconds() + 5 <= 65
    assert f"{rule['Name']}: {whole} muted until " in shown.stdout
    assert f"will mute {whole} from" in shown.stderr
    assert "(ALARM now)" in shown.stderr


def test_a_second_mute_of_the_same_alarms_takes_the_first_one_s_place(stack, groundwork):
    made, first, second = Rules(stack.cloud), stack.alarm("cpu"), stack.alarm("memory")
    muted(groundwork, first, second)
    muted(groundwork, second, first, for_="2h")
    [rule] = made.known.values()
    assert rule["Rule"]["Schedule"]["Duration"] == "PT120M"


def test_a_new_mute_removes_what_is_left_of_old_ones_and_of_nobody_else(stack, groundwork):
    made, whole = Rules(stack.cloud), stack.alarm("cpu")
    made.other("rentalfix-prod-mute-old", "EXPIRED", [whole])
    made.other("somebody-else", "EXPIRED", [whole])
    made.other("rentalfix-prod-mute-live", "ACTIVE", [whole])
    muted(groundwork, whole)
    assert set(made.known) == {
        "somebody-else",
        "rentalfix-prod-mute-live",
        rules.name_of(stack.cloud, [whole]),
    }


def test_while_an_alarm_is_muted_status_says_that_nobody_hears(stack, groundwork):
    made, whole = Rules(stack.cloud), stack.alarm("cpu")
    made.other("rentalfix-prod-mute-1", "ACTIVE", [whole, "other"], "at(2026-04-01T12:00)", "PT30M")
    made.other("nightly", "SCHEDULED", [whole])
    made.other("of-others", "ACTIVE", ["other"])
    assert unheard(groundwork) == [
        f"Nobody hears of {whole} until 2026-04-01 12:30 UTC: muted, without a reason. "
        "`groundwork alerts unmute rentalfix-prod-mute-1` ends it."
    ]
    shown = groundwork("alerts", "status", code=1).stdout
    assert "by its schedule cron(0 2 * * *) PT4H" in shown
    assert "of-others" not in shown


@pytest.mark.parametrize(
    ("length", "sentence"),
    [
        ("30", "30 is no span of time"),
        ("59s", "--for 59s: a mute is a minute at least and a day at most."),
        ("25h", "--for 25h: a mute is a minute at least and a day at most."),
    ],
)
def test_a_mute_has_an_end_within_a_day(stack, groundwork, length, sentence):
    assert sentence in muted(groundwork, stack.alarm("cpu"), for_=length, code=2).stderr
    assert stack.cloud.calls("PutAlarmMuteRule") == []


@pytest.mark.parametrize(("length", "minutes"), [("60s", 1), ("90s", 2), ("1d", 1440)])
def test_the_length_of_a_mute_is_in_whole_minutes(stack, groundwork, length, minutes):
    made = Rules(stack.cloud)
    muted(groundwork, stack.alarm("cpu"), for_=length)
    [rule] = made.known.values()
    assert rule["Rule"]["Schedule"]["Duration"] == f"PT{minutes}M"


def test_a_mute_wants_a_reason_and_alarms_that_are_there(stack, groundwork):
    whole = stack.alarm("cpu")
    stack.declare("rentfix-gone")
    shown = groundwork("alerts", "mute", whole, "--for", "5m", "--reason", " ", "--yes", code=2)
    assert "--reason is a sentence" in shown.stderr
    shown = muted(groundwork, "rentfix-gon", "nothing", code=2)
    assert "There is no alarm rentfix-gon of rentalfix" in shown.stderr
    assert "There is no alarm nothing" in shown.stderr
    assert "rentfix-gone is not there any more." in muted(groundwork, "rentfix-gone", code=2).stderr
    assert stack.cloud.calls("PutAlarmMuteRule") == []


def test_more_alarms_than_a_rule_takes_are_refused(stack):
    names = [f"alarm-{number}" for number in range(rules.MOST_ALARMS + 1)]
    for name in names:
        stack.declare(name)
    with pytest.raises(Refusal, match="A mute takes 100 alarms, not 101"):
        mute._chosen(stack.cloud, names)


def test_a_dry_run_mutes_and_unmutes_nothing(stack, groundwork):
    made, whole = Rules(stack.cloud), stack.alarm("cpu")
    groundwork("alerts", "mute", whole, "--for", "5m", "--reason", "a", "--dry-run")
    assert made.known == {}
    muted(groundwork, whole)
    [name] = made.known
    groundwork("alerts", "unmute", name, "--dry-run")
    assert set(made.known) == {name}


def test_unmute_ends_it_and_says_what_was_not_there(stack, groundwork):
    made, whole = Rules(stack.cloud), stack.alarm("cpu")
    muted(groundwork, whole)
    [name] = made.known
    shown = groundwork("alerts", "unmute", name, "--yes")
    assert f"will unmute {whole} ({name})" in shown.stderr
    assert made.known == {}
    assert f"{name} was not there." in groundwork("alerts", "unmute", name, "--yes", code=1).stderr


def test_unmute_leaves_alone_what_others_have_muted(stack, groundwork):
    made = Rules(stack.cloud)
    made.other("nightly", "ACTIVE", ["a"])
    assert (
        "nightly is no mute of `groundwork alerts mute`"
        in groundwork("alerts", "unmute", "nightly", "--yes", code=2).stderr
    )
    assert set(made.known) == {"nightly"}


def test_a_program_is_told_what_is_muted_until_when_and_what_is_not_any_more(stack, groundwork):
    made, whole = Rules(stack.cloud), stack.alarm("cpu")
    words = ("alerts", "mute", whole, "--for", "30m", "--reason", "REINDEX by hand", "--json")
    tried = json.loads(groundwork(*words, "--dry-run").stdout)
    assert tried["stack"] == str(stack.cloud)
    assert [each.split(" from ")[0] for each in tried["would"]] == [f"mute {whole}"]
    assert made.known == {}
    shown = groundwork(*words, "--yes")
    [muted] = json.loads(shown.stdout)
    assert made.known.keys() == {muted["mute"]}
    assert muted["alarms"] == [whole]
    begins, ends = (datetime.fromisoformat(muted[name]) for name in ("begins", "ends"))
    assert (ends - begins).total_seconds() == 1800
    assert f"{muted['mute']}: {whole} muted until " in shown.stderr


def test_a_program_is_told_which_mute_is_gone_and_which_was_never_there(stack, groundwork):
    made, whole = Rules(stack.cloud), stack.alarm("cpu")
    muted(groundwork, whole)
    [name] = made.known
    absent = f"{rules.prefix(stack.cloud)}0123"
    words = ("alerts", "unmute", name, absent, "--json")
    tried = json.loads(groundwork(*words, "--dry-run", code=1).stdout)
    assert tried == {"stack": str(stack.cloud), "would": [f"unmute {whole} ({name})"]}
    assert set(made.known) == {name}
    shown = groundwork(*words, "--yes", code=1)
    assert json.loads(shown.stdout) == {"unmuted": [name], "absent": [absent]}
    assert f"{absent} was not there." in shown.stderr
    again = groundwork(*words, "--yes", code=1)
    assert json.loads(again.stdout) == {"unmuted": [], "absent": sorted([absent, name])}
