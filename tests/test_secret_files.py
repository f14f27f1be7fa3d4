"""Secrets as files: written before the service starts, read by it alone, and on no command line."""

import dataclasses
import os
import stat
import subprocess

import pytest

from components import _secret_files
from components._containers import Container
from components._log_router import Https, LogRouter
from components._secret_files import SecretFiles
from components.task import Task, TaskArgs
from tests.program import configuration, declared, run
from tests.recorder import record
from tests.settings_examples import refusal, settle

TASK = "aws:ecs/taskDefinition:TaskDefinition"
ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:x"
FILES = SecretFiles(
    image="public.ecr.aws/docker/library/postgres:16.10-alpine",
    files={"jwt_secret": f"{ARN}-jwt", "database_url": f"{ARN}-url"},
)
GOOD = TaskArgs(
    family="shop-prod-api",
    container=Container(name="api", image="repository:1.0.0", user="1000"),
    cpu=256,
    memory_mib=512,
    account_id="111122223333",
    region="us-east-1",
    log_group_name="/shop/prod/api",
    log_key_arn="arn:aws:kms:us-east-1:111122223333:key/logs",
    log_retention_days=30,
    repository_arns=[],
    secret_arns=[f"{ARN}-jwt", f"{ARN}-url"],
    secret_files=FILES,
)


def definitions(**changes):
    definition = record(lambda: Task("api", dataclasses.replace(GOOD, **changes))).one(TASK)
    return definition, definition.json("containerDefinitions")


def test_the_service_waits_for_the_files_and_cannot_change_them():
    definition, (writer, api) = definitions()
    assert definition["volumes"] == [{"name": "secret-files"}]
    assert (writer["essential"], writer["user"], writer["image"]) == (False, "1000", FILES.image)
    assert writer["mountPoints"] == [
        {"sourceVolume": "secret-files", "containerPath": "/var/lib/postgresql/data", "readOnly": False}
    ]
    assert writer["readonlyRootFilesystem"] is True
    assert {each["name"]: each["valueFrom"] for each in writer["secrets"]} == {
        "CONTENT_0": f"{ARN}-url",
        "CONTENT_1": f"{ARN}-jwt",
    }
    assert api["dependsOn"] == [{"containerName": "secret-files", "condition": "SUCCESS"}]
    assert api["mountPoints"] == [
        {"sourceVolume": "secret-files", "containerPath": "/run/secrets", "readOnly": True}
    ]
    assert not api["secrets"]


def test_without_files_nothing_is_added():
    definition, (api,) = definitions(secret_files=None)
    assert "volumes" not in definition
    assert not {"dependsOn", "mountPoints"} & set(api)


def test_a_service_with_a_log_router_has_files_too():
    router = LogRouter(
        image="repository:3.2.1",
        namespace="shop/prod",
        labels={},
        https=Https(host="logs.example.com", path="/", header="Authorization", secret_arn=f"{ARN}-log"),
    )
    _, made = definitions(log_router=router)
    assert [each["name"] for each in made] == ["secret-files", "api", "log-router"]
    assert made[1]["dependsOn"] == [{"containerName": "secret-files", "condition": "SUCCESS"}]


def test_each_value_is_written_as_it_is_and_only_its_owner_may_read_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_secret_files, "WRITABLE_FOLDER", str(tmp_path))
    writer = _secret_files.writer(FILES, "1000")
    values = {"CONTENT_0": "it's $(id) `b` %s \\n", "CONTENT_1": "two\nlines\n"}
    (command,) = writer.command
    assert not [value for value in values.values() if value in command]
    subprocess.run([*writer.entry_point, command], env={"PATH": os.environ["PATH"], **values}, check=True)
    files = {path.name: path for path in tmp_path.iterdir()}
    assert {name: path.read_text() for name, path in files.items()} == {
        "database_url": values["CONTENT_0"],
        "jwt_secret": values["CONTENT_1"],
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o400}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret_arns": []}, "a container's secrets need secret_arns"),
        ({"secret_files": dataclasses.replace(FILES, files={})}, "secret_files names no file: leave it out"),
        (
            {"container": dataclasses.replace(GOOD.container, user="node")},
            "secret_files needs a user that is a number, such as 1000, got 'node'",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(GOOD, **changes)
    assert dataclasses.replace(GOOD, container=dataclasses.replace(GOOD.container, user="1000:1000"))


WITH_FILES = {
    "services/core-matching/secrets": {"DB_PASSWORD": "${database.password}"},
    "services/core-matching/secret_files": {
        "API_KEY_FILE": "${secrets.api-key}",
        "LOGIN_FILE": "${database.password}",
    },
}


def program(**changes):
    config = configuration("prod")
    service = config["groundwork:services"]["core-matching"]
    files = WITH_FILES["services/core-matching/secret_files"]
    config["groundwork:services"] = {
        **config["groundwork:services"],
        "core-matching": {**service, "secret_files": files},
    }
    return run("prod", {**config, **{f"groundwork:{key}": value for key, value in changes.items()}})


def test_the_program_names_the_path_and_reads_a_logins_password():
    stack = program()
    writer, api = stack.one(TASK, "core-matching").json("containerDefinitions")[:2]
    variables = {each["name"]: each["value"] for each in api["environment"]}
    assert variables["API_KEY_FILE"] == "/run/secrets/api_key"
    assert variables["LOGIN_FILE"] == "/run/secrets/login"
    role = stack.value["database"]["roleSecretArns"]["rentfix_app"]
    assert {each["valueFrom"] for each in writer["secrets"]} == {
        stack.value["secrets"]["api-key"],
        f"{role}:password::",
    }
    # A one-off task of the service is given the same; as the master user with the master's password.
    master = stack.value["database"]["masterSecretArn"]
    (first, *_) = stack.one(TASK, "task-migrate").json("containerDefinitions")
    assert f"{master}:password::" in {each["valueFrom"] for each in first["secrets"]}
    assert "secret-files" not in [
        each["name"] for each in declared("prod").one(TASK, "core-matching").json("containerDefinitions")
    ]


def test_on_kubernetes_each_is_a_file_of_a_mounted_secret():
    stack = program(
        compute="kubernetes",
        kubernetes={
            "nodes": {"instance_types": ["m7i.large"], "min_count": 2, "max_count": 4},
            "admin_role_arns": ["arn:aws:iam::111122223333:role/platform"],
        },
    )
    spec = stack.one("kubernetes:apps/v1:Deployment", "core-matching")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["API_KEY_FILE"] == "/run/secrets/api_key"
    mounts = [each for each in container["volumeMounts"] if each["name"] == "secret-files"]
    assert [(each["mountPath"], each["subPath"], each["readOnly"]) for each in mounts] == [
        ("/run/secrets/api_key", "api_key", True),
        ("/run/secrets/login", "login", True),
    ]
    (volume,) = [each for each in spec["volumes"] if each["name"] == "secret-files"]
    assert volume["projected"]["defaultMode"] == 0o440
    places = {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    assert places == {
        "api_key": ("core-matching-secrets", "api-key"),
        "login": ("core-matching-secrets", "login"),
    }
    fetched = stack.one("kubernetes:external-secrets.io/v1:ExternalSecret", "namespace-core-matching-secrets")
    keys = {each["secretKey"]: each["remoteRef"] for each in fetched["spec"]["data"]}
    assert keys["api-key"]["key"] == stack.value["secrets"]["api-key"]
    assert keys["login"]["property"] == "password"


def test_settings_take_files_and_refuse_what_is_none():
    service = settle(system=WITH_FILES).services["core-matching"]
    assert service.file_names == {"API_KEY_FILE": "api_key", "LOGIN_FILE": "login"}
    assert set(service.confidential) == {"DB_PASSWORD", "API_KEY_FILE", "LOGIN_FILE"}


@pytest.mark.parametrize(
    ("system", "sentence"),
    [
        (
            {"services/core-matching/secret_files": {"JWT_SECRET": "${secrets.api-key}"}},
            "must be upper case letters, digits and underscores, with _FILE at the end",
        ),
        (
            {"services/core-matching/secret_files": {"KEY_FILE": "${secrets.api-kee}"}},
            "services.core-matching.secret_files.KEY_FILE: refers to secrets.api-kee, which does not exist",
        ),
        (
            {"services/core-matching/secret_files": {"KEY_FILE": "a key"}},
            "services.core-matching.secret_files.KEY_FILE: must be one reference and nothing else",
        ),
        (
            {
                "services/core-matching/secret_files": {"KEY_FILE": "${secrets.api-key}"},
                "services/core-matching/environment/KEY_FILE": "/run/secrets/key",
            },
            "services.core-matching.secret_files.KEY_FILE: stands in `environment` too. Remove one of the two.",
        ),
        (
            {
                "services/core-matching/secret_files": {"KEY_FILE": "${secrets.api-key}"},
                "services/core-matching/user": "node",
            },
            "services.core-matching.user: must be a number where the service has secret_files, which belong to it, "
            "got node",
        ),
    ],
)
def test_a_file_that_cannot_be_is_refused(system, sentence):
    assert any(sentence in line for line in refusal(system=system)), refusal(system=system)
