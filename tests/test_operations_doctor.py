"""`groundwork doctor` as somebody types it: its groups, its last lines, its exit codes; this machine's part of it."""

import http.server
import json
import socket
import subprocess
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from operations import __main__ as groundwork_command
from operations.doctor import command, declared, expects, machine, tools
from operations.doctor.line import State, note, unasked, well, wrong
from operations.doctor.permissions import COMPONENT
from operations.platform import Refusal
from operations.policy import stacks
from tests.aws_cloud import Cloud, cloud, emulator_url, refusal
from tests.doctor_stacks import declaring, line, real, resource, states
from tests.program import ROOT

__all__ = ["cloud", "emulator_url"]

ROLE = "arn:aws:iam::123456789012:role/Admin"


def doctor(*words):
    return CliRunner().invoke(groundwork_command.app, ["doctor", *words])


def answered(cloud):
    """What the emulator lacks, as of an account in which all is well."""
    quota = {"QuotaCode": "L-00000000", "QuotaName": "Number of Metrics Insights alarms", "Value": 100_000.0}
    metric = {"UsageMetric": {"MetricNamespace": "AWS/Usage", "MetricName": "ResourceCount"}}
    cloud.says("GetServiceQuota", {"Quota": {**quota, **metric}})
    cloud.says("GetMetricStatistics", {"Datapoints": []})
    zones = [{"Name": f"us-east-1{each}"} for each in "abc"]
    option = {"StorageType": "gp3", "MultiAZCapable": True, "AvailabilityZones": zones}
    cloud.says("DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": [option]})
    versions = [{"EngineVersion": str(each)} for each in ("14.20", "15.15", "16.15")]
    cloud.says("DescribeDBEngineVersions", {"DBEngineVersions": versions})
    cloud.says("DescribeCacheEngineVersions", {"CacheEngineVersions": [{"EngineVersion": "7.1"}]})
    cloud.says("ListWorkspaces", {"workspaces": []})
    cloud.says(
        "DescribeBrokerInstanceOptions",
        {
            "BrokerInstanceOptions": [
                {
                    "AvailabilityZones": zones,
                    "SupportedDeploymentModes": ["CLUSTER_MULTI_AZ", "SINGLE_INSTANCE"],
                    "SupportedEngineVersions": ["3.13"],
                }
            ]
        },
    )
    names = (
        "ecr.api",
        "ecr.dkr",
        "logs",
        "secretsmanager",
        "ssm",
        "ssmmessages",
        "ecs",
        "sts",
        "kms",
        "monitoring",
    )
    services = [
        {
            "ServiceName": f"com.amazonaws.us-east-1.{each}",
            "AvailabilityZones": [zone["Name"] for zone in zones],
        }
        for each in (*names, "aps-workspaces", "sns", "sqs", "scheduler", "lambda", "application-autoscaling")
    ]
    cloud.says("DescribeVpcEndpointServices", {"ServiceDetails": services})
    cloud.says(
        "GetCallerIdentity",
        {"Account": "111122223333", "Arn": "arn:aws:sts::111122223333:assumed-role/Admin/d"},
    )
    role = {
        "Path": "/",
        "RoleName": "Admin",
        "RoleId": "A" * 16,
        "Arn": ROLE,
        "CreateDate": datetime.now(UTC),
    }
    cloud.says("GetRole", {"Role": role})
    cloud.says(
        "SimulatePrincipalPolicy",
        lambda given: {
            "EvaluationResults": [
                {"EvalActionName": each, "EvalDecision": "allowed"} for each in given["ActionNames"]
            ]
        },
    )
    return cloud


@pytest.fixture
def whole(cloud, monkeypatch, tmp_path):
    """The command on production, as its program declares it, in that account."""
    asked = Cloud("rentalfix", "prod", {"region": "us-east-1", "environment": "prod"}, cloud.endpoint_url)
    monkeypatch.setattr(command, "previewed", lambda _: real("prod"))
    monkeypatch.setattr(command, "_account", lambda *_: asked)
    monkeypatch.setenv("PATH", str(programs(tmp_path)))
    return answered(asked)


def programs(folder, **others):
    """A PATH on which everything is that README asks for; `others` say something else, or with None are not there."""
    told = {
        "pulumi": 'case $1 in whoami) echo \'{"url": "s3://rentalfix-pulumi-state"}\';; *) echo v3.240.1;; esac',
        "aws": "echo aws-cli/2.31.0 Python/3.13",
        "session-manager-plugin": "echo 1.2.707.0",
        "docker": "echo Docker version 28.2.2, build e6534b4",
        **{name.replace("_", "-"): text for name, text in others.items()},
    }
    for name, text in told.items():
        if text is not None:
            program = folder / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
    return folder


# The command


def test_production_in_an_account_where_all_is_well_but_what_it_wants_there(whole):
    """A zone and a bucket that nobody has made, and images that are asked for too early; nothing else."""
    answer = doctor("--stack", "prod", "--json")
    told = json.loads(answer.stdout)
    assert told["unasked"] == []
    assert {(each["group"], each["what"]) for each in told["wrong"]} == {
        ("State", "state's bucket"),
        ("State", "state's key"),
        ("Domain", "hosted zone Z0123456789ABCDEFGHIJ"),
        ("Images", "image of core-matching"),
        ("Images", "image of worker-ai"),
    }
    assert answer.exit_code == 1
    groups = dict.fromkeys(each["group"] for each in told["lines"])
    assert list(groups) == [
        "Tools", "Stack", "Caller", "State", "Region and zones", "Quotas", "Names", "Domain", "Permissions", "Images",
    ]  # fmt: skip
    assert told["stack"] == "rentalfix, stack prod"


def test_for_a_person_what_stands_in_the_way_comes_last_and_is_counted(whole):
    answer = doctor("--stack", "prod")
    *_, last = answer.stdout.split("\n\n")
    assert last.startswith("Stands in the way: 5\n")
    assert "  Domain, hosted zone Z0123456789ABCDEFGHIJ: this account has no such zone. `aws route53" in last
    assert "Could not be asked" not in answer.stdout


def test_one_denied_call_costs_its_own_line_only(whole):
    words = "User: x is not authorized to perform: elasticache:DescribeCacheEngineVersions"
    whole.says("DescribeCacheEngineVersions", refusal("AccessDenied", words))
    told = json.loads(doctor("--stack", "prod", "--json").stdout)
    assert {each["what"] for each in told["unasked"]} == {"cache cache-cache", "cache cache-queue"}
    assert {each["todo"] for each in told["unasked"]} == {
        "The permission is elasticache:DescribeCacheEngineVersions."
    }
    assert len(told["wrong"]) == 5


def test_nobody_is_signed_in(whole):
    whole.says("GetCallerIdentity", refusal("InvalidClientTokenId", "The security token is invalid."))
    answer = doctor("--stack", "prod", "--json")
    told = json.loads(answer.stdout)
    assert {(each["group"], each["what"]) for each in told["unasked"]} == {
        ("Caller", "account"),
        ("Account", "everything else"),
    }
    assert answer.exit_code == 2
    assert not whole.calls("DescribeVpcs")


def test_another_account_is_not_asked_anything_else(whole):
    arn = "arn:aws:sts::999988887777:assumed-role/Admin/d"
    whole.says("GetCallerIdentity", {"Account": "999988887777", "Arn": arn})
    answer = doctor("--stack", "prod")
    assert (
        "Account, everything else: not asked: it would be about another account. See Caller." in answer.stdout
    )
    assert answer.exit_code == 1
    assert not whole.calls("DescribeVpcs")


def test_one_reason_for_many_things_is_one_sentence_and_counts_each(monkeypatch):
    lines = [unasked("a", "denied", "Ask."), unasked("b", "denied", "Ask."), unasked("c", "away", "Wait.")]
    monkeypatch.setattr(command, "previewed", lambda _: declaring())
    monkeypatch.setattr(command, "examine", lambda *_: {"G": lines})
    told = doctor("--stack", "prod").stdout
    assert "Could not be asked: 3\n  G, a, b: denied. Ask.\n  G, c: away. Wait.\n" in told


def test_nothing_is_changed(whole):
    """Every call that it makes only reads."""
    doctor("--stack", "prod")
    reads = ("Describe", "Get", "List", "Head", "Simulate")
    assert {name for name, _ in whole.asked if not name.startswith(reads)} == set()


def test_a_group_that_breaks_leaves_the_others(whole, monkeypatch):
    def broken(*_):
        raise KeyError("Zones")

    monkeypatch.setattr(command.places, "check", broken)
    told = json.loads(doctor("--stack", "prod", "--json").stdout)
    assert [(each["group"], each["figure"]) for each in told["unasked"]] == [
        ("Region and zones", "KeyError: 'Zones'")
    ]


def test_offline_asks_no_account(whole):
    answer = doctor("--stack", "prod", "--offline", "--json")
    told = json.loads(answer.stdout)
    assert {each["group"] for each in told["lines"]} == {"Tools", "Stack"}
    assert {each["what"] for each in told["wrong"]} == {"image of core-matching", "image of worker-ai"}
    assert whole.asked == []


@pytest.mark.parametrize(
    ("lines", "code", "last"),
    [
        ([well("a"), note("b", "x")], 0, "Nothing stands in the way."),
        ([unasked("a", "x", "do"), well("b")], 2, "Nothing stands in the way."),
        ([wrong("a", "x", "do"), unasked("b", "y")], 1, "  G, a: x. do"),
    ],
)
def test_exit_codes(monkeypatch, lines, code, last):
    monkeypatch.setattr(command, "previewed", lambda _: declaring())
    monkeypatch.setattr(command, "examine", lambda *_: {"G": lines})
    answer = doctor("--stack", "prod")
    assert answer.exit_code == code
    assert answer.stdout.splitlines()[-1] == last


def test_a_stack_that_is_not_there():
    answer = doctor("--stack", "prud")
    assert answer.exit_code == 2
    assert "There is no stack prud of rentalfix" in answer.stderr
    assert "Did you mean prod?" in answer.stderr


def test_the_local_stack_is_about_this_machine():
    told = json.loads(doctor("--json").stdout)
    assert {each["group"] for each in told["lines"]} == {"Machine"}


# What would be declared


PROD = stacks.choose(ROOT, "rentalfix", ["prod"])[0]


@pytest.fixture
def preview(monkeypatch):
    def says(stdout="", stderr="", code=0):
        answer = SimpleNamespace(stdout=stdout, stderr=stderr, returncode=code)
        monkeypatch.setattr(declared.subprocess, "run", lambda *_, **__: answer)

    return says


def test_a_preview_that_says_nothing(preview):
    preview(stderr="The engine is not there. Run `make up`.", code=1)
    with pytest.raises(Refusal, match=r"its preview failed: The engine is not there\. Run `make up`\."):
        declared.previewed(PROD)


def test_a_preview_that_does_not_get_as_far_as_a_resource(preview):
    diagnostic = {"severity": "error", "message": "Pulumi.prod.yaml: account is missing"}
    preview(json.dumps({"steps": [], "diagnostics": [diagnostic]}), code=1)
    with pytest.raises(
        Refusal, match=r"declare nothing, since its preview failed: Pulumi\.prod\.yaml: account"
    ):
        declared.previewed(PROD)


def test_a_preview_that_the_policies_refuse_is_still_asked_about(preview):
    diagnostic = {"severity": "error", "message": "rds-encrypted: encrypt it"}
    steps = [resource("aws:ec2/vpc:Vpc", "network", cidrBlock="10.0.0.0/16")]
    preview(json.dumps({"steps": steps, "diagnostics": [diagnostic]}), code=1)
    found = line(expects.check(declared.previewed(PROD)), "preview")
    assert (found.state, found.figure) == (State.wrong, "rds-encrypted: encrypt it")


def test_a_preview_that_hangs(monkeypatch):
    def hang(*_, **__):
        raise subprocess.TimeoutExpired("preview", 1)

    monkeypatch.setattr(declared.subprocess, "run", hang)
    with pytest.raises(Refusal, match=r"did not end within 900 s"):
        declared.previewed(PROD)


@pytest.mark.engine
def test_the_engines_own_preview_tells_given_names_from_made_up_ones():
    found = declared.previewed(stacks.choose(ROOT, "ts-service", ["staging"])[0])
    assert expects._preview(found).state is State.well
    assert list(found.named("aws:rds/instance:Instance", "identifier"))
    assert list(found.named("aws:iam/role:Role", "name"))
    made_up = [
        each for each in found.all("aws:iam/role:Role") if "name" in each.state.inputs.get("__defaults", ())
    ]
    assert made_up
    given = {name for name, _ in found.named("aws:iam/role:Role", "name")}
    assert not given & {each.state.inputs["name"] for each in made_up}
    assert any(COMPONENT in each.urn for each in found.all("aws:iam/policy:Policy"))


def test_what_the_first_up_leaves_to_somebody():
    found = list(expects.check(real("prod")))
    secrets = line(found, "secrets")
    assert (
        secrets.figure
        == "empty after `up`: database-role-rentfix-app, database-role-rentfix-worker, sentry-dsn"
    )
    assert "`groundwork secrets put NAME`" in secrets.todo
    assert "`groundwork db bootstrap` makes logins of roles" in secrets.todo
    assert "oncall@rentfix.com (1), platform@rentfix.com (1)" in line(found, "e-mails").figure
    assert " USD a month at rest" in line(found, "cost").figure
    assert "at the prices" not in line(found, "cost").figure


def test_a_stack_that_leaves_nothing_to_anybody():
    found = list(expects.check(declaring(resource("aws:ec2/vpc:Vpc", "network", cidrBlock="10.0.0.0/16"))))
    assert line(found, "secrets").state is State.well
    assert line(found, "e-mails").state is State.well


# Tools


def on_path(monkeypatch, folder, **others):
    monkeypatch.setattr(tools, "BUILT", folder / "built")
    monkeypatch.setenv("PATH", str(programs(folder, **others)))
    return list(tools.check())


def test_every_tool_is_there(monkeypatch, tmp_path):
    assert states(on_path(monkeypatch, tmp_path)) == {State.well}


@pytest.mark.parametrize(
    ("others", "what", "state", "figure"),
    [
        ({"pulumi": None}, "pulumi", State.wrong, "not on PATH"),
        ({"pulumi": "echo v3.229.9"}, "pulumi", State.wrong, "3.229.9"),
        ({"pulumi": "exit 1"}, "pulumi", State.wrong, "tells no version"),
        ({"aws": None}, "aws", State.wrong, "not on PATH"),
        (
            {"aws": "echo aws-cli/1.45.11"},
            "aws",
            State.wrong,
            "1.45.11: version 1 does not know `aws configure sso`",
        ),
        ({"session_manager_plugin": None}, "session-manager-plugin", State.note, "not on PATH"),
        ({"docker": None}, "docker", State.note, "not on PATH"),
    ],
)
def test_a_tool_that_is_missing_or_too_old(monkeypatch, tmp_path, others, what, state, figure):
    found = line(on_path(monkeypatch, tmp_path, **others), what)
    assert (found.state, found.figure) == (state, figure)
    assert found.todo


def test_the_engine_that_make_built_is_not_on_path(monkeypatch, tmp_path):
    built = programs(tmp_path) / "built"
    (tmp_path / "pulumi").rename(built)
    monkeypatch.setattr(tools, "BUILT", built)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = line(tools.check(), "pulumi")
    assert found.state is State.note
    assert found.figure == "3.240.1, the one that `make` built, which is not on PATH"


def test_packages_are_those_of_the_lock(monkeypatch, tmp_path):
    assert tools.packages().state is State.well
    pins = "boto3==1.0.0 \\\n    --hash=sha256:0\nno-such-package==1.0\nonly-elsewhere==1 ; python_version < '3.0'\n"
    (tmp_path / "requirements.lock").write_text(pins)
    monkeypatch.setattr(tools, "ROOT", tmp_path)
    found = tools.packages()
    assert found.state is State.wrong
    assert "instead of 1.0.0, no-such-package missing instead of 1.0" in found.figure
    assert "only-elsewhere" not in found.figure


def test_python_itself(monkeypatch):
    assert tools.python().state is State.well
    monkeypatch.setattr(tools.sys, "version_info", (3, 10, 9))
    assert (tools.python().state, tools.python().figure) == (State.wrong, "3.10.9")


# The local stack's machine


@pytest.fixture
def port(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    monkeypatch.setenv(machine.PORT_VARIABLE, str(number))
    return number


@pytest.fixture
def answering(port):
    """Something that answers on the emulator's port."""
    servers = []

    def says(text):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)

    yield says
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_free_port(port):
    assert (machine._port().state, machine._port().figure) == (State.well, "free")


@pytest.mark.parametrize(
    ("text", "state", "figure"),
    [
        (json.dumps({"root": str(ROOT)}), State.well, "this checkout's emulator runs"),
        (
            json.dumps({"root": "/elsewhere"}),
            State.wrong,
            "the emulator of another checkout has it: /elsewhere",
        ),
        ("hello", State.wrong, "another program has it"),
        ("[]", State.wrong, "another program has it"),
    ],
)
def test_whose_the_port_is(answering, text, state, figure):
    answering(text)
    assert (machine._port().state, machine._port().figure) == (state, figure)


@pytest.mark.parametrize("text", ["many", "0", "65536"])
def test_a_port_that_is_none(monkeypatch, text):
    monkeypatch.setenv(machine.PORT_VARIABLE, text)
    assert machine._port().figure == f"GROUNDWORK_EMULATOR_PORT is {text!r}"


@pytest.mark.parametrize(
    ("free", "state"), [(machine.DISK_BYTES, State.well), (machine.DISK_BYTES - 1, State.wrong)]
)
def test_disk(monkeypatch, free, state):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert machine._disk().state is state


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (f"MemTotal: 9 kB\nMemAvailable: {machine.MEMORY_BYTES // 1024} kB\n", State.well),
        (f"MemAvailable: {machine.MEMORY_BYTES // 1024 - 1} kB\n", State.wrong),
        ("MemTotal: 9 kB\n", State.note),
    ],
)
def test_memory(monkeypatch, tmp_path, content, state):
    (tmp_path / "meminfo").write_text(content)
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    assert machine._memory().state is state


def test_memory_of_a_system_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "nowhere")
    assert machine._memory().state is State.note


@pytest.mark.parametrize(
    ("others", "state", "figure"),
    [
        ({}, State.well, "3.240.1"),
        (
            {"pulumi": "echo v3.1.0", "go": "echo go version go1.24.1 linux/amd64"},
            State.well,
            "`make up` builds it with Go 1.24.1",
        ),
        ({"pulumi": None, "go": None}, State.note, "not there, nor Go to build it with"),
    ],
)
def test_the_engine_of_the_local_stack(monkeypatch, tmp_path, others, state, figure):
    monkeypatch.setattr(tools, "BUILT", tmp_path / "built")
    monkeypatch.setenv("PATH", str(programs(tmp_path, **others)))
    assert (machine._engine().state, machine._engine().figure) == (state, figure)
