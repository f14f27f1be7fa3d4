"""The bootstrap's task as each product declares it: no password in it, and no right that it does not need."""

import pytest

from tests.program import configuration, declared, run
from tests.recorder import Recording
from tests.requirements.production import TASK, output, statements

SYSTEMS = ("prod", "fixrx/prod", "nx-monorepo/prod", "sports-nutrition/prod", "ts-service/prod")
URLS = {"fixrx/prod": 2, "sports-nutrition/prod": 1, "ts-service/prod": 1}
SECRETS = "secretsmanager:"


def containers(stack: Recording) -> dict[str, dict]:
    made = stack.one(TASK, "task-bootstrap").json("containerDefinitions")
    return {each["name"]: each for each in made}


def variables(container: dict) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_step_waits_for_the_one_before_and_all_are_one_user(name):
    made = containers(declared(name))
    assert list(made) == ["prepare", "passwords", "bootstrap", "publish"]
    waits = [[after["containerName"] for after in each.get("dependsOn", [])] for each in made.values()]
    assert waits == [[], ["prepare"], ["passwords"], ["bootstrap"]]
    assert all(each["dependsOn"][0]["condition"] == "SUCCESS" for each in list(made.values())[1:])
    assert {each["user"] for each in made.values()} == {"70"}, (
        "files are of one user, who alone may read them"
    )
    assert [each["essential"] for each in made.values()] == [False, False, False, True]
    mounted = {mount["containerPath"] for each in made.values() for mount in each["mountPoints"]}
    assert mounted == {"/var/lib/postgresql/data"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_only_the_master_users_login_comes_in_as_a_variable(name):
    stack = declared(name)
    master = f"{output(stack, 'database', 'masterSecretArn')}:password::"
    found = {
        key: {each["name"]: each["valueFrom"] for each in container["secrets"]}
        for key, container in containers(stack).items()
    }
    login = {"PGPASSWORD": master}
    assert found == {"prepare": login, "passwords": {}, "bootstrap": login, "publish": {}}


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_may_read_and_write_exactly_its_own_secrets(name):
    stack = declared(name)
    roles = list(output(stack, "database", "roleSecretArns").values())
    may = statements(stack, "task-bootstrap-task")
    assert may["MakePasswords"]["Action"] == ["secretsmanager:GetRandomPassword"]
    assert may["KeepPasswords"]["Resource"] == roles
    assert may["KeepPasswords"]["Action"] == [
        f"{SECRETS}{each}"
        for each in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    ]
    assert may["EncryptPasswords"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert may["EncryptPasswords"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    }
    urls = may.get("KeepUrls", {"Resource": []})["Resource"]
    assert len(urls) == URLS.get(name, 0)
    assert set(may) == {"MakePasswords", "KeepPasswords", "EncryptPasswords", *(["KeepUrls"] if urls else [])}


@pytest.mark.parametrize("name", SYSTEMS)
def test_nothing_in_the_program_knows_a_roles_password(name):
    stack = declared(name)
    for each in stack.resources:
        if each.type.startswith("random:") or each.type.endswith(":SecretVersion"):
            assert not each.name.startswith("database-role-")
    lines = variables(containers(stack)["publish"])["URLS"].splitlines()
    assert len(lines) == URLS.get(name, 0)
    for line in lines:
        secret, arn, template = line.split(" ")
        assert output(stack, "secrets", secret) == arn
        assert f"secret-{secret}" not in stack.names("aws:secretsmanager/secretVersion:SecretVersion")
        assert arn not in output(stack, "secretsToFill")
        assert any(
            f"{{{{login/{role}}}}}@" in template
            for role in output(stack, "database", "roleSecretArns").values()
        )


MIXED = "https://x/?a=${database.passwords.rentfix_app}&b=${caches.cache.auth_token}"


def test_another_secret_in_such_a_url_is_read_from_where_it_is_kept():
    config = configuration("prod")
    config["groundwork:secrets"] = {"api-key": {"generate": None, "url": MIXED}}
    stack = run("prod", config)
    token = output(stack, "caches", "cache", "tokenSecretArn")
    role = output(stack, "database", "roleSecretArns", "rentfix_app")
    [line] = variables(containers(stack)["publish"])["URLS"].splitlines()
    assert line.endswith(f" https://x/?a={{{{login/{role}}}}}&b={{{{value/{token}}}}}")
    assert statements(stack, "task-bootstrap-task")["ReadPartsOfUrls"]["Resource"] == [token]
