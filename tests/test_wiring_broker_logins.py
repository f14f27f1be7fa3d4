"""The task that rotates brokers' logins as a product declares it: no password in it, no right that it does not need."""

from components import _broker_logins
from tests.program import configuration, declared, run
from tests.recorder import Recording
from tests.requirements.production import TASK, output, statements

STACK = "nx-monorepo/prod"
SECRETS = "secretsmanager:"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
URL = "amqps://${brokers.events.username}:${brokers.events.password}@${brokers.events.host}"


def container(stack: Recording) -> dict:
    [made] = stack.one(TASK, "task-broker-logins").json("containerDefinitions")
    return made


def variables(stack: Recording) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(stack)["environment"]}


def test_one_container_of_the_cli_has_what_it_needs_and_no_password():
    stack = declared(STACK)
    made = container(stack)
    assert made["image"].startswith("public.ecr.aws/aws-cli/aws-cli:")
    assert (made["entryPoint"], made["command"]) == (["sh", "-ec"], [_broker_logins.rotate("/tmp")])
    assert (made["user"], made["secrets"]) == ("1000", [])
    assert [each["containerPath"] for each in made["linuxParameters"]["tmpfs"]] == ["/tmp"]
    login, console = (output(stack, "brokers", "events", key) for key in ("loginSecretArn", "console"))
    assert console
    assert variables(stack) == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "BROKERS": f"events admin {login} {console}",
        "BROKER": "",
        "VERSION": "",
    }


def test_it_may_read_and_write_exactly_the_logins():
    stack = declared(STACK)
    may = statements(stack, "task-broker-logins-task")
    assert set(may) == {"MakePasswords", "KeepLogins", "EncryptPasswords"}
    assert may["MakePasswords"]["Action"] == [f"{SECRETS}GetRandomPassword"]
    assert may["KeepLogins"]["Resource"] == [output(stack, "brokers", "events", "loginSecretArn")]
    assert may["KeepLogins"]["Action"] == [
        f"{SECRETS}{each}"
        for each in (
            "DescribeSecret",
            "GetSecretValue",
            "PutSecretValue",
            "UpdateSecretVersionStage",
        )
    ]
    assert may["EncryptPasswords"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert may["EncryptPasswords"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    }
    assert "ReadSecrets" not in statements(stack, "task-broker-logins-execution"), "the container asks itself"


def test_what_runs_it_reaches_the_consoles_of_brokers_only_where_there_are_any():
    def consoles(name: str) -> list[dict]:
        return [
            each
            for each in output(declared(name), "network", "declared")
            if each["source"] == "operations" and each["target"].startswith("broker-")
        ]

    assert [(each["target"], each["port"]) for each in consoles(STACK)] == [("broker-events", 443)]
    assert consoles("prod") == []
    assert "broker-logins" not in output(declared("prod"), "tasks")


def test_pulumi_puts_in_the_first_value_and_leaves_later_ones_alone():
    stack = declared(STACK)
    version = stack.one(VERSION, "broker-events-login")
    assert version.ignore_changes == ("secretString",)
    assert version.retain_on_delete
    assert "versionStages" not in version.inputs
    others = [each for each in stack.all(VERSION) if each.name != version.name]
    assert others
    assert not any(each.ignore_changes or each.retain_on_delete for each in others)


def test_urls_that_hold_the_password_are_named():
    config = configuration(STACK)
    config["groundwork:secrets"] = {
        "jwt-secret": {"generate": None, "url": URL},
        "cache-url": {
            "generate": None,
            "url": "rediss://:${caches.cache.auth_token}@${caches.cache.endpoint}",
        },
    }
    assert variables(run(STACK, config))["BROKERS"].endswith("amazonaws.com jwt-secret")


def test_a_product_without_a_broker_has_no_such_task():
    assert not [each for each in declared("prod").all(TASK) if "broker" in each.name]
    assert [each for each in declared(STACK).all(TASK) if "broker" in each.name]
