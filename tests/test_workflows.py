"""The workflows of .github: what no linter asks. actionlint and shellcheck are a check of `make test` by themselves."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import __main__ as local_commands
from local import engine, go_tool, workflows
from local.steps import Failure, Steps
from tests.operator_calls import Call, trouble
from tests.real_programs import program

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: path for path in sorted(GITHUB.glob("workflows/*.yml"))}
ACTIONS = {path.parent.name: path for path in sorted(GITHUB.glob("actions/*/action.yml"))}
FILES = {**WORKFLOWS, **{f"action {name}": path for name, path in ACTIONS.items()}}
PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<digest>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
STRICT = "bash -euo pipefail {0}"

# A further one is code of somebody else's in a job that may hold a role.
ALLOWED_ACTIONS = {
    "actions/cache",
    "actions/checkout",
    "actions/download-artifact",
    "actions/setup-python",
    "actions/upload-artifact",
    "aws-actions/configure-aws-credentials",
}
# What a job may do beyond reading the files, by workflow and job.
ALLOWED_PERMISSIONS = {
    ("deploy", "affected"): {"deployments": "read"},
    ("deploy", "staging"): {"id-token": "write", "pull-requests": "read"},
    ("deploy", "production"): {"id-token": "write", "pull-requests": "read"},
    ("deploy-stack", "plan"): {"id-token": "write", "pull-requests": "read"},
    ("deploy-stack", "apply"): {"id-token": "write"},
    ("nightly", "look"): {"id-token": "write"},
    ("nightly", "tell"): {"issues": "write"},
    ("pull-request", "preview"): {"id-token": "write"},
    ("pull-request-comment", "post"): {"actions": "read", "pull-requests": "write"},
}


def content(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def triggers(workflow: dict[Any, Any]) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for true.
    return workflow[True]


JOBS = [(name, job, body) for name, path in WORKFLOWS.items() for job, body in content(path)["jobs"].items()]
# Every job that runs steps; the others call a workflow.
RUNNING = [(name, job, body) for name, job, body in JOBS if "uses" not in body]
STEPS = [(f"{name}: {job}", step) for name, job, body in RUNNING for step in body["steps"]] + [
    (f"action {name}", step) for name, path in ACTIONS.items() for step in content(path)["runs"]["steps"]
]
SCRIPTS = [(where, step["run"]) for where, step in STEPS if "run" in step]


def named(cases: list[tuple]) -> list[str]:
    return [": ".join(part for part in case if isinstance(part, str) and "\n" not in part) for case in cases]


def uses(body: dict[str, Any]) -> list[str]:
    """The actions of a job, without their digests."""
    return [step["uses"].partition("@")[0] for step in body["steps"] if "uses" in step]


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_every_action_is_pinned_by_digest_with_its_version_beside_it(path):
    lines = [line.strip().removeprefix("- ") for line in path.read_text(encoding="utf-8").splitlines()]
    used = [line.removeprefix("uses: ") for line in lines if line.startswith("uses: ")]
    for line in used:
        if line.startswith("./"):
            continue
        found = PINNED.fullmatch(line)
        assert found, f"{line}: name the commit and the version, as in actions/checkout@<40 digits> # v7.0.1"
        assert found["action"] in ALLOWED_ACTIONS
    assert len(used) == path.read_text(encoding="utf-8").count("uses: ")


def test_an_action_has_one_version_everywhere():
    pins = {
        found.group("action", "digest", "version")
        for path in FILES.values()
        for found in PINNED.finditer(path.read_text(encoding="utf-8"))
    }
    assert len({action for action, _, _ in pins}) == len(pins) == len(ALLOWED_ACTIONS)


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_there_are_no_secrets_and_no_long_lived_keys(path):
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "secrets: inherit" not in text
    assert not re.search(r"aws-(?:access-key-id|secret-access-key)|AWS_(?:ACCESS_KEY_ID|SECRET)", text)


@pytest.mark.parametrize("path", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_may_nothing_that_no_job_asks_for(path):
    assert content(path)["permissions"] == {}


@pytest.mark.parametrize(("name", "job", "body"), JOBS, ids=named(JOBS))
def test_a_job_may_read_the_files_and_what_this_table_allows(name, job, body):
    given = dict(body["permissions"])
    assert given.pop("contents", "read") == "read"
    assert given == ALLOWED_PERMISSIONS.get((name, job), {})


@pytest.mark.parametrize(("name", "job", "body"), JOBS, ids=named(JOBS))
def test_a_job_that_can_take_a_role_never_runs_for_a_fork(name, job, body):
    if "id-token" not in body["permissions"]:
        return
    started_by = set(triggers(content(WORKFLOWS[name])))
    assert started_by <= {"push", "schedule", "workflow_call", "workflow_dispatch", "pull_request"}
    if "pull_request" in started_by:
        condition = " ".join(body["if"].split())
        assert condition.startswith(
            "github.event.pull_request.head.repo.full_name == github.repository "
            "&& github.event.pull_request.user.login != 'dependabot[bot]' && "
        )
        assert "||" not in condition


@pytest.mark.parametrize(("name", "job", "body"), RUNNING, ids=named(RUNNING))
def test_only_a_job_that_may_ask_for_a_token_takes_a_role_and_it_shares_no_cache(name, job, body):
    takes_role = "aws-actions/configure-aws-credentials" in uses(body)
    assert takes_role is ("id-token" in body["permissions"])
    engines = [
        step["with"]["engine"] for step in body["steps"] if step.get("uses") == "./.github/actions/setup"
    ]
    assert not takes_role or engines == ["official"]
    assert "actions/cache" not in uses(body)


def test_who_may_deploy_runs_in_the_stacks_environment_only():
    takers = {
        (name, job): step["with"]["role-to-assume"]
        for name, job, body in RUNNING
        for step in body["steps"]
        if step.get("uses", "").startswith("aws-actions/")
    }
    deploying = [where for where, role in takers.items() if "deploy_role" in role]
    assert deploying == [("deploy-stack", "apply")]
    assert all("preview_role" in role for where, role in takers.items() if where not in deploying)
    apply = content(WORKFLOWS["deploy-stack"])["jobs"]["apply"]
    assert apply["environment"] == "${{ fromJSON(inputs.stack).github_environment }}"
    assert "pull_request" not in triggers(content(WORKFLOWS["deploy"]))


@pytest.mark.parametrize("path", WORKFLOWS.values(), ids=WORKFLOWS)
def test_code_of_a_pull_request_never_meets_a_token_that_may_write(path):
    started_by = triggers(content(path))
    assert "pull_request_target" not in started_by
    if "workflow_run" not in started_by:
        return
    for body in content(path)["jobs"].values():
        assert uses(body) == [], "it would run what the pull request brings"
        for step in body["steps"]:
            words = re.findall(r"(?m)(?:^|[|;&(]|\$\()\s*([\w./-]+)", step["run"])
            assert not {"make", "python", "python3", "groundwork", "bash", "sh", "eval", "source"} & set(
                words
            )
            assert "made/comment.md" in step["run"] or "download" not in step["run"]


@pytest.mark.parametrize(("name", "job", "body"), RUNNING, ids=named(RUNNING))
def test_every_job_has_an_end_and_a_system_that_does_not_change_by_itself(name, job, body):
    assert 0 < body["timeout-minutes"] <= 120
    assert body["runs-on"] == "ubuntu-24.04"


@pytest.mark.parametrize(("where", "step"), STEPS, ids=range(len(STEPS)))
def test_a_checkout_leaves_no_token_behind(where, step):
    if step.get("uses", "").startswith("actions/checkout@"):
        assert step["with"]["persist-credentials"] is False
        assert "ref" not in step["with"]


@pytest.mark.parametrize(("where", "script"), SCRIPTS, ids=range(len(SCRIPTS)))
def test_nothing_is_pasted_into_a_script(where, script):
    """`${{ }}` in a script is put there as text before a shell reads it: a title or a branch could be a command."""
    assert "${{" not in script, f"{where}: give it through env"


def test_every_script_stops_at_its_first_failure():
    for path in WORKFLOWS.values():
        assert content(path)["defaults"]["run"]["shell"] == STRICT
    assert [where for where, step in STEPS if step.get("shell", STRICT) != STRICT] == []
    inside = [step for where, step in STEPS if where.startswith("action ") and "run" in step]
    assert inside
    assert all("shell" in step for step in inside)


@pytest.mark.parametrize("path", WORKFLOWS.values(), ids=WORKFLOWS)
def test_runs_that_would_meet_wait_or_give_way(path):
    workflow = content(path)
    for job, body in workflow["jobs"].items():
        matrix = body.get("strategy", {}).get("matrix")
        if matrix:
            assert body["strategy"]["fail-fast"] is False, f"{job}: one stack must not end another"
            assert "${{ matrix.name }}" in body["concurrency"]["group"]
    assert "concurrency" in workflow or path.stem in ("deploy", "deploy-stack")


def test_the_workflow_that_posts_follows_one_that_is_there():
    followed = triggers(content(WORKFLOWS["pull-request-comment"]))["workflow_run"]["workflows"]
    assert followed == [content(WORKFLOWS["pull-request"])["name"]]


def test_the_verdict_waits_for_every_job_of_a_pull_request():
    jobs = content(WORKFLOWS["pull-request"])["jobs"]
    assert set(jobs["verdict"]["needs"]) == set(jobs) - {"verdict"}
    assert jobs["verdict"]["if"] == "always()"


def test_a_deployment_is_never_cancelled_half_way():
    for name in ("staging", "production"):
        job = content(WORKFLOWS["deploy"])["jobs"][name]
        assert job["concurrency"] == {"group": "deploy-${{ matrix.name }}", "cancel-in-progress": False}
        assert job["uses"] == "./.github/workflows/deploy-stack.yml"


def test_production_comes_after_staging_and_never_after_a_failure():
    production = content(WORKFLOWS["deploy"])["jobs"]["production"]
    assert production["needs"] == ["affected", "staging"]
    assert production["if"].startswith("${{ !cancelled() && !failure() && ")


def test_what_is_applied_is_what_was_planned():
    jobs = content(WORKFLOWS["deploy-stack"])["jobs"]
    scripts = {step["name"]: step["run"] for step in jobs["apply"]["steps"] if "run" in step}
    assert "--save-plan out/plan.json" in jobs["plan"]["steps"][3]["run"]
    ups = [line for script in scripts.values() for line in script.splitlines() if "pulumi up" in line]
    assert [name for name, script in scripts.items() if "pulumi up" in script] == ["Migrations", "Apply"]
    assert all("--plan" in line for line in ups)
    order = list(scripts)
    assert order == ["What runs now", "Migrations", "Apply", "Verify", "Roll back"]


def invocations(script: str, command: str) -> list[list[str]]:
    """The words of each call of a command, a line each, up to what ends it."""
    joined = re.sub(r"\\\n\s*", " ", script)
    found = re.findall(rf"(?m)(?:^|[\s(;&|])({re.escape(command)}\s+[a-z][^\n;|)]*)", joined)
    return [shlex.split(line.split(" > ")[0].split(" < ")[0], comments=True) for line in found]


GROUNDWORK = [(where, words) for where, script in SCRIPTS for words in invocations(script, "groundwork")]


@pytest.mark.parametrize(("where", "words"), GROUNDWORK, ids=[" ".join(words[:3]) for _, words in GROUNDWORK])
def test_every_command_of_groundwork_exists_with_its_options(where, words):
    typed = [word for word in words if "[@]" not in word]  # an array of options is what a shell knows
    assert trouble(Call(tuple(typed), is_whole=True)) == "", where


def test_the_commands_of_the_pipeline_are_among_them():
    names = {words[1] for _, words in GROUNDWORK}
    assert names == {"affected", "comment", "nightly", "plan-rest", "policy", "probe", "report", "run"}


def test_every_make_target_and_local_command_exists():
    targets = re.findall(r"(?m)^([a-z ]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    known = {name for line in targets for name in line.split()}
    made = [words[1] for _, script in SCRIPTS for words in invocations(script, "make")]
    assert made
    assert set(made) <= known
    called = [words[3:] for _, script in SCRIPTS for words in invocations(script, "python -m local")]
    assert called
    for words in called:
        local_commands.parser().parse_args(words)


def test_files_that_scripts_run_are_there_and_executable():
    named_files = {
        word for _, script in SCRIPTS for word in re.findall(r"(?<![\w/])\.(?:github|ci)/\w+", script)
    }
    assert named_files == {".github/pulumi", ".ci/run"}
    for name in named_files:
        assert (ROOT / name).stat().st_mode & 0o111


def test_the_engine_of_the_pipeline_is_the_one_that_is_tested():
    text = ACTIONS["setup"].read_text(encoding="utf-8")
    assert f"VERSION: {engine.VERSION_TEXT.removeprefix('v')}\n" in text
    assert re.search(r"DIGEST: [0-9a-f]{64}\n", text)


def test_scripts_that_actionlint_does_not_read_pass_shellcheck(tmp_path):
    files = [GITHUB / "pulumi"]
    for number, (_, script) in enumerate(case for case in SCRIPTS if case[0].startswith("action ")):
        files.append(tmp_path / str(number))
        files[-1].write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{script}", encoding="utf-8")
    assert len(files) > len(ACTIONS)
    found = program("shellcheck")
    environment = {**os.environ, **found.environment}
    done = subprocess.run([found.path, *files], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one workflow, and a stand-in for actionlint that notes how it was called."""
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "a.yml").touch()
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "go.mod").write_bytes((ROOT / "local" / "go.mod").read_bytes())
    folder = tmp_path / ".local" / "bin"
    folder.mkdir(parents=True)
    (folder / ".actionlint-built-from").write_text(workflows.tool(tmp_path).version, encoding="utf-8")
    (folder / "actionlint").write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexit $CODE\n', encoding="utf-8"
    )
    (folder / "actionlint").chmod(0o755)
    monkeypatch.setenv("CODE", "0")
    monkeypatch.setenv("CI", "")
    return tmp_path


def no_shellcheck(*_):
    raise Failure("shellcheck is not here.")


def test_the_check_hands_every_workflow_to_actionlint(checkout, monkeypatch, capsys):
    monkeypatch.setattr(workflows.debian, "have", lambda *_: workflows.debian.Program(path=Path("/bin/sc")))
    workflows.check(checkout, Steps())
    called = (checkout / "called").read_text().split()
    assert called == ["-pyflakes=", "-shellcheck=/bin/sc", str(checkout / ".github" / "workflows" / "a.yml")]
    monkeypatch.setenv("CODE", "1")
    with pytest.raises(Failure, match="actionlint does not accept the workflows"):
        workflows.check(checkout, Steps())


def test_without_shellcheck_it_says_so_and_in_ci_it_fails(checkout, monkeypatch, capsys):
    monkeypatch.setattr(workflows.debian, "have", no_shellcheck)
    workflows.check(checkout, Steps())
    assert "The scripts in the workflows are not checked: shellcheck is not here." in capsys.readouterr().out
    assert "-shellcheck= " in (checkout / "called").read_text()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Failure, match="shellcheck is not here"):
        workflows.check(checkout, Steps())


def test_without_a_workflow_nothing_is_in_order(checkout):
    (checkout / ".github" / "workflows" / "a.yml").unlink()
    with pytest.raises(Failure, match="There is no workflow"):
        workflows.check(checkout, Steps())


def test_actionlint_is_a_tool_of_the_module_beside_the_engine():
    text = (ROOT / "local" / "go.mod").read_text(encoding="utf-8")
    for tool in (engine.TOOL, workflows.tool(ROOT)):
        assert f"\t{tool.package}\n" in text
    assert go_tool.pinned(ROOT, "github.com/pulumi/pulumi/pkg/v3") == engine.VERSION_TEXT
    with pytest.raises(ValueError, match=r"requires no github\.com/nobody/nothing"):
        go_tool.pinned(ROOT, "github.com/nobody/nothing")
