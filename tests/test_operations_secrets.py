"""`groundwork secrets put | generate | check | age`, against the emulator's Secrets Manager and ECS."""

import json
import re
from datetime import UTC, datetime, timedelta

import credentials
import pytest

from operations.secrets import known, put, strength
from operations.secrets.known import Known, Origin
from tests.aws_cloud import Cloud, clock, emulator_url, refusal
from tests.running_services import outputs, running
from tests.secret_stack import GOOD, JWT, Stack, groundwork, make, stack

__all__ = ["clock", "emulator_url", "groundwork", "running", "stack"]


# What a value must be


@pytest.mark.parametrize(
    "value", ["changeme", "your-secret-here", "<token>", "xxxxxxxx", "Postgres", "ADMIN"]
)
def test_placeholders_and_defaults_are_known(value):
    assert strength.is_placeholder(value)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ('{"username": "postgres", "password": "k3-Wz9"}', False),
        ('{"username": "app", "password": "changeme"}', True),
        ('{"google": {"id": "a", "secrets": ["b", "replace-me"]}}', True),
        ('["changeme"]', True),
        (GOOD, False),
    ],
)
def test_of_a_login_the_password_is_judged_and_of_other_json_every_text(value, is_one):
    assert strength.is_placeholder(value) is is_one


def test_the_words_are_those_of_the_policies():
    assert strength.PLACEHOLDER.pattern == credentials.PLACEHOLDER.pattern
    assert strength.DEFAULTS == credentials.DEFAULTS
    assert set(strength.CLASSES) == set(credentials.weaknesses("", 0))


@pytest.mark.parametrize(
    ("name", "value", "problems"),
    [
        ("api-key", GOOD, []),
        ("api-key", " ", ["is empty"]),
        ("api-key", "Short-7", ["has 7 characters of at least 16"]),
        ("api-key", "all-lower-letters-and-no-digit", ["lacks an upper-case letter, a digit"]),
        ("api-key", "aA1" + "a" * 40, ["repeats few characters, so it can be guessed"]),
        ("jwt-secret", GOOD, [f"has {len(GOOD)} characters of at least 64"]),
        ("jwt-secret", JWT, []),
        ("jwt-secret", "aA1" * 30, ["repeats few characters, so it can be guessed"]),
        ("api-key", f"{GOOD} ", ["begins or ends with white space, which programs take for a part of it"]),
        (
            "api-key",
            f"{GOOD}\n{GOOD}",
            ["has a line break in it (`openssl rand -base64` makes one after 64 characters; `-A` does not)"],
        ),
        ("api-key", f"-----BEGIN PRIVATE KEY-----\n{GOOD}\n-----END PRIVATE KEY-----", []),
        ("role", json.dumps({"username": "a", "password": "Short-7"}), ["has 7 characters of at least 16"]),
    ],
)
def test_all_that_is_wrong_with_a_value_is_said(name, value, problems):
    assert list(strength.problems(name, value, least=16, has_classes=True)) == problems


def test_what_a_third_party_chose_needs_no_classes_but_a_password_does():
    lower = "lower-case-letters-without-a-digit"
    external = Known(name="sid", arn="a", origin=Origin.external, resource="r")
    assert external.problems(lower) == []
    password = Known(name="smtp-password", arn="a", origin=Origin.external, resource="r")
    assert password.problems(lower) == ["lacks an upper-case letter, a digit"]


@pytest.mark.parametrize("length", [16, 64])
def test_generated_passwords_are_fit_and_never_the_same(length):
    made = {strength.password(length) for _ in range(200)}
    assert len(made) == 200
    for each in made:
        assert len(each) == length
        assert list(strength.problems("api-key", each, least=16, has_classes=True)) == []


def test_random_values_of_any_alphabet_pass_for_varied():
    for name, number in (("token", 16), ("jwt", 48)):
        for _ in range(200):
            value = strength.from_bytes(number)
            assert list(strength.problems(name, value, least=16, has_classes=False)) == []


# put


def test_put_takes_the_value_of_standard_input_and_says_who_must_start_anew(stack, groundwork):
    arn = stack.secret("api-key")
    stack.service("api", arn)
    stack.service("worker")
    said = groundwork("put", "api-key", stdin=f"{GOOD}\n").output
    assert stack.value("api-key") == GOOD
    assert "`groundwork service restart api --stack prod`" in said
    assert "worker" not in said
    assert GOOD not in said


def test_on_kubernetes_put_says_how_pods_come_to_it(stack, groundwork):
    stack.secret("api-key")
    stack.cloud.outputs["kubernetes"] = {"cluster": "a", "namespace": "rentalfix-prod"}
    said = groundwork("put", "api-key", stdin=GOOD).output
    assert "`kubectl --namespace rentalfix-prod rollout restart deployment`" in said


def test_put_asks_before_it_replaces_a_value_and_not_before_the_first(stack, groundwork):
    stack.secret("api-key", GOOD)
    said = groundwork("put", "api-key", stdin=f"{GOOD}-2", code=2).output
    assert "will replace the value of api-key" in said
    assert "Add --yes" in said
    assert stack.value("api-key") == GOOD
    groundwork("put", "api-key", "--yes", stdin=f"{GOOD}-2")
    assert stack.value("api-key") == f"{GOOD}-2"


def test_a_dry_run_puts_nothing(stack, groundwork):
    stack.secret("api-key", GOOD)
    assert "would replace" in groundwork("put", "api-key", "--dry-run", stdin=f"{GOOD}-2").output
    assert stack.value("api-key") == GOOD


def test_the_same_value_makes_no_new_version(stack, groundwork):
    stack.secret("api-key", GOOD)
    said = groundwork("put", "api-key", stdin=GOOD).output
    assert "has this value already" in said
    assert stack.cloud.calls("PutSecretValue") == []


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("changeme-changeme-Changeme1", "api-key is a default or a placeholder"),
        ("Tiny7", "has 5 characters of at least 16"),
        ("", "Nothing came by standard input"),
        (b"\xff\xfe\x00", "The value is no text"),
        ("x1A-" * 20_000, "larger than the 65536 bytes"),
    ],
)
def test_a_bad_value_is_refused_and_not_repeated(stack, groundwork, value, sentence):
    stack.secret("api-key")
    said = groundwork("put", "api-key", stdin=value, code=2).output
    assert sentence in said
    assert not value or str(value)[:12] not in said
    assert stack.cloud.calls("PutSecretValue") == []


def test_a_weak_value_goes_when_that_is_meant_but_never_a_placeholder(stack, groundwork):
    stack.secret("pin")
    assert "--accept-weak puts" in groundwork("put", "pin", stdin="4711-0815", code=2).output
    groundwork("put", "pin", "--accept-weak", stdin="4711-0815")
    assert stack.value("pin") == "4711-0815"
    said = groundwork("put", "pin", "--accept-weak", "--yes", stdin="changeme", code=2).output
    assert "placeholder" in said
    assert "--accept-weak puts" not in said


def test_the_value_is_no_argument(stack, groundwork):
    stack.secret("api-key")
    assert "unexpected extra argument" in groundwork("put", "api-key", GOOD, code=2).output


def test_a_person_types_it_twice_and_unseen(stack, groundwork, monkeypatch):
    stack.secret("api-key")
    secret = known.find(stack.cloud, "api-key")
    asked = {}
    monkeypatch.setattr(put.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(put.typer, "prompt", lambda text, **more: asked.update(more, text=text) or GOOD)
    assert put.given(secret) == GOOD
    assert asked == {
        "text": "Value of api-key", "hide_input": True, "confirmation_prompt": True, "err": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("jwt-secret", "is made by the program, .* `groundwork secrets rotate jwt-secret` makes a new one"),
        ("database/app", "is made by the task bootstrap: `groundwork secrets rotate database/app` makes"),
        (
            "brokers/events",
            "must be the one that RabbitMQ has: `groundwork secrets rotate brokers/events` makes a new",
        ),
        ("api-kee", "There is no secret api-kee of rentalfix; there are: api-key, .* Did you mean api-key"),
    ],
)
def test_what_is_not_the_operators_to_choose_is_refused(stack, groundwork, name, sentence):
    stack.secret("api-key")
    stack.secret("jwt-secret", JWT, external=False)
    stack.role("app", GOOD)
    stack.cloud.outputs["brokers"]["events"] = {"loginSecretArn": make(stack.cloud, "b", "x")}
    assert re.search(sentence, groundwork("put", name, stdin=GOOD, code=2).output)


# generate


def test_generate_puts_what_nobody_has_seen(stack, groundwork):
    stack.secret("partner-key")
    said = groundwork("generate", "partner-key", "--length", "40").output
    value = stack.value("partner-key")
    assert len(value) == 40
    assert value not in said
    said = groundwork("generate", "partner-key", "--bytes", "64", "--yes").output
    assert len(stack.value("partner-key")) == 88
    assert stack.value("partner-key") not in said


def test_generate_refuses_two_measures_and_one_too_short_for_what_it_signs(stack, groundwork):
    stack.secret("jwt-partner")
    assert (
        "Keep one." in groundwork("generate", "jwt-partner", "--bytes", "64", "--length", "64", code=2).output
    )
    said = groundwork("generate", "jwt-partner", "--length", "32", code=2).output
    assert "jwt-partner needs at least 64 characters; that would be 32." in said


def test_a_program_is_told_who_must_start_anew_and_never_the_value(stack, groundwork):
    arn = stack.secret("api-key")
    stack.service("api", arn)
    put = groundwork("put", "api-key", "--json", stdin=GOOD)
    said = {"secret": "api-key", "arn": arn, "put": True, "services_to_restart": ["api"]}
    assert json.loads(put.stdout) == said
    assert "`groundwork service restart api --stack prod`" in put.stderr
    again = groundwork("put", "api-key", "--json", stdin=GOOD)
    assert json.loads(again.stdout) == {**said, "put": False, "services_to_restart": []}
    made = groundwork("generate", "api-key", "--yes", "--json")
    assert json.loads(made.stdout) == said
    for value, shown in ((GOOD, put), (GOOD, again), (stack.value("api-key"), made)):
        assert value not in shown.output


def test_a_program_is_told_what_a_dry_run_would_put_and_never_the_value(stack, groundwork):
    arn = stack.secret("api-key", GOOD)
    would = {"stack": str(stack.cloud), "would": [f"replace the value of api-key ({arn})"]}
    tried = groundwork("put", "api-key", "--dry-run", "--json", stdin=f"{GOOD}-2")
    assert json.loads(tried.stdout) == would
    assert GOOD not in tried.output
    assert json.loads(groundwork("generate", "api-key", "--dry-run", "--json").stdout) == would
    assert stack.value("api-key") == GOOD


def test_on_kubernetes_a_program_is_told_too_and_a_person_beside_it(stack, groundwork):
    arn = stack.secret("api-key")
    stack.cloud.outputs["kubernetes"] = {"cluster": "a", "namespace": "rentalfix-prod"}
    put = groundwork("put", "api-key", "--json", stdin=GOOD)
    assert json.loads(put.stdout) == {
        "secret": "api-key",
        "arn": arn,
        "put": True,
        "services_to_restart": [],
    }
    assert "rollout restart deployment" in put.stderr


# check and age


def checked(groundwork, *more: str, code: int = 1) -> dict[str, list[str]]:
    result = groundwork("check", "--json", *more, code=code)
    return {each["secret"]: each["problems"] for each in json.loads(result.stdout)}


def test_a_good_stack_has_no_problem(stack, groundwork):
    stack.secret("api-key", GOOD)
    stack.secret("jwt-secret", JWT, external=False)
    stack.role("app", strength.password(48))
    assert set(map(tuple, checked(groundwork, code=0).values())) == {()}


def test_check_finds_the_empty_the_placeholder_and_the_weak_and_shows_no_value(stack, groundwork):
    stack.secret("api-key")
    stack.secret("sentry-dsn", "https://your-dsn@sentry.invalid/1")
    stack.secret("jwt-secret", "Jwt1" * 10, external=False)
    stack.role("app", "hunter2hunter2hunter2")
    assert checked(groundwork) == {
        "api-key": ["holds nothing yet: `groundwork secrets put api-key`"],
        "sentry-dsn": ["is a default or a placeholder"],
        "jwt-secret": ["has 40 characters of at least 64"],
        "database/app": ["lacks an upper-case letter"],
    }
    shown = groundwork("check", code=1).output
    assert "placeholder" in shown
    for value in ("your-dsn", "Jwt1Jwt1", "hunter2"):
        assert value not in shown


def test_what_the_bootstrap_makes_is_told_so_where_it_is_empty(stack, groundwork):
    """FixRx' `database-url` holds a role's password, and its `redis-url` none."""
    object.__setattr__(stack.cloud, "system", "fixrx")
    arn = make(stack.cloud, "role-app", None)
    stack.cloud.outputs["database"] = {"masterSecretArn": "", "roleSecretArns": {"app": arn}}
    for name in ("database-url", "redis-url"):
        stack.secret(name, external=False)
    assert checked(groundwork) == {
        "database-url": ["holds nothing yet: `groundwork db bootstrap` makes it"],
        "redis-url": ["holds nothing yet: `pulumi up` fills it"],
        "database/app": ["holds nothing yet: `groundwork db bootstrap` makes it"],
    }


def test_the_least_length_is_the_system_files(stack, groundwork):
    """`sentry-dsn` of RentalFix has 20 at least, more than the 16 of all."""
    stack.secret("sentry-dsn", "Eighteen-letters-1")
    assert checked(groundwork) == {"sentry-dsn": ["has 18 characters of at least 20"]}


def test_a_value_that_two_secrets_share_is_told_of_both(stack, groundwork):
    stack.secret("api-key", GOOD)
    stack.role("app", GOOD)
    found = checked(groundwork)
    assert found["api-key"] == ["has the same value as database/app"]
    assert found["database/app"] == ["has the same value as api-key"]


def test_a_value_that_another_stack_has_too_is_told(stack, groundwork):
    stack.secret("api-key", GOOD)
    stack.secret("other-key", f"{GOOD}-other")
    staging = Stack(
        type(stack.fleet)(Cloud("rentalfix", "staging", outputs("none"), stack.cloud.endpoint_url))
    )
    staging.secret("old-key", GOOD)
    groundwork.stacks["staging"] = staging.cloud
    found = checked(groundwork, "--with", "staging")
    assert found == {
        "api-key": ["has the same value as old-key of staging: whoever has the one has both"],
        "other-key": [],
    }
    assert "names another stack" in groundwork("check", "--with", "prod", code=2).output


def test_one_that_may_not_be_read_does_not_hide_the_others(stack, groundwork):
    """The refusal is the test's: the emulator knows no permissions."""
    first = stack.secret("api-key", GOOD)
    stack.secret("other-key", "Short-7")
    denied = lambda given: refusal("AccessDeniedException") if given["SecretId"] == first else None  # noqa: E731
    values = {stack.cloud.outputs["secrets"]["other-key"]: "Short-7"}
    stack.cloud.says(
        "GetSecretValue",
        lambda given: denied(given) or {"SecretString": values[given["SecretId"]]},
    )
    found = checked(groundwork)
    assert found["api-key"][0].startswith("cannot be read: AWS refused GetSecretValue")
    assert found["other-key"] == ["has 7 characters of at least 16"]


def test_one_that_is_being_deleted_is_told(stack, groundwork):
    arn = stack.secret("api-key", GOOD)
    stack.client.delete_secret(SecretId=arn)
    assert checked(groundwork) == {
        "api-key": ["is being deleted: `aws secretsmanager restore-secret` keeps it"]
    }


def test_age_counts_from_the_current_version_and_not_from_a_tag(stack, groundwork):
    """The dates are the test's: nothing in the emulator is old."""
    arn = stack.secret("api-key", GOOD)
    long_ago = datetime.now(UTC) - timedelta(days=100)
    versions = [
        {"VersionId": "1" * 32, "VersionStages": ["AWSPREVIOUS"], "CreatedDate": datetime.now(UTC)},
        {"VersionId": "2" * 32, "VersionStages": ["AWSCURRENT"], "CreatedDate": long_ago},
    ]
    stack.cloud.says("ListSecretVersionIds", {"Versions": versions, "ARN": arn})
    old = "is 100 days old, more than 90: `groundwork secrets rotate api-key`"
    assert [each["problems"] for each in json.loads(groundwork("age", "--json", code=1).stdout)] == [[old]]
    assert checked(groundwork, "--max-age-days", "90") == {"api-key": [old]}
    assert checked(groundwork, "--max-age-days", "100", code=0) == {"api-key": []}
    groundwork("age", "--max-age-days", "100")


def test_age_reads_no_value(stack, groundwork):
    stack.secret("api-key", GOOD)
    stack.secret("later")
    rows = json.loads(groundwork("age", "--json").stdout)
    assert [(each["filled"], each["age_days"]) for each in rows] == [(True, 0), (False, None)]
    assert stack.cloud.calls("GetSecretValue") == []
