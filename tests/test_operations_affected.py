"""`groundwork affected`: which stacks a changed file affects, on small repositories and on this one's own files."""

import json
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from operations import affected, stack_files
from operations.affected import Scope
from tests.program import configuration
from tests.program import run as run_program

ROOT = Path(__file__).parent.parent
STACK_FILES = {
    "Pulumi.prod.yaml": "first",
    "Pulumi.local.yaml": "first",
    "systems/second/Pulumi.prod.yaml": "second",
    "systems/second/Pulumi.staging.yaml": "second",
    "systems/second/Pulumi.local.yaml": "second",
}
EVERYWHERE = {"prod", "local", "second-prod", "second-staging", "second-local"}


def write(root: Path, path: str, content: object) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")


def stack_file(system: str, **blocks: object) -> dict:
    """One that `pulumi stack init` has been at, with these blocks."""
    return {
        "secretsprovider": "awskms://alias/pulumi-state",
        "config": {
            "aws:region": "eu-west-1",
            "groundwork:system": system,
            "groundwork:environment": "prod",
            "groundwork:account": "111122223333",
            **{f"groundwork:{name}": block for name, block in blocks.items()},
        },
    }


def ci(environment: str) -> dict:
    return {"repository": "acme/platform", "environment": environment, "state": {"bucket": "state"}}


class Git:
    """A repository with two systems, the stacks of the first at its root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for system in ("first", "second"):
            write(root, f"systems/{system}/system.yaml", {"name": system})
        for path, system in STACK_FILES.items():
            write(root, path, stack_file(system))
        write(root, "policies/config/prod.json", "{}")
        self("init", "--quiet", "--initial-branch=main")
        self.start = self.commit()

    def __call__(self, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        command = ["git", "-C", str(self.root), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self("add", "--all")
        self("commit", "--quiet", "--allow-empty", "--message=change")
        return self("rev-parse", "HEAD")

    def change(self, path: str, content: object = "changed: true\n") -> str:
        write(self.root, path, content)
        return self.commit()


@pytest.fixture
def git(tmp_path, monkeypatch):
    monkeypatch.setattr(affected, "ROOT", tmp_path)
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/platform")
    return Git(tmp_path)


def run(*arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(affected.affected)
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == code, answer.output
    return answer.output


def matrix(*arguments: str) -> dict[str, dict]:
    include = json.loads(run("--format", "matrix", *arguments))["include"]
    return {entry["name"]: entry for entry in include}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("Pulumi.prod.yaml", {"prod"}),
        ("systems/second/Pulumi.staging.yaml", {"second-staging"}),
        ("systems/second/policies.prod.json", {"second-prod"}),
        ("policies.prod.json", {"prod"}),
        ("systems/first/system.yaml", {"prod", "local"}),
        ("systems/second/system.yaml", {"second-prod", "second-staging", "second-local"}),
        ("systems/second/README.md", set()),
        ("components/database.py", EVERYWHERE),
        ("components/handler/index.js", EVERYWHERE),
        ("settings/model/data.py", EVERYWHERE),
        ("wiring/edge.py", EVERYWHERE),
        ("__main__.py", EVERYWHERE),
        ("requirements.lock", EVERYWHERE),
        ("Pulumi.yaml", EVERYWHERE),
        ("policies/edge.py", EVERYWHERE),
        ("policies/README.md", set()),
        ("policies/config/prod.json", {"prod", "second-prod"}),
        ("local/emulator.py", {"local", "second-local"}),
        ("operations/affected.py", set()),
        ("docs/pipeline.md", set()),
        ("docs/examples/one.txt", set()),
        ("tests/test_layout.py", set()),
        (".github/workflows/deploy.yml", set()),
        ("README.md", set()),
        ("Makefile", set()),
        ("something/new.toml", EVERYWHERE),
        ("new.lock", EVERYWHERE),
        ("docs.py", EVERYWHERE),
    ],
)
def test_a_changed_file_affects_the_stacks_of_its_kind(git, path, names):
    if path == "policies/config/prod.json":
        git.change(path, '{"a": "disabled"}')
    elif "Pulumi." in path and path != "Pulumi.yaml":
        git.change(path, stack_file("second" if "second" in path else "first", more={"a": 1}))
    else:
        git.change(path)
    assert set(matrix("--base", git.start)) == names


def test_policies_of_its_own_take_a_stack_out_of_those_of_its_name(git):
    git.start = git.change("systems/second/policies.prod.json", "{}")
    git.change("policies/config/prod.json", '{"a": "disabled"}')
    assert set(matrix("--base", git.start)) == {"prod"}


def test_the_reasons_are_told_with_their_file(git):
    git.change("systems/second/system.yaml")
    git.change("systems/second/Pulumi.prod.yaml", stack_file("second", more=1))
    said = run("--base", git.start)
    assert said.startswith("3 of 5 stacks are affected.\n")
    assert (
        "second-prod (offline only)\n  systems/second/Pulumi.prod.yaml: its stack file\n"
        "  systems/second/system.yaml: what the product is\n"
    ) in said
    assert said.endswith("Not affected: prod, local\n") or said.endswith("Not affected: local, prod\n")


def test_many_reasons_are_the_first_and_a_number(git):
    for name in ("a", "b", "c", "d"):
        git.change(f"wiring/{name}.py")
    said = run("--base", git.start)
    assert "  wiring/a.py: the program\n  and 3 more, such as wiring/d.py: the program\n" in said


def test_a_change_that_affects_nothing_says_so(git):
    git.change("docs/pipeline.md")
    assert run("--base", git.start) == "0 of 5 stacks are affected.\n"
    assert run("--base", git.start, "--format", "matrix") == '{"include":[]}\n'


def test_json_names_every_stack(git):
    git.change("Pulumi.prod.yaml", stack_file("first", more=1))
    said = json.loads(run("--base", git.start, "--format", "json"))
    by_name = {entry["name"]: entry for entry in said["stacks"]}
    assert set(by_name) == EVERYWHERE
    assert by_name["prod"]["reasons"] == [{"file": "Pulumi.prod.yaml", "why": "its stack file"}]
    assert [name for name, entry in by_name.items() if entry["affected"]] == ["prod"]


def test_the_option_json_is_the_format_json_whatever_format_is_named(git):
    git.change("Pulumi.prod.yaml", stack_file("first", more=1))
    wanted = run("--base", git.start, "--format", "json")
    for more in ([], ["--format", "matrix"], ["--format", "text"]):
        assert run("--base", git.start, "--json", *more) == wanted


def test_a_branch_is_compared_with_where_it_began(git):
    git("checkout", "--quiet", "-b", "branch")
    git.change("Pulumi.prod.yaml", stack_file("first", more=1))
    git("checkout", "--quiet", "main")
    git.change("systems/second/system.yaml")
    git("checkout", "--quiet", "branch")
    assert set(matrix("--base", "main")) == {"prod"}
    assert set(matrix("--base", "main", "--head", "main")) == set()


@pytest.mark.parametrize("base", ["", "0" * 40, "f" * 40, "no-such-branch", "--output=x"])
def test_without_a_commit_to_compare_with_everything_counts_as_changed(git, base):
    assert set(matrix(f"--base={base}")) == EVERYWHERE
    assert "everything counts as changed" in run(f"--base={base}")


def test_a_head_that_git_does_not_know_is_refused(git):
    assert run("--base", "main", "--head", "nowhere", code=2).startswith(
        "git cannot compare main with nowhere"
    )


def test_a_stack_is_compared_with_what_runs_there(git, tmp_path):
    write(git.root, "systems/second/Pulumi.prod.yaml", stack_file("second", ci=ci("second")))
    git.start = git.change("Pulumi.prod.yaml", stack_file("first", ci=ci("production")))
    middle = git.change("systems/second/system.yaml")
    git.change("Pulumi.prod.yaml", stack_file("first", ci=ci("production"), more=1))
    deployed = tmp_path / "deployed.json"
    deployed.write_text(json.dumps({"second": git.start, "production": middle}), encoding="utf-8")
    found = matrix("--base", middle, "--deployed", str(deployed))
    assert set(found) == {"second-prod", "prod"}
    assert found["second-prod"]["deployed"] == git.start
    assert found["prod"]["deployed"] == middle


def test_what_was_taken_back_counts_where_it_still_runs(git, tmp_path):
    git.change("Pulumi.prod.yaml", stack_file("first", ci=ci("production")))
    git("checkout", "--quiet", "-b", "released")
    released = git.change("Pulumi.prod.yaml", stack_file("first", ci=ci("production"), more=1))
    git("checkout", "--quiet", "main")
    deployed = tmp_path / "deployed.json"
    deployed.write_text(json.dumps({"production": released}), encoding="utf-8")
    assert set(matrix("--base", "main", "--deployed", str(deployed))) == {"prod"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "cannot be read"),
        ("[]", "must hold one object from environment to commit"),
        ('{"a": 1}', "must hold one"),
    ],
)
def test_a_wrong_list_of_what_runs_is_refused(git, tmp_path, text, sentence):
    (tmp_path / "deployed.json").write_text(text, encoding="utf-8")
    assert sentence in run("--deployed", str(tmp_path / "deployed.json"), code=2)
    assert "cannot be read" in run("--deployed", str(tmp_path / "no-file"), code=2)


def test_an_own_image_tag_makes_a_task_run_ahead_of_the_services(git):
    git.start = git.change("Pulumi.prod.yaml", stack_file("first", tasks={"migrate": {"image_tag": "1.0.0"}}))
    git.change(
        "Pulumi.prod.yaml",
        stack_file(
            "first",
            tasks={"migrate": {"image_tag": "1.1.0"}, "seed": {"image_tag": "2"}, "other": {"retries": 1}},
        ),
    )
    assert matrix("--base", git.start)["prod"]["ahead"] == "migrate seed"
    git.start = git("rev-parse", "HEAD")
    git.change(
        "Pulumi.prod.yaml", stack_file("first", tasks={"migrate": {"image_tag": "1.1.0"}}, services={"a": 1})
    )
    assert matrix("--base", git.start)["prod"]["ahead"] == ""
    assert matrix()["prod"]["ahead"] == "migrate", "nothing is known of what ran before"


def test_on_kubernetes_the_program_runs_such_tasks_itself(git):
    git.change(
        "Pulumi.prod.yaml",
        stack_file("first", compute="kubernetes", tasks={"migrate": {"image_tag": "1.1.0"}}),
    )
    assert matrix("--base", git.start)["prod"]["ahead"] == ""


def test_the_matrix_has_what_a_job_needs(git):
    git.change("systems/second/Pulumi.prod.yaml", stack_file("second", ci=ci("second-production")))
    role = "arn:aws:iam::111122223333:role/_ci/second/prod/second-prod"
    assert matrix("--base", git.start) == {
        "second-prod": {
            "name": "second-prod",
            "system": "second",
            "stack": "prod",
            "config_file": "systems/second/Pulumi.prod.yaml",
            "policy_config": "policies/config/prod.json",
            "region": "eu-west-1",
            "deployed": "",
            "ahead": "",
            "github_environment": "second-production",
            "backend": "s3://state",
            "preview_role": f"{role}-preview",
            "deploy_role": f"{role}-deploy",
        }
    }


def test_stacks_can_be_chosen_by_where_they_stand_and_what_they_are(git):
    write(git.root, "Pulumi.prod.yaml", stack_file("first", ci=ci("production")))
    git.start = git.change("systems/second/Pulumi.prod.yaml", stack_file("second", ci=ci("second")))
    git.change("wiring/edge.py")
    base = ("--base", git.start)
    assert set(matrix(*base, "--where", "aws")) == {"prod", "second-prod"}
    assert set(matrix(*base, "--where", "offline")) == EVERYWHERE - {"prod", "second-prod"}
    assert set(matrix(*base, "--stack", "staging")) == {"second-staging"}
    assert set(matrix(*base, "--without", "local", "--without", "staging")) == {"prod", "second-prod"}
    assert "prod (stands on AWS)" in run(*base, "--where", "aws")


def test_on_request_every_stack_counts_as_affected(git):
    git.change("Pulumi.prod.yaml", stack_file("first", more=1))
    said = run("--base", git.start, "--every")
    assert "second-prod (offline only)\n  asked for\n" in said
    assert "prod (offline only)\n  Pulumi.prod.yaml: its stack file\n" in said
    assert set(matrix("--base", git.start, "--every")) == EVERYWHERE


OURS = {"repository": "acme/platform"}
STATE = {"bucket": "b"}


@pytest.mark.parametrize(
    ("of_stack", "of_system", "stands"),
    [
        ({**OURS, "environment": "e", "state": STATE}, None, True),
        ({"environment": "e"}, {**OURS, "state": STATE}, True),
        ({"environment": "e", "state": STATE}, {"repository": "acme/other"}, False),
        ({"environment": "e", "state": STATE}, None, False),
        ({"environment": "e"}, OURS, False),
        ({"state": STATE}, OURS, False),
        (None, {**OURS, "environment": "e", "state": STATE}, False),
        ({"environment": "e", "state": None}, {**OURS, "state": STATE}, False),
    ],
)
def test_a_stack_stands_on_aws_if_it_is_this_repositorys_and_names_environment_and_state(
    git, of_stack, of_system, stands
):
    write(git.root, "systems/first/system.yaml", {"name": "first", "ci": of_system})
    git.change("Pulumi.prod.yaml", stack_file("first", ci=of_stack))
    assert ("prod" in matrix("--where", "aws")) is stands


def test_a_stack_that_nobody_has_begun_is_offline(git):
    begun = stack_file("first", ci=ci("production"))
    git.change("Pulumi.prod.yaml", {key: value for key, value in begun.items() if key == "config"})
    assert set(matrix("--where", "aws")) == set()


def test_for_a_person_a_stack_of_any_repository_stands(git, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY")
    git.change("Pulumi.prod.yaml", stack_file("first", ci={**ci("production"), "repository": "acme/other"}))
    assert set(matrix("--where", "aws")) == {"prod"}
    assert set(matrix("--where", "aws", "--repository", "acme/platform")) == set()


def test_two_stacks_that_share_a_github_environment_are_refused(git):
    write(git.root, "systems/second/Pulumi.prod.yaml", stack_file("second", ci=ci("production")))
    git.change("Pulumi.prod.yaml", stack_file("first", ci=ci("production")))
    assert run(code=2) == (
        "ci.environment is production in prod and second-prod. Give each stack a GitHub environment of its own: it "
        "tells what is deployed where.\n"
    )


def test_the_roles_are_those_that_the_program_declares():
    config = configuration("prod") | {"groundwork:ci": ci("production")}
    content = {"config": config, "secretsprovider": "awskms://alias/pulumi-state"}
    standing = stack_files._standing("rentalfix", content, {}, "")
    roles = {
        f"arn:aws:iam::111122223333:role{role['path']}{role['name']}"
        for role in run_program("prod", config).all("aws:iam/role:Role")
        if role.get("name")
    }
    assert standing is not None
    assert {standing.preview_role, standing.deploy_role} <= roles


def test_a_stack_that_is_gone_is_told_and_does_not_count(git):
    (git.root / "systems/second/Pulumi.staging.yaml").unlink()
    git("rm", "--quiet", "-r", "systems/first")
    git.commit()
    said = run("--base", git.start)
    assert (
        "Of no stack that is here: systems/first/system.yaml, systems/second/Pulumi.staging.yaml. "
        "What such a stack made stands until it is destroyed."
    ) in said
    found = json.loads(run("--base", git.start, "--format", "json"))
    assert found["orphans"] == ["systems/first/system.yaml", "systems/second/Pulumi.staging.yaml"]


def test_a_stack_file_that_is_no_yaml_is_refused_by_name(git):
    git.change("systems/second/Pulumi.prod.yaml", "config: [")
    assert run("--base", git.start, code=2).startswith("systems/second/Pulumi.prod.yaml is no YAML: ")


def test_every_tracked_file_of_this_repository_is_of_a_known_kind():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    unknown = [
        path for path in tracked.stdout.split("\0") if path and affected.rule_of(path)[0] is affected.UNKNOWN
    ]
    assert not unknown


def test_no_rule_is_shadowed_by_an_earlier_one():
    examples = {
        Scope.stack: ["systems/a/Pulumi.b.yaml", "systems/a/policies.b.json", "Pulumi.a.yaml"],
        Scope.environment: ["policies/config/prod.json"],
        Scope.local: ["local/a.py"],
        Scope.system: ["systems/a/system.yaml"],
    }
    for scope, paths in examples.items():
        assert {affected.rule_of(path)[0].scope for path in paths} == {scope}


def test_this_repositorys_stacks_are_all_known_by_the_name_that_the_engine_gives_them():
    known = {stack.name: stack for stack in stack_files.known(ROOT, "")}
    assert known["prod"].system == "rentalfix"
    assert known["fixrx-prod"].config_file == "systems/fixrx/Pulumi.prod.yaml"
    files = [*ROOT.glob("Pulumi.*.yaml"), *ROOT.glob("systems/*/Pulumi.*.yaml")]
    assert {stack.config_file for stack in known.values()} == {
        path.relative_to(ROOT).as_posix() for path in files
    }
    assert all(stack.region for stack in known.values())
