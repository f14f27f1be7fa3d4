"""`groundwork incident`: from the first mail to the review. SSM, SNS, SQS and CloudWatch are the emulator's."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from components.webhook_notifier_handler import handler
from operations.incident import eight, picture, record, severity, texts
from operations.incident.record import Journal, Taken
from operations.incident.severity import Severity
from operations.platform import Refusal
from tests.alerted_stack import groundwork, stack
from tests.aws_cloud import emulator_url, refusal
from tests.operator_calls import Call, trouble
from tests.running_services import running

__all__ = ["emulator_url", "groundwork", "running", "stack"]

WORDS = ("--impact", "API response times elevated", "--actions", "Scaling additional servers")
RESOLUTION = ("--resolution", "Database connection pool increased")
TITLE = "API answers slowly"
NAME = "20260401-1200-api-answers-slowly"
FIRST = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = FIRST

    def __call__(self):
        return self.at

    def passes(self, minutes):
        self.at += timedelta(minutes=minutes)


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """The time of what is recorded: noon, until it passes."""
    clock = Clock()
    monkeypatch.setattr(record, "now", clock)
    return clock


@pytest.fixture(autouse=True)
def same_clients(monkeypatch):
    """The picture asks the test's own platform."""
    monkeypatch.setattr(picture, "quick", lambda platform: platform)


def opens(groundwork, *more, level="P2", title=TITLE, code=0):
    return groundwork("incident", "open", "--severity", level, "--title", title, "--yes", *more, code=code)


def tells(groundwork, *more, template="investigating", words=WORDS, code=0):
    return groundwork("incident", "notify", "--template", template, *words, "--yes", *more, code=code)


def keys(stack):
    """What is stored, without the path."""
    return sorted(name for name, _ in Journal(stack.cloud)._texts(""))


def shown(groundwork, name=NAME):
    return json.loads(groundwork("incident", "show", name, "--json").stdout)


# Severities


@pytest.mark.parametrize(
    ("level", "means", "answered", "topic", "due"),
    [
        ("P1", "complete service outage", "within 15 minutes", "critical", FIRST + timedelta(minutes=15)),
        ("P2", "major feature unavailable", "within 1 hour", "critical", FIRST + timedelta(hours=1)),
        ("P3", "minor feature issues", "within 4 hours", "warning", FIRST + timedelta(hours=4)),
        (
            "P4",
            "cosmetic or documentation issues",
            "next business day",
            "warning",
            datetime(2026, 4, 2, 23, 59, 59, tzinfo=UTC),
        ),
    ],
)
def test_a_severity_says_what_it_means_and_who_is_told_until_when(level, means, answered, topic, due):
    found = Severity(level)
    assert (found.means, found.answered, found.topic, found.answer_due(FIRST)) == (
        means,
        answered,
        topic,
        due,
    )


@pytest.mark.parametrize("day", [3, 4, 5])  # Friday to Sunday
def test_the_next_business_day_is_no_weekend(day):
    due = severity.Severity.P4.answer_due(datetime(2026, 4, day, 9, tzinfo=UTC))
    assert (due.month, due.day) == (4, 6)


# open


def test_open_records_who_has_it_since_when_and_says_until_when_it_is_answered(stack, groundwork):
    found = opens(groundwork, "--began", "20m").stdout.splitlines()
    assert found[0] == f"{NAME} is open: P2, major feature unavailable. By moto, 2026-04-01 12:00 UTC."
    assert found[1].startswith("P2 is answered within 1 hour: by 2026-04-01 12:40 UTC.")
    assert found[-1].startswith("Next: `groundwork incident notify --template investigating")
    assert keys(stack) == [f"{NAME}/0001-opened", f"{NAME}/0002-picture"]
    [first, second] = shown(groundwork)["steps"]
    assert (first["title"], first["severity"], first["services"]) == (TITLE, "P2", [])
    assert (first["at"], first["began"]) == ("2026-04-01T12:00:00+00:00", "2026-04-01T11:40:00+00:00")
    assert second["lines"] == [line.strip() for line in found[2:-1]]


def test_open_twice_says_which_is_open(stack, groundwork, now):
    opens(groundwork)
    now.passes(10)
    assert opens(groundwork, title=TITLE.upper()).stdout.startswith(f"{NAME} is open already: P2")
    assert len(keys(stack)) == 2
    assert "is open: P1" in opens(groundwork, level="P1", title="Nothing answers").stdout


def test_after_it_is_closed_the_same_title_opens_another(groundwork, now):
    opens(groundwork)
    groundwork("incident", "close", "--yes")
    now.passes(10)
    assert opens(groundwork).stdout.startswith("20260401-1210-api-answers-slowly is open: ")


def test_two_who_open_it_at_the_same_moment_open_one(stack, groundwork, monkeypatch):
    journal = Journal(stack.cloud)
    journal.begin(TITLE, Severity.P2, FIRST, [])
    with pytest.raises(Taken):
        journal.begin(TITLE, Severity.P2, FIRST, [])
    # The other one wrote it after this command had looked.
    monkeypatch.setattr(Journal, "open_ones", lambda _: [])
    assert "of nearly that title in this very minute" in opens(groundwork, code=2).stderr


def test_a_dry_run_and_nobody_to_say_yes_open_nothing(stack, groundwork):
    words = ("incident", "open", "--severity", "P1", "--title", TITLE)
    assert "would open an incident, P1: API answers slowly" in groundwork(*words, "--dry-run").stderr
    assert "Add --yes" in groundwork(*words, code=2).stderr
    assert keys(stack) == []


@pytest.mark.parametrize(
    ("title", "more", "sentence"),
    [
        (" ", (), "--title is one line of 1 to 80 characters."),
        ("a" * 81, (), "--title is one line of 1 to 80 characters."),
        ("a\nb", (), "--title is one line of 1 to 80 characters."),
        ("Kühlung", (), "A mail's subject is printable ASCII; the title has ü."),
        ("a" * 80, (), "SNS takes 99: shorten the title by 17."),
        ("a", ("--service", "api"), "There is no service api of rentalfix; there are: core-matching."),
        ("a", ("--began", "2026-04-01T12:01"), "--began lies in the future."),
        ("a", ("--began", "soon"), "soon"),
    ],
)
def test_what_no_mail_could_say_and_what_is_not_there_is_refused(stack, groundwork, title, more, sentence):
    stack.cloud.outputs["servicesToPush"] = ["core-matching"]
    assert sentence in opens(groundwork, *more, title=title, code=2).stderr
    assert keys(stack) == []


def test_every_problem_is_told_in_one_go(groundwork):
    found = opens(groundwork, "--service", "api", "--began", "2026-04-02", title="ü", code=2).stderr
    assert all(part in found for part in ("ASCII", "no service api", "lies in the future"))


def test_a_program_is_told_the_incident_with_its_picture_and_a_second_time_the_same(stack, groundwork):
    stack.alarm("cpu")
    words = ("incident", "open", "--severity", "P2", "--title", TITLE, "--json")
    tried = json.loads(groundwork(*words, "--dry-run").stdout)
    assert tried == {"stack": str(stack.cloud), "would": [f"open an incident, P2: {TITLE}"]}
    assert keys(stack) == []
    found = groundwork(*words, "--yes")
    opened = json.loads(found.stdout)
    assert (opened["incident"], opened["state"], opened["severity"]) == (NAME, "open", "P2")
    assert opened == shown(groundwork)
    assert "Alarms: none of 1 is in alarm." in opened["steps"][1]["lines"]
    assert "  Alarms: none of 1 is in alarm." in found.stderr
    assert json.loads(groundwork(*words, "--dry-run").stdout) == opened


# The first picture


def seen(running, part):
    """The lines of one part."""
    return [line for line in picture.look(running.cloud) if line.startswith(f"{part}:")]


def test_the_picture_names_what_fires(stack, groundwork):
    whole = stack.alarm("down", state="ALARM")
    stack.alarm("cpu")
    assert f"  Alarms: {whole} is in alarm since " in opens(groundwork).stdout


def test_the_picture_says_that_nothing_fires(stack, groundwork):
    stack.alarm("cpu")
    assert "  Alarms: none of 1 is in alarm." in opens(groundwork).stdout


def test_what_aws_does_not_tell_is_a_sentence_and_the_incident_is_open(stack, groundwork):
    stack.alarm("cpu")
    stack.cloud.says("DescribeAlarms", refusal("AccessDenied", "may not"))
    found = opens(groundwork).stdout
    assert "Alarms: not seen. AWS refused DescribeAlarms: may not (AccessDenied)." in found
    assert "Services: not seen. rentalfix, stack prod, in the emulator" in found  # none has an image
    assert groundwork("incident", "list", code=1)


def test_the_picture_names_services_that_lack_tasks(running):
    running.start("core-matching", ["1.0.0"], count=3)
    [whole] = seen(running, "Services")
    assert whole == "Services: each has the tasks that it should."
    real = running.described("core-matching")
    running.cloud.says("DescribeServices", {"services": [{**real, "runningCount": 1}]})
    [short] = seen(running, "Services")
    assert short == (
        "Services: core-matching: 1 of 3 tasks run. `groundwork service show core-matching --system rentalfix --stack "
        "prod`."
    )


def test_the_picture_has_the_latest_deployments_and_the_way_back_from_one_of_the_last_hour(running, now):
    running.start("core-matching", ["1.0.0", "1.1.0"])
    running.start("worker-ai", ["2.0.0"])
    real = {name: running.described(name) for name in ("core-matching", "worker-ai")}
    ages = {"core-matching": 20, "worker-ai": 61}
    for name, service in real.items():
        service["deployments"][0]["createdAt"] = now() - timedelta(minutes=ages[name])
    running.cloud.says("DescribeServices", {"services": list(real.values())})
    assert seen(running, "Deployed") == [
        "Deployed: core-matching 1.1.0 (revision 2) 20 min 00 s ago. `groundwork rollback core-matching --system "
        "rentalfix --stack prod` goes back.",
        "Deployed: worker-ai 2.0.0 (revision 1) 1 h 01 min ago.",
    ]


def test_on_kubernetes_the_picture_says_who_knows(running):
    running.cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    found = picture.look(running.cloud)[-1:]
    assert found == [
        "Services: Kubernetes runs them: `kubectl --namespace rentalfix-prod get deployments,pods`."
    ]


def test_an_error_of_the_program_s_own_does_not_stop_it_either(stack):
    del stack.cloud.outputs["alarms"]
    assert picture.look(stack.cloud)[0] == "Alarms: not seen. KeyError: 'alarms'"


def test_aws_that_hangs_is_not_waited_for(stack, monkeypatch):
    import threading

    never = threading.Event()

    def hangs(_):
        never.wait(30)
        yield "late"

    monkeypatch.setattr(picture, "PARTS", {"Alarms": hangs})
    assert picture.look(stack.cloud, limit_s=0.05) == ["Alarms: not seen, AWS did not answer within 0 s."]
    never.set()


def test_that_the_picture_could_not_be_kept_stops_nobody(stack, groundwork):
    real = Journal._write

    def write(self, name, number, step):
        if step.kind == record.PICTURE:
            raise Refusal("no room")
        real(self, name, number, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "_write", write)
        assert "The picture is not in the record. no room" in opens(groundwork).stderr


# notify


def test_the_first_message_reads_as_the_guide_wants_it(stack, groundwork):
    opens(groundwork)
    said = tells(groundwork)
    [(topic, subject, text)] = stack.received()
    assert (topic, subject) == ("critical", "[FIRING] INCIDENT rentalfix prod: API answers slowly")
    assert text.splitlines() == [
        "INCIDENT NOTIFICATION",
        "Status: INVESTIGATING",
        "Impact: API response times elevated",
        "ETA: Investigating, updates in 30 minutes",
        "Actions: Scaling additional servers",
        "",
        "Incident: API answers slowly",
        "Severity: P2, major feature unavailable",
        "System: rentalfix prod",
        "Began: 2026-04-01 12:00 UTC",
        "Sent: 2026-04-01 12:00 UTC",
    ]
    assert said.stdout.rstrip() == text.rstrip()
    assert "The next message is due 12:30 UTC." in said.stderr


def test_the_last_message_reads_as_the_guide_wants_it(stack, groundwork, now):
    opens(groundwork)
    tells(groundwork)
    now.passes(45)
    said = tells(groundwork, template="resolved", words=RESOLUTION)
    text = stack.received()[-1][2]
    assert text.splitlines()[:5] == [
        "INCIDENT RESOLVED",
        "Status: RESOLVED",
        "Resolution: Database connection pool increased",
        "Duration: 45 minutes",
        "Next Steps: Post-incident review scheduled",
    ]
    assert "next message" not in said.stderr


@pytest.mark.parametrize(("template", "word"), [("identified", "Identified"), ("monitoring", "Monitoring")])
def test_messages_between_say_where_it_stands_and_when_it_may_be_over(stack, groundwork, template, word):
    opens(groundwork)
    tells(groundwork, template=template)
    tells(groundwork, "--eta", "14:00 UTC", template=template)
    found = [text for *_, text in stack.received()]
    assert f"Status: {word.upper()}\n" in found[0]
    assert f"ETA: {word}, updates in 30 minutes\n" in found[0]
    assert "ETA: 14:00 UTC, updates in 30 minutes\n" in found[1]


def test_slack_and_pagerduty_take_the_last_message_as_the_end_of_the_first(stack, groundwork, now):
    opens(groundwork)
    tells(groundwork)
    now.passes(40)
    tells(groundwork, template="resolved", words=RESOLUTION)
    topic = handler.Topic(severity="critical", response="")
    first, last = [
        handler.read({"Subject": subject, "Message": text, "TopicArn": "arn"}, topic)
        for _, subject, text in stack.received()
    ]
    assert (first.is_over, last.is_over) == (False, True)
    assert first.key == last.key
    assert first.headline == "CRITICAL: INCIDENT rentalfix prod: API answers slowly"


@pytest.mark.parametrize(("level", "topic"), [("P1", "critical"), ("P3", "warning"), ("P4", "warning")])
def test_the_topic_is_that_of_the_severity(stack, groundwork, level, topic):
    opens(groundwork, level=level)
    tells(groundwork)
    assert [each for each, *_ in stack.received()] == [topic]


def test_the_end_is_told_to_all_that_heard_of_it(stack, groundwork, now):
    opens(groundwork, level="P3")
    tells(groundwork)
    assessed = groundwork("incident", "done", "assess", "--severity", "P1", "--yes")
    assert "From now on critical is told, and not warning." in assessed.stdout
    tells(groundwork)
    now.passes(20)
    tells(groundwork, template="resolved", words=RESOLUTION)
    assert [(topic, subject[:10]) for topic, subject, _ in stack.received()] == [
        ("warning", "[FIRING] I"),
        ("critical", "[FIRING] I"),
        ("critical", "[RESOLVED]"),
        ("warning", "[RESOLVED]"),
    ]


def test_a_run_after_an_interruption_tells_only_whom_the_first_one_left_out(stack, groundwork):
    opens(groundwork, level="P3")
    tells(groundwork)
    groundwork("incident", "done", "assess", "--severity", "P1", "--yes")
    stack.received()
    warning = stack.topics.pop("warning")
    # `critical` was told, then the command stopped at the other one.
    assert "has no topic warning" in tells(groundwork, template="resolved", words=RESOLUTION, code=2).stderr
    assert stack.received() == []
    stack.topics["warning"] = warning
    stack.cloud.says(
        "Publish", lambda given: refusal("Throttling") if given["TopicArn"] == warning else {"MessageId": "1"}
    )
    assert "still busy" in tells(groundwork, template="resolved", words=RESOLUTION, code=2).stderr
    del stack.cloud.answers["Publish"]
    again = tells(groundwork, template="resolved", words=RESOLUTION)
    assert "critical was told so 2026-04-01 12:00 UTC, by moto." in again.stderr
    assert [topic for topic, *_ in stack.received()] == ["warning"]


def test_the_same_words_at_once_are_one_message_and_later_another(stack, groundwork, now):
    opens(groundwork)
    tells(groundwork)
    now.passes(4)
    assert "critical was told so" in tells(groundwork).stderr
    assert len(stack.received()) == 1
    now.passes(2)
    tells(groundwork)
    assert len(stack.received()) == 1


def test_a_dry_run_shows_the_text_and_tells_nobody(stack, groundwork):
    opens(groundwork)
    said = groundwork("incident", "notify", "--template", "investigating", *WORDS, "--dry-run")
    assert said.stdout.startswith("INCIDENT NOTIFICATION\nStatus: INVESTIGATING\n")
    assert "would tell critical, heard by sqs" in said.stderr
    assert stack.received() == []
    assert (
        "Add --yes" in groundwork("incident", "notify", "--template", "investigating", *WORDS, code=2).stderr
    )


@pytest.mark.parametrize(
    ("template", "words", "sentence"),
    [
        ("investigating", (), "--template investigating wants --impact, --actions."),
        (
            "identified",
            RESOLUTION,
            "--template identified wants --impact, --actions. --template identified has no ",
        ),
        (
            "resolved",
            WORDS,
            "--template resolved wants --resolution. --template resolved has no place for --impact, ",
        ),
        ("resolved", ("--resolution", "a\nb"), "--resolution is one line, without control characters."),
        ("maintenance", ("--title", "a"), "wants --starts, --ends, --impact, --rollback."),
    ],
)
def test_words_that_do_not_fit_the_template_are_refused_before_anything_is_asked(
    stack, groundwork, template, words, sentence
):
    assert sentence in tells(groundwork, template=template, words=words, code=2).stderr
    assert stack.cloud.asked == []


def test_what_the_record_would_not_take_is_refused_before_anybody_is_told(stack, groundwork):
    opens(groundwork)
    found = tells(groundwork, words=("--impact", "ä" * 1_500, "--actions", "b"), code=2)
    assert "impact, actions: 3,030 bytes, and a step of the record takes 3,000." in found.stderr
    assert stack.received() == []
    tells(groundwork, words=("--impact", "ä" * 1_480, "--actions", "b"))
    assert len(stack.received()) == 1


def test_a_topic_that_nobody_hears_is_a_finding(stack, groundwork):
    opens(groundwork)
    stack.cloud.says("ListSubscriptionsByTopic", {"Subscriptions": []})
    found = tells(groundwork, code=1)
    assert "heard by nobody" in found.stderr
    assert "Nobody hears critical" in found.stderr
    assert [step["kind"] for step in shown(groundwork)["steps"]][-1] == "told"


def test_who_may_not_ask_who_hears_may_still_tell(stack, groundwork):
    opens(groundwork)
    stack.cloud.says("ListSubscriptionsByTopic", refusal("AuthorizationError", "may not"))
    found = tells(groundwork)
    assert "Who hears critical is not known. AWS refused ListSubscriptionsByTopic: may not" in found.stderr
    assert len(stack.received()) == 1


def test_a_topic_that_is_gone_is_a_refusal(stack, groundwork):
    opens(groundwork)
    stack.cloud.client("sns").delete_topic(TopicArn=stack.topics["critical"])
    assert "is gone. `pulumi up --refresh` makes it again." in tells(groundwork, code=2).stderr


def test_people_are_told_even_where_it_cannot_be_recorded(stack, groundwork):
    opens(groundwork)
    stack.cloud.says("PutParameter", refusal("AccessDenied", "may not"))
    found = tells(groundwork, code=1)
    assert "critical was told, and it is not in the record. AWS refused PutParameter: may not" in found.stderr
    assert len(stack.received()) == 1


def test_a_closed_incident_is_told_only_that_it_is_over(stack, groundwork):
    opens(groundwork)
    groundwork("incident", "close", "--yes")
    assert f"{NAME} was closed 2026-04-01 12:00 UTC." in tells(groundwork, NAME, code=2).stderr
    tells(groundwork, NAME, template="resolved", words=RESOLUTION)
    assert len(stack.received()) == 1


def test_a_program_is_told_the_message_and_who_has_it(stack, groundwork, now):
    opens(groundwork)
    found = tells(groundwork, "--json")
    told = json.loads(found.stdout)
    [(_, subject, text)] = stack.received()
    assert (told["subject"], told["text"].rstrip()) == (subject, text.rstrip())
    [sent] = told["sent"]
    assert (sent["topic"], sent["recorded"], bool(sent["message_id"])) == ("critical", True, True)
    assert [each.split()[0] for each in sent["heard_by"]] == ["sqs"]
    assert found.stderr.startswith("INCIDENT NOTIFICATION\n")
    again = json.loads(tells(groundwork, "--json").stdout)
    assert (again["text"], again["sent"]) == (told["text"], [])


def test_a_program_is_told_what_would_be_told(stack, groundwork):
    opens(groundwork)
    words = ("incident", "notify", "--template", "investigating", *WORDS, "--dry-run", "--json")
    found = groundwork(*words)
    tried = json.loads(found.stdout)
    assert tried["stack"] == str(stack.cloud)
    assert [each.split(",")[0] for each in tried["would"]] == ["tell critical"]
    assert "Status: INVESTIGATING" in found.stderr
    assert stack.received() == []


def test_a_program_is_told_of_a_topic_that_nobody_hears_and_of_a_step_that_is_not_kept(stack, groundwork):
    opens(groundwork)
    stack.cloud.says("ListSubscriptionsByTopic", {"Subscriptions": []})
    [sent] = json.loads(tells(groundwork, "--json", code=1).stdout)["sent"]
    assert (sent["heard_by"], sent["recorded"]) == ([], True)
    del stack.cloud.answers["ListSubscriptionsByTopic"]
    stack.cloud.says("PutParameter", refusal("AccessDenied", "may not"))
    words = ("--impact", "other", "--actions", "words")
    [sent] = json.loads(tells(groundwork, "--json", words=words, code=1).stdout)["sent"]
    assert (len(sent["heard_by"]), sent["recorded"]) == (1, False)


# Planned maintenance

PLANNED = ("--title", "PostgreSQL 17", "--impact", "no writes", "--rollback", "the old instance is kept")


def hours(starts, ends="2026-12-13T06:00"):
    return ("--starts", starts, "--ends", ends)


def test_planned_work_is_announced_two_weeks_before_with_its_way_back(stack, groundwork):
    tells(groundwork, template="maintenance", words=(*PLANNED, *hours("2026-12-13T02:00")))
    [(topic, subject, text)] = stack.received()
    assert (topic, subject) == ("warning", "MAINTENANCE rentalfix prod: PostgreSQL 17")
    assert text.splitlines()[:7] == [
        "PLANNED MAINTENANCE",
        "Status: SCHEDULED",
        "What: PostgreSQL 17",
        "Starts: 2026-12-13 02:00 UTC",
        "Ends: 2026-12-13 06:00 UTC",
        "Impact: no writes",
        "Rollback plan: the old instance is kept",
    ]
    assert keys(stack) == []


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        (hours("2026-04-15T11:59", "2026-04-15T13:00"), "2026-04-15 is less than two weeks ahead"),
        (hours("2026-04-01T11:59"), "--starts has passed."),
        (hours("2026-12-13T06:00"), "--ends is not after --starts."),
    ],
)
def test_planned_work_that_comes_too_soon_or_ends_before_it_starts_is_refused(
    stack, groundwork, when, sentence
):
    assert sentence in tells(groundwork, template="maintenance", words=(*PLANNED, *when), code=2).stderr
    assert stack.received() == []


def test_a_message_that_sns_would_not_take_is_refused(stack, groundwork):
    words = ("--title", "a", "--impact", "a" * 262_144, "--rollback", "b", *hours("2026-12-13T02:00"))
    assert (
        "bytes, and SNS takes 262,144."
        in tells(groundwork, template="maintenance", words=words, code=2).stderr
    )
    assert stack.received() == []


def test_two_weeks_to_the_minute_are_enough_and_a_patch_need_not_wait(stack, groundwork):
    exact, soon = hours("2026-04-15T12:00"), hours("2026-04-01T13:00")
    tells(groundwork, template="maintenance", words=(*PLANNED, *exact))
    tells(groundwork, template="maintenance", words=(*PLANNED, *soon, "--urgent", "--actions", "a patch"))
    assert ["Actions: a patch" in text for *_, text in stack.received()] == [False, True]


def test_planned_work_belongs_to_no_incident_and_a_dry_run_announces_nothing(stack, groundwork):
    words = (*PLANNED, *hours("2026-12-13T02:00"))
    assert (
        "belongs to no incident"
        in tells(groundwork, NAME, template="maintenance", words=words, code=2).stderr
    )
    said = groundwork("incident", "notify", "--template", "maintenance", *words, "--dry-run")
    assert said.stdout.startswith("PLANNED MAINTENANCE\n")
    assert stack.received() == []


def test_a_program_is_told_of_planned_work_and_of_what_would_be_announced(stack, groundwork):
    words = ("incident", "notify", "--template", "maintenance", *PLANNED, *hours("2026-12-13T02:00"))
    tried = json.loads(groundwork(*words, "--dry-run", "--json").stdout)
    assert [each.split(",")[0] for each in tried["would"]] == ["tell warning"]
    told = json.loads(groundwork(*words, "--yes", "--json").stdout)
    assert told["subject"] == "MAINTENANCE rentalfix prod: PostgreSQL 17"
    assert [sent["topic"] for sent in told["sent"]] == ["warning"]
    assert len(stack.received()) == 1


# Which incident


def test_of_several_open_ones_one_is_named_as_far_as_is_needed(groundwork, now):
    opens(groundwork)
    now.passes(1)
    opens(groundwork, title="Logins fail")
    found = groundwork("incident", "show", code=2).stderr
    assert "Which incident? 20260401-1201-logins-fail (Logins fail); " in found
    assert groundwork("incident", "show", "20260401-1201").stdout.startswith("20260401-1201-logins-fail, P2")
    assert "There is no incident 2025 in" in groundwork("incident", "show", "2025", code=2).stderr


def test_a_whole_name_is_not_mistaken_for_the_beginning_of_another(groundwork):
    opens(groundwork, title="API")
    opens(groundwork, title="API and more")
    assert groundwork("incident", "show", "20260401-1200-api").stdout.startswith("20260401-1200-api, P2")


def test_where_none_is_open_it_says_so(groundwork):
    assert "No incident is open in rentalfix, stack prod" in groundwork("incident", "show", code=2).stderr


def test_an_incident_that_has_lost_its_first_step_is_told(stack, groundwork):
    opens(groundwork)
    stack.cloud.client("ssm").delete_parameter(Name=f"{Journal(stack.cloud).path}{NAME}/0001-opened")
    assert "has lost its first step" in groundwork("incident", "show", code=2).stderr


# The record


def test_of_two_who_write_at_the_same_moment_neither_loses_a_step(stack, monkeypatch):
    journal = Journal(stack.cloud)
    incident = journal.begin(TITLE, Severity.P2, FIRST, [])
    real, raced = Journal._write, []

    def write(self, name, number, step):
        if not raced:
            raced.append(number)
            real(
                self,
                name,
                number,
                record.Step(record.DONE, FIRST, "other", {"step": "assess", "says": "other"}),
            )
        real(self, name, number, step)

    monkeypatch.setattr(Journal, "_write", write)
    journal.add(incident, record.DONE, "mine", step="assess")
    assert [step.details["says"] for step in journal.choose(None).steps[1:]] == ["other", "mine"]


def test_writing_is_tried_five_times_and_then_refused(stack, monkeypatch):
    journal = Journal(stack.cloud)
    incident, tried = journal.begin(TITLE, Severity.P2, FIRST, []), []

    def write(*given):
        tried.append(given)
        raise Taken

    monkeypatch.setattr(Journal, "_write", write)
    with pytest.raises(Refusal, match="Others write to the incident"):
        journal.add(incident, record.DONE, "mine", step="assess")
    assert len(tried) == record.ATTEMPTS


def test_what_else_lies_there_is_no_incident(stack, groundwork):
    for name in ("notes", "a/b/0001-opened", "a/1-opened"):
        stack.cloud.client("ssm").put_parameter(
            Name=f"{Journal(stack.cloud).path}{name}", Value="{", Type="String"
        )
    assert groundwork("incident", "list").stdout.startswith("No incident of rentalfix, stack prod")


def test_the_record_goes_on_where_aws_does_not_say_who_asks(stack, groundwork):
    stack.cloud.says("GetCallerIdentity", refusal("ExpiredToken"))
    assert ". By somebody, " in opens(groundwork).stdout


@pytest.mark.parametrize(
    ("arn", "by"),
    [
        ("arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_1/anna@example.com", "anna@example.com"),
        ("arn:aws:iam::1:user/anna", "anna"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_who_is_signed_in_is_called_as_people_know_them(stack, arn, by):
    stack.cloud.says("GetCallerIdentity", {"Arn": arn})
    assert Journal(stack.cloud).by == by


def test_a_title_without_a_letter_has_a_name_all_the_same(stack):
    assert Journal(stack.cloud).begin("???", Severity.P4, FIRST, []).name == "20260401-1200-incident"


def test_braces_that_ssm_would_take_for_a_parameter_come_back_as_they_were(stack, groundwork):
    opens(groundwork, title="The page shows {{user}}")
    stored = [text for _, text in Journal(stack.cloud)._texts("")]
    assert not any("{{" in text for text in stored)
    assert "opened as P2: The page shows {{user}}" in groundwork("incident", "show").stdout


def test_a_long_picture_is_kept_as_far_as_a_step_takes_it(groundwork, monkeypatch):
    monkeypatch.setattr(picture, "look", lambda _: ["ä" * 400] * 10)
    opens(groundwork)
    lines = shown(groundwork)["steps"][1]["lines"]
    assert (len(lines), lines[-1]) == (4, "... and 7 more lines")


def test_a_step_that_is_too_long_all_the_same_is_refused(stack):
    with pytest.raises(Refusal, match="A step of the record takes 4,096 bytes"):
        Journal(stack.cloud).begin("a" * 5_000, Severity.P1, FIRST, [])


# checklist, done, list, show


def marks(groundwork, *more, code=1):
    """Which of the eight are done."""
    lines = groundwork("incident", "checklist", *more, code=code).stdout.splitlines()
    return [int(line[4]) for line in lines if line.startswith("[x]")]


def test_the_checklist_knows_what_the_commands_have_done(groundwork, now):
    opens(groundwork)
    assert marks(groundwork) == [1]
    tells(groundwork)
    assert marks(groundwork) == [1, 2, 3, 4]
    now.passes(30)
    tells(groundwork, template="monitoring", words=("--impact", "none any more", "--actions", "watching"))
    assert marks(groundwork) == [1, 2, 3, 4, 5, 6]
    groundwork("incident", "done", "permanent-fix", "--note", "pool of 40", "--yes")
    groundwork("incident", "close", "--yes")
    groundwork("incident", "done", "review", NAME, "--note", "https://example.com", "--yes")
    assert marks(groundwork, NAME, code=0) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("step", list(eight.Name))
def test_every_step_can_be_written_down_by_hand(groundwork, step):
    opens(groundwork)
    groundwork("incident", "done", step, "--note", "as agreed", "--yes")
    number = list(eight.Name).index(step) + 1
    assert number in marks(groundwork)
    text = groundwork("incident", "checklist", code=1).stdout
    assert f"2026-04-01 12:00 UTC  moto  done: {step}; as agreed" in text


def test_the_same_words_to_another_topic_are_no_update(groundwork):
    opens(groundwork, level="P3")
    tells(groundwork)
    groundwork("incident", "done", "assess", "--severity", "P2", "--yes")
    tells(groundwork)
    assert 6 not in marks(groundwork)


def test_the_checklist_names_the_service_and_says_when_people_expect_to_hear(stack, groundwork, now):
    stack.cloud.outputs["servicesToPush"] = ["core-matching"]
    opens(groundwork, "--service", "core-matching")
    text = groundwork("incident", "checklist", code=1).stdout
    assert "groundwork logs core-matching --errors --since 1h --system rentalfix --stack prod" in text
    assert f"groundwork incident close {NAME} --system rentalfix --stack prod" in text
    assert "The next message is due 2026-04-01 12:30 UTC." in text
    now.passes(31)
    assert "overdue since 2026-04-01 12:30 UTC" in groundwork("incident", "checklist", code=1).stdout
    tells(groundwork, template="resolved", words=RESOLUTION)
    assert "next message" not in groundwork("incident", "checklist", code=1).stdout


def test_the_checklist_of_a_severity_asks_nobody(stack, groundwork):
    text = groundwork("incident", "checklist", "--severity", "P1").stdout
    assert text.startswith("P1: complete service outage, answered within 15 minutes, told to critical.\n")
    assert text.count("[ ]") == 8
    assert "incident open --severity P1" in text
    assert stack.cloud.asked == []
    assert (
        "this one has its own" in groundwork("incident", "checklist", NAME, "--severity", "P1", code=2).stderr
    )


def test_a_program_is_told_which_steps_are_done_and_what_does_the_others(groundwork, now):
    opens(groundwork)
    found = json.loads(groundwork("incident", "checklist", "--json", code=1).stdout)
    assert (found["incident"], found["update_due"]) == (NAME, "2026-04-01T12:30:00+00:00")
    assert [each["step"] for each in found["steps"]] == list(eight.Name)
    first, second = found["steps"][:2]
    assert first["done"].startswith("2026-04-01 12:00 UTC  moto  opened as P2")
    assert first["commands"] == []
    assert second["done"] is None
    assert all(each.endswith(" --system rentalfix --stack prod") for each in second["commands"])
    for step in eight.Name:
        groundwork("incident", "done", step, "--yes")
    found = json.loads(groundwork("incident", "checklist", "--json").stdout)
    assert all(each["done"] for each in found["steps"])


def test_a_program_is_told_the_steps_for_a_severity(stack, groundwork):
    steps = json.loads(groundwork("incident", "checklist", "--severity", "P1", "--json").stdout)
    assert [each["step"] for each in steps] == list(eight.Name)
    assert [each["done"] for each in steps] == [None] * 8
    called = [call for each in steps for call in each["commands"]]
    assert any("incident open --severity P1" in call for call in called)
    assert stack.cloud.asked == []


def test_a_program_is_told_the_incident_as_it_is_after_a_step(groundwork):
    opens(groundwork, level="P3")
    words = ("incident", "done", "assess", "--severity", "P1", "--note", "worse", "--json")
    tried = json.loads(groundwork(*words, "--dry-run").stdout)
    assert tried["would"] == [f"write into {NAME}: done: assess, P1; worse"]
    marked = json.loads(groundwork(*words, "--yes").stdout)
    assert (marked["severity"], marked["steps"][-1]["note"]) == ("P1", "worse")
    assert "assess" not in marked["steps_left"]
    assert marked == shown(groundwork)


def test_every_call_of_the_checklist_is_one_that_the_command_takes():
    lines = [line.strip() for line in eight.lines(None, Severity.P1, " --stack prod")]
    calls = [line.split() for line in lines if line.startswith("groundwork")]
    assert len(calls) == sum(len(each.calls) for each in eight.STEPS)
    assert [
        trouble(Call(tuple(words), is_whole=True)) for words in calls if trouble(Call(tuple(words), True))
    ] == []


def test_done_takes_a_severity_for_the_assessment_alone(groundwork):
    opens(groundwork)
    found = groundwork("incident", "done", "review", "--severity", "P1", "--yes", code=2)
    assert "--severity belongs to `done assess`, and not to review." in found.stderr
    found = groundwork("incident", "done", "review", "--note", "a" * 3_001, "--yes", code=2)
    assert "and a step of the record takes 3,000. Put the rest behind a link." in found.stderr
    assert shown(groundwork)["severity"] == "P2"
    found = groundwork("incident", "done", "assess", "--severity", "P1", "--yes").stdout
    assert found == f"{NAME}: done: assess, P1.\n"  # the same topic hears of it
    assert shown(groundwork)["severity"] == "P1"
    groundwork("incident", "close", "--yes")
    found = groundwork("incident", "done", "assess", NAME, "--severity", "P4", "--yes", code=2)
    assert "its severity stays P1" in found.stderr


def test_the_list_has_the_newest_first_and_every_open_one(groundwork, now):
    opens(groundwork)
    now.passes(60)
    opens(groundwork, title="Logins fail")
    groundwork("incident", "close", "20260401-1300", "--yes")
    now.passes(60)
    opens(groundwork, title="Mails are late", level="P3")
    tells(groundwork, "20260401-1400", template="resolved", words=RESOLUTION)
    rows = json.loads(groundwork("incident", "list", "--json", code=1).stdout)
    assert [(row["title"], row["state"], row["lasted_s"]) for row in rows] == [
        ("Mails are late", "resolved", 0),
        ("Logins fail", "closed", 0),
        (TITLE, "open", 7200),
    ]
    rows = json.loads(groundwork("incident", "list", "-n", "1", "--json", code=1).stdout)
    assert [row["title"] for row in rows] == ["Mails are late", TITLE]
    for name in ("20260401-1200", "20260401-1400"):
        groundwork("incident", "close", name, "--yes")
    assert "Mails are late" in groundwork("incident", "list").stdout


def test_show_has_the_order_of_events_and_whether_it_was_answered_in_time(groundwork, now):
    opens(groundwork, "--began", "2h")
    now.passes(5)
    tells(groundwork)
    lines = groundwork("incident", "show").stdout.splitlines()
    assert lines[:3] == [
        f"{NAME}, P2 (major feature unavailable), since 2026-04-01 10:00 UTC: {TITLE}",
        "Answered 2 hours after it began; late: wanted within 1 hour.",
        f"2026-04-01 12:00 UTC  moto  opened as P2: {TITLE}",
    ]
    assert lines[-1] == (
        "2026-04-01 12:05 UTC  moto  told critical: INVESTIGATING; impact: API response times elevated; actions: "
        "Scaling additional servers"
    )


def test_what_was_answered_in_time_is_not_called_late(groundwork):
    opens(groundwork, "--began", "1h")
    assert "Answered 1 hour after it began; wanted within 1 hour." in groundwork("incident", "show").stdout


# close


def test_close_says_how_long_it_took_and_what_the_review_wants(groundwork, now):
    opens(groundwork, "--began", "15m")
    tells(groundwork)
    now.passes(45)
    tells(groundwork, template="resolved", words=RESOLUTION)
    now.passes(600)
    said = groundwork("incident", "close", "--yes").stdout
    assert said.startswith(f"{NAME} was closed 2026-04-01 22:45 UTC, by moto. It took 1 hour.\n")
    assert "The review is due 2026-04-08, and asks without blame:" in said
    assert "Not in the record: Implement temporary fix if possible; " in said
    assert "Nobody was told" not in said


def test_close_says_what_was_left_out_and_a_dry_run_closes_nothing(stack, groundwork, now):
    opens(groundwork)
    now.passes(5)
    assert "would close" in groundwork("incident", "close", "--dry-run").stderr
    assert not any("closed" in key for key in keys(stack))
    said = groundwork("incident", "close", "--yes").stdout
    assert "It took 5 minutes." in said
    assert f"Nobody was told that it is over: `groundwork incident notify {NAME} --template resolved" in said


def test_closed_again_it_says_the_same_and_writes_nothing(stack, groundwork, now):
    opens(groundwork)
    first = groundwork("incident", "close", "--yes").stdout
    now.passes(60)
    before = keys(stack)
    assert groundwork("incident", "close", NAME, "--yes").stdout == first
    assert keys(stack) == before


def test_a_program_is_told_that_it_is_closed_and_when_the_review_is_due(groundwork, now):
    opens(groundwork)
    tried = json.loads(groundwork("incident", "close", "--dry-run", "--json").stdout)
    assert tried["would"] == [f"close {NAME}, P2: {TITLE}"]
    now.passes(5)
    closed = json.loads(groundwork("incident", "close", "--yes", "--json").stdout)
    assert (closed["state"], closed["lasted_s"], closed["review_due"]) == ("closed", 300, "2026-04-08")
    assert "review" in closed["steps_left"]
    now.passes(60)
    assert json.loads(groundwork("incident", "close", NAME, "--json").stdout) == closed


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "less than a minute"),
        (1, "1 minute"),
        (45, "45 minutes"),
        (60, "1 hour"),
        (125, "2 hours 5 minutes"),
        (1440, "1 day"),
        (3005, "2 days 2 hours"),
        (-5, "less than a minute"),
    ],
)
def test_how_long_it_took_is_said_in_words(minutes, said):
    assert texts.lasted(timedelta(minutes=minutes)) == said
