"""The scripts of the workflows, run as they stand, with stand-ins for gh, pulumi, groundwork and curl that note their
calls. Nothing of GitHub or AWS is reached."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.real_programs import program

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$(basename "$0") $*" >> "$CALLS"
for answer in "$ANSWERS"/"$(basename "$0")"/*; do
  [ -e "$answer" ] || continue
  name=$(basename "$answer")
  case "$*" in *"${name//_/ }"*) cat "$answer"; exit "$(cat "$ANSWERS/codes/$name" 2> /dev/null || echo 0)" ;; esac
done
exit 0
"""


def script(file: str, step: str, job: str | None = None) -> str:
    """A step's script by the step's name, id or only script."""
    path = GITHUB / (f"workflows/{file}.yml" if job else f"actions/{file}/action.yml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = content["jobs"][job]["steps"] if job else content["runs"]["steps"]
    (found,) = (
        each["run"] for each in steps if "run" in each and step in (each.get("name"), each.get("id"), "")
    )
    return found


class Runner:
    """A machine of GitHub: a folder to work in, files for outputs and summary, programs that only note."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.answers = folder / "answers"
        self.temp = folder / "temp"
        self.calls = folder / "calls"
        self.output, self.summary, self.path = folder / "output", folder / "summary", folder / "path"
        for each in (self.folder, self.answers / "codes", self.temp, folder / "bin"):
            each.mkdir(parents=True)
        for name in ("gh", "pulumi", "groundwork", "curl", "make"):
            (folder / "bin" / name).write_text(STAND_IN, encoding="utf-8")
            (folder / "bin" / name).chmod(0o755)
        jq = program("jq")
        search = [str(folder / "bin"), str(jq.path.parent), os.environ["PATH"]]
        self.environment = {
            **jq.environment,
            "PATH": os.pathsep.join(search),
            "HOME": str(folder),
            "CALLS": str(self.calls),
            "ANSWERS": str(self.answers),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_PATH": str(self.path),
            "GITHUB_WORKSPACE": str(ROOT),
            "RUNNER_TEMP": str(self.temp),
        }

    def answer(self, name: str, arguments: str, text: object, code: int = 0) -> None:
        """What a program says when these words are among its own."""
        file = self.answers / name / arguments.replace(" ", "_")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        (self.answers / "codes" / file.name).write_text(str(code), encoding="utf-8")

    def run(self, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        file = self.temp / "step.sh"
        file.write_text(text, encoding="utf-8")
        return subprocess.run(
            ["bash", "-euo", "pipefail", str(file)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def called(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text(encoding="utf-8").splitlines())


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


# ---- pull-request-comment.yml

POST = {"GH_REPO": "acme/platform", "RUN_ID": "7", "NUMBER": "12", "IS_FORK": "false"}


def pull(sha):
    return {"number": 12, "head": {"sha": sha}}


@pytest.mark.parametrize(
    ("pulls", "number"), [([pull("other"), pull("abc")], "12"), ([pull("other")], ""), ([], "")]
)
def test_the_pull_request_is_the_one_whose_head_is_the_commit_that_ran(runner, pulls, number):
    runner.answer("gh", "--method GET", pulls)
    done = runner.run(
        script("pull-request-comment", "Which pull request", "post"),
        GH_REPO="acme/platform",
        HEAD="dana:feature",
        HEAD_SHA="abc",
    )
    assert done.returncode == 0, done.stderr
    assert runner.outputs() == {"number": number}
    assert "--raw-field head=dana:feature" in runner.called[0]


def post(runner, text="# Report\n", comments=(), **changes):
    (runner.folder / "made").mkdir()
    (runner.folder / "made" / "comment.md").write_text(text, encoding="utf-8")
    runner.answer("gh", "--paginate", json.dumps(list(comments[:1])) + json.dumps(list(comments[1:])))
    done = runner.run(script("pull-request-comment", "Comment", "post"), **{**POST, **changes})
    assert done.returncode == 0, done.stderr
    return (runner.folder / "body.md").read_text(encoding="utf-8")


def comment(number, login, body):
    return {"id": number, "user": {"login": login}, "body": body}


def test_a_first_comment_is_made_and_the_next_run_updates_it(runner):
    somebody = comment(1, "dana", "<!-- groundwork -->\nme too")
    body = post(runner, comments=[somebody])
    assert body == "<!-- groundwork -->\n# Report\n"
    assert runner.called[-1].startswith("gh api --method POST repos/acme/platform/issues/12/comments")


def test_the_comment_that_is_there_is_updated(runner):
    ours = comment(33, "github-actions[bot]", "<!-- groundwork -->\nold")
    post(runner, comments=[comment(1, "github-actions[bot]", "another bot's"), ours])
    assert runner.called[-1].startswith("gh api --method PATCH repos/acme/platform/issues/comments/33")


def test_the_text_of_a_fork_is_marked_and_calls_nobody(runner):
    body = post(runner, text="@acme/owners look\n", IS_FORK="true")
    assert body.splitlines() == [
        "<!-- groundwork -->",
        "> Made by the code of a fork, which may say what it likes.",
        "",
        "(at)acme/owners look",
    ]


def test_a_text_that_is_too_long_is_cut_at_a_whole_character(runner):
    body = post(runner, text="ü" * 40_000)
    assert len(body.encode()) <= 65_030
    assert set(body.splitlines()[1]) == {"ü"}


def test_a_run_without_a_comment_posts_nothing(runner):
    runner.answer("gh", "run download", "", code=1)
    done = runner.run(script("pull-request-comment", "Comment", "post"), **POST)
    assert done.returncode == 0
    assert len(runner.called) == 1


# ---- pull-request.yml


@pytest.mark.parametrize("gets_role", ["true", "false"])
def test_only_who_gets_a_role_has_previews_on_aws(runner, gets_role):
    runner.answer("groundwork", "--where aws", '{"include":[{"name":"prod"}]}')
    runner.answer("groundwork", "--where offline", '{"include":[{"name":"local"}]}')
    runner.answer("groundwork", "base-commit --format matrix", '{"include":[{"name":"all"}]}')
    done = runner.run(script("pull-request", "stacks", "affected"), BASE="base-commit", GETS_ROLE=gets_role)
    assert done.returncode == 0, done.stderr
    assert runner.outputs() == (
        {"aws": '{"include":[{"name":"prod"}]}', "offline": '{"include":[{"name":"local"}]}'}
        if gets_role == "true"
        else {"aws": '{"include":[]}', "offline": '{"include":[{"name":"all"}]}'}
    )
    assert runner.summary.read_text().startswith("~~~text\n")


MATRICES = {
    "AWS": '{"include":[{"name":"prod","system":"rentalfix","stack":"prod"}]}',
    "OFFLINE": '{"include":[{"name":"fixrx-local","system":"fixrx","stack":"local"}]}',
}


def test_every_affected_stack_is_judged_also_after_one_that_fails(runner):
    runner.answer("groundwork", "--system rentalfix", "", code=1)
    path = GITHUB / "workflows" / "pull-request.yml"
    (text,) = (
        step["run"]
        for step in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]["policies"]["steps"]
        if "run" in step
    )
    done = runner.run(text, **MATRICES)
    assert done.returncode == 1
    assert [call.split()[4:7:2] for call in runner.called] == [["rentalfix", "prod"], ["fixrx", "local"]]
    assert runner.called[1].endswith("--output out/fixrx-local.sarif")


def test_the_comment_expects_every_affected_stack(runner):
    done = runner.run(script("pull-request", "", "comment"), RUN_URL="https://run", **MATRICES)
    assert done.returncode == 0, done.stderr
    assert runner.called == [
        "groundwork comment reports --expect prod --expect fixrx-local --run-url https://run --output comment.md"
    ]
    runner.calls.unlink()
    empty = '{"include":[]}'
    runner.run(script("pull-request", "", "comment"), RUN_URL="https://run", AWS=empty, OFFLINE=empty)
    assert runner.called == ["groundwork comment reports --run-url https://run --output comment.md"]


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ("success success skipped success success", 0),
        ("success skipped failure success success", 1),
        ("failure skipped skipped skipped skipped", 1),
        ("success cancelled skipped success success", 1),
    ],
)
def test_the_verdict_is_good_only_where_nothing_failed(runner, results, code):
    assert runner.run(script("pull-request", "", "verdict"), RESULTS=results).returncode == code


# ---- deploy.yml, deploy-stack.yml


@pytest.mark.parametrize("every", ["", "--every"])
def test_a_stack_is_compared_with_the_newest_active_deployment_of_its_environment(runner, every):
    nodes = [
        {"environment": "production", "state": "ACTIVE", "commitOid": "old"},
        {"environment": "production", "state": "FAILURE", "commitOid": "broken"},
        {"environment": "staging", "state": "INACTIVE", "commitOid": "older"},
        {"environment": "production", "state": "ACTIVE", "commitOid": "new"},
    ]
    runner.answer("gh", "graphql", {"data": {"repository": {"deployments": {"nodes": nodes}}}})
    runner.answer("groundwork", "--stack staging", "S")
    runner.answer("groundwork", "--without staging --without local", "P")
    done = runner.run(
        script("deploy", "stacks", "affected"), OWNER="a", REPOSITORY="b", BASE="c", EVERY=every, QUERY="q"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((runner.temp / "deployed.json").read_text()) == {"production": "new"}
    assert runner.outputs() == {"staging": "S", "production": "P"}
    assert all(("--every" in call) is bool(every) for call in runner.called[1:])


def test_without_a_deployment_nothing_is_known_to_run(runner):
    runner.answer("gh", "graphql", {"data": {"repository": {"deployments": {"nodes": []}}}})
    done = runner.run(
        script("deploy", "stacks", "affected"), OWNER="a", REPOSITORY="b", BASE="c", EVERY="", QUERY="q"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((runner.temp / "deployed.json").read_text()) == {}


STACK = {"NAME": "fixrx-prod", "CONFIG_FILE": "systems/fixrx/Pulumi.prod.yaml", "POLICY_CONFIG": "p.json"}
OPTIONS = (
    "--non-interactive --stack fixrx-prod --config-file systems/fixrx/Pulumi.prod.yaml --policy-pack policies"
)


def here(runner):
    """The folder looks like a checkout to the scripts."""
    (runner.folder / ".github").mkdir()
    (runner.folder / ".github" / "pulumi").symlink_to(GITHUB / "pulumi")


def test_pulumi_gets_the_stacks_files_and_policies(runner):
    here(runner)
    runner.run(".github/pulumi up --yes", **STACK)
    runner.run(".github/pulumi up --yes", **{**STACK, "POLICY_CONFIG": ""})
    assert runner.called == [
        f"pulumi up {OPTIONS} --policy-pack-config p.json --yes",
        f"pulumi up {OPTIONS} --yes",
    ]


def test_a_release_with_a_migration_has_two_plans(runner):
    here(runner)
    done = runner.run(script("deploy-stack", "plan", "plan"), AHEAD="migrate seed", **STACK)
    assert done.returncode == 0, done.stderr
    assert runner.called[0].endswith("--save-plan out/plan.json")
    assert runner.called[1].endswith(
        "--target **::task-migrate --target **::task-migrate-* --target **::task-seed --target **::task-seed-* "
        "--save-plan out/ahead.json"
    )
    runner.calls.unlink()
    runner.run(script("deploy-stack", "plan", "plan"), AHEAD="", **STACK)
    assert len(runner.called) == 1


@pytest.mark.parametrize(
    ("summary", "changes"), [({"same": 4}, "0"), ({"same": 4, "update": 2, "replace": 1}, "3"), (None, "0")]
)
def test_what_stays_the_same_is_no_change(runner, summary, changes):
    (runner.folder / "out").mkdir()
    (runner.folder / "out" / "preview.json").write_text(json.dumps({"changeSummary": summary}))
    done = runner.run(script("deploy-stack", "changes", "plan"), OUTCOME="success", NAME="prod")
    assert done.returncode == 0, done.stderr
    assert runner.outputs() == {"changes": changes}


def test_without_a_plan_there_is_nothing_to_approve(runner):
    done = runner.run(script("deploy-stack", "changes", "plan"), OUTCOME="failure", NAME="prod")
    assert done.returncode == 1
    assert "No plan could be made of prod" in done.stdout


def test_what_the_pull_request_and_the_person_acknowledge_is_one_text_whatever_is_in_it(runner):
    runner.answer("gh", "--jq", "groundwork: replace database\nchanges=0\n")
    done = runner.run(
        script("deploy-stack", "acknowledged", "plan"),
        GIVEN="groundwork: destroy cache",
        GITHUB_REPOSITORY="acme/platform",
        GITHUB_SHA="abc",
    )
    assert done.returncode == 0, done.stderr
    first, *text, last = runner.output.read_text().splitlines()
    assert first == f"text<<{last}"
    assert text == ["groundwork: destroy cache", "groundwork: replace database", "changes=0"]


def update(head, **more):
    environment = {"git.head": head, "git.dirty": "false", **more.pop("environment", {})}
    return {"kind": "update", "result": "succeeded", "environment": environment, **more}


@pytest.mark.parametrize(
    ("history", "commit"),
    [
        ([update("b", result="failed"), update("a")], "a"),
        ([update("b", kind="refresh"), update("a")], "a"),
        ([update("b", environment={"pulumi.flag.target": "set"}), update("a")], "a"),
        ([update("b", environment={"git.dirty": "true"}), update("a")], ""),
        ([], ""),
    ],
)
def test_what_runs_is_the_newest_whole_update_of_committed_files(runner, history, commit):
    runner.answer("pulumi", "stack history", history)
    done = runner.run(script("deploy-stack", "now", "apply"), NAME="prod")
    assert done.returncode == 0, done.stderr
    assert runner.outputs() == {"commit": commit}


def migrate(runner):
    here(runner)
    (runner.temp / "rest.json").write_text("rest")
    return runner.run(script("deploy-stack", "Migrations", "apply"), AHEAD="migrate", **STACK)


def test_a_migration_is_declared_then_run_and_only_the_rest_is_left(runner):
    done = migrate(runner)
    assert done.returncode == 0, done.stderr
    temp = runner.temp
    assert runner.called == [
        f"pulumi up {OPTIONS} --policy-pack-config p.json --yes --target **::task-migrate --target **::task-migrate-* "
        f"--plan {temp}/ahead.json",
        "pulumi stack output --stack fixrx-prod --json",
        f"groundwork run migrate --outputs {temp}/outputs.json",
        f"groundwork plan-rest {temp}/plan.json {temp}/ahead.json --output {temp}/rest.json",
    ]
    assert (temp / "plan.json").read_text() == "rest"


def test_a_migration_that_fails_leaves_the_plan_as_it_was_and_stops(runner):
    runner.answer("groundwork", "run migrate", "", code=1)
    assert migrate(runner).returncode == 1
    assert not (runner.temp / "plan.json").exists()


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_way_back_applies_the_commit_before_from_its_own_files(runner):
    here(runner)
    git(runner.folder, "init", "--quiet")
    (runner.folder / "program").write_text("good")
    git(runner.folder, "add", ".")
    git(runner.folder, "commit", "--quiet", "--message=good")
    good = git(runner.folder, "rev-parse", "HEAD")
    (runner.folder / "program").write_text("bad")
    git(runner.folder, "commit", "--quiet", "--all", "--message=bad")
    done = runner.run(script("deploy-stack", "Roll back", "apply"), COMMIT=good, **STACK)
    assert done.returncode == 0, done.stderr
    assert (runner.temp / "previous" / "program").read_text() == "good"
    assert runner.called[:2] == [
        "make setup",
        f"pulumi up {OPTIONS} --policy-pack-config p.json --yes --skip-preview --refresh",
    ]
    assert runner.called[-1] == f"groundwork probe --outputs {runner.temp}/outputs.json"
    assert f"fixrx-prod runs {good} again" in done.stdout


@pytest.mark.parametrize("commit", ["", "0123456789012345678901234567890123456789"])
def test_without_a_commit_to_go_back_to_it_says_so(runner, commit):
    git(runner.folder, "init", "--quiet")
    done = runner.run(script("deploy-stack", "Roll back", "apply"), COMMIT=commit, **STACK)
    assert done.returncode == 1
    assert "What ran before is no commit of this repository" in done.stdout
    assert runner.called == []


# ---- nightly.yml


@pytest.mark.parametrize(("code", "kept"), [(0, ""), (1, "- **drift**\n")])
def test_what_the_night_finds_is_kept_and_nothing_else(runner, code, kept):
    runner.answer("groundwork", "nightly", "- **drift**\n" if code else "Nothing needs anybody.\n", code=code)
    done = runner.run(script("nightly", "Look", "look"), **STACK)
    assert done.returncode == 0, done.stderr
    assert (runner.folder / "out" / "fixrx-prod.md").read_text() == kept


@pytest.mark.parametrize(("name", "arguments"), [("pulumi", "refresh"), ("groundwork", "nightly")])
def test_a_check_that_cannot_be_made_fails_the_job(runner, name, arguments):
    runner.answer(name, arguments, "", code=2)
    assert runner.run(script("nightly", "Look", "look"), **STACK).returncode == 2


@pytest.mark.parametrize(("code", "result", "kept"), [(0, 0, ""), (1, 0, "soon"), (2, 2, "soon")])
def test_exemptions_that_end_are_kept(runner, code, result, kept):
    runner.answer("groundwork", "policy exemptions", "soon", code=code)
    assert runner.run(script("nightly", "Exemptions", "stacks")).returncode == result
    assert (runner.folder / "out" / "policies.md").read_text() == kept


def tell(runner, *, number="", failed="false", **found):
    (runner.folder / "found").mkdir()
    for name, text in found.items():
        (runner.folder / "found" / f"{name}.md").write_text(text)
    runner.answer("gh", "issue list", number)
    done = runner.run(script("nightly", "", "tell"), RUN_URL="https://run", FAILED=failed)
    assert done.returncode == 0, done.stderr
    issue = runner.folder / "issue.md"
    return runner.called[-1], issue.read_text() if issue.exists() else ""


def test_what_was_found_opens_one_issue(runner):
    call, text = tell(runner, prod="- **images**: old\n", policies="", staging="- **drift**: x\n")
    assert call.startswith("gh issue create --title Nightly checks have found something --label nightly")
    assert "### prod\n\n- **images**: old\n\n### staging\n\n- **drift**: x\n" in text
    assert "policies" not in text


def test_the_issue_that_is_open_is_written_anew(runner):
    call, _ = tell(runner, number="5", prod="- **images**: old\n")
    assert call.startswith("gh issue edit 5 --body-file issue.md")


def test_when_nothing_is_left_the_issue_is_closed(runner):
    call, _ = tell(runner, number="5", prod="")
    assert call == "gh issue close 5 --comment Nothing is left: https://run"


def test_when_nothing_was_found_and_none_is_open_nothing_is_done(runner):
    call, _ = tell(runner)
    assert call.startswith("gh issue list")


def test_a_check_that_stopped_is_told_too(runner):
    call, text = tell(runner, failed="true")
    assert call.startswith("gh issue create")
    assert "A check stopped before its end: [the run](https://run) says which." in text


# ---- actions


def test_an_engine_with_another_digest_is_not_unpacked(runner):
    steps = yaml.safe_load((GITHUB / "actions/setup/action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    (step,) = (each for each in steps if each.get("if") == "inputs.engine == 'official'")
    (runner.temp / "pulumi.tar.gz").write_text("something else")
    done = runner.run(step["run"], **step["env"])
    assert done.returncode == 1
    assert "pulumi.tar.gz: FAILED" in done.stdout
    assert not runner.path.exists()
    assert f"/v{step['env']['VERSION']}/pulumi-v{step['env']['VERSION']}-linux-x64.tar.gz" in runner.called[0]


@pytest.mark.parametrize("code", [0, 3, 2])
def test_a_report_that_blocks_is_shown_and_fails_only_after_it_was_kept(runner, code):
    (runner.folder / "out").mkdir()
    (runner.folder / "out" / "prod.md").write_text("# Report\n")
    runner.answer("groundwork", "report", "", code=code)
    steps = yaml.safe_load((GITHUB / "actions/report/action.yml").read_text(encoding="utf-8"))["runs"][
        "steps"
    ]
    made, kept, judged = steps
    done = runner.run(made["run"], NAME="prod", SYSTEM="rentalfix", STACK="prod")
    assert done.returncode == 0, done.stderr
    assert runner.summary.read_text() == "# Report\n"
    assert runner.outputs() == {"code": str(code)}
    assert "upload-artifact" in kept["uses"]
    done = runner.run(judged["run"], CODE=str(code))
    assert done.returncode == code
    assert ("nobody has acknowledged it" in done.stdout) is (code == 3)
