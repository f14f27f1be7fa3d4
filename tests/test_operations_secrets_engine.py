"""What `groundwork secrets rotate` asks of the real engine, on the real component: one value anew, its users follow."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import shutil

import pytest

from local import stack
from operations.secrets.known import Known, Origin
from operations.secrets.rotate import arguments
from tests.engine import ROOT, home, port, workspace, write_project
from tests.engine import pulumi as as_it_is
from tests.test_operations_plans import pulumi

PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import pulumi
import pulumi_aws as aws
from components.secret import Generate, GenerateBytes, Secret, SecretArgs

key = aws.kms.Key("key", description=pulumi.Config().require("tag"))


def secret(name, **more):
    return Secret(name, SecretArgs(name_prefix=f"{{name}}-", kms_key_arn=key.arn, description=name, **more))


pulumi.export("tag", key.description)
token = secret("cache-main-token", generate=Generate(length=64))
other = secret("secret-jwt-secret", generate=GenerateBytes(length=64))
url = secret("secret-redis-url", value=pulumi.Output.concat("rediss://:", token.value, "@host"))
for name, each in {{"token": token, "other": other, "url": url}}.items():
    pulumi.export(name, each.value)
    pulumi.export(f"{{name}}Arn", each.arn)
"""
STACK_FILE = """config:
  aws:region: us-east-1
  aws:endpoints: [{kms: "http://localhost:4566", secretsmanager: "http://localhost:4566"}]
  tiny:tag: "1"
"""


def outputs(workspace):
    done = as_it_is(workspace, "stack", "output", "--json", "--show-secrets", "--stack", "local")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.engine
def test_one_value_is_made_anew_by_the_plan_with_what_is_put_together_from_it(
    tmp_path, home, port, workspace
):
    shutil.rmtree(workspace.root)
    write_project(workspace.root, program=PROGRAM, stack_file=STACK_FILE)
    stack.select(workspace)
    stack.run(workspace, "up", "--yes", "--skip-preview")
    before = outputs(workspace)
    # Somebody has changed something else meanwhile: this is not the run that brings it.
    text = workspace.stack_file.read_text(encoding="utf-8")
    workspace.stack_file.write_text(text.replace('tag: "1"', 'tag: "2"'), encoding="utf-8")
    workspace.write_copy()
    asked = arguments(Known(name="caches/main", arn="", origin=Origin.cache, resource="cache-main-token"))
    plan = str(tmp_path / "plan.json")
    code, said = pulumi(workspace, "preview", "--save-plan", plan, *asked)
    assert code == 0, said
    code, said = pulumi(workspace, "up", "--yes", "--skip-preview", "--plan", plan, *asked)
    assert code == 0, said
    after = outputs(workspace)
    assert after["token"] != before["token"]
    assert after["url"] == f"rediss://:{after['token']}@host"
    assert after["tag"] == "1"
    assert {name for name in after if after[name] != before[name]} == {"token", "url"}
