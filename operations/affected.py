"""Which stacks a change affects, read from the files that it changes: `groundwork affected`."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from operations import stack_files
from operations.exits import refuse
from operations.platform import JsonFormatOption
from operations.stack_files import Refusal, Stack

ROOT = Path(__file__).resolve().parent.parent

# What GitHub names as the commit before the first one of a branch.
NOTHING = "0" * 40


class Scope(StrEnum):
    """Whom a changed file affects."""

    stack = "the stack that the file names"
    system = "every stack of the system"
    environment = "every stack of that name"
    local = "the local stacks, which stand in the emulator"
    every = "every stack"
    none = "no stack"


@dataclass(frozen=True)
class Rule:
    """Files whose whole path matches `pattern`; groups `system` and `stack` say which."""

    pattern: str
    scope: Scope
    why: str


# The first that matches counts. A file that none of them knows affects every stack.
RULES: Sequence[Rule] = (
    Rule(r"(?:.*/)?[^/]+\.md", Scope.none, "text for people"),
    Rule(r"systems/(?P<system>[^/]+)/Pulumi\.(?P<stack>[^/]+)\.yaml", Scope.stack, "its stack file"),
    Rule(r"systems/(?P<system>[^/]+)/policies\.(?P<stack>[^/]+)\.json", Scope.stack, "its policies' levels"),
    Rule(r"systems/(?P<system>[^/]+)/.*", Scope.system, "what the product is"),
    Rule(r"Pulumi\.(?P<stack>[^/]+)\.yaml", Scope.stack, "its stack file"),
    Rule(r"policies\.(?P<stack>[^/]+)\.json", Scope.stack, "its policies' levels"),
    Rule(r"Pulumi\.yaml", Scope.every, "the project"),
    Rule(r"(?:components|settings|wiring)/.*|__main__\.py", Scope.every, "the program"),
    Rule(r"requirements\.lock", Scope.every, "the packages that the program runs on"),
    Rule(r"policies/config/(?P<stack>[^/]+)\.json", Scope.environment, "its policies' levels"),
    Rule(r"policies/.*", Scope.every, "the policies that judge it"),
    Rule(r"local/.*", Scope.local, "the emulator and its providers"),
    Rule(r"operations/.*", Scope.none, "the operator's command"),
    Rule(r"(?:docs|tests)/.*", Scope.none, "documents and tests"),
    Rule(r"\.(?:github|ci)/.*", Scope.none, "the pipeline"),
    Rule(
        r"Makefile|pyproject\.toml|requirements\.in|\.gitignore", Scope.none, "commands and settings of tools"
    ),
)
UNKNOWN = Rule(r".*", Scope.every, "a kind of file that nobody has told me of")


@dataclass(frozen=True)
class Reason:
    """`file` is a path from the repository's root; empty where it is not about one."""

    file: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.why}" if self.file else self.why


@dataclass(frozen=True, kw_only=True)
class Affected:
    """`deployed` is the commit that runs there (empty: none known); `ahead` are tasks that run before the services."""

    stack: Stack
    reasons: Sequence[Reason]
    deployed: str = ""
    ahead: Sequence[str] = field(default=())


def rule_of(path: str) -> tuple[Rule, Mapping[str, str]]:
    """The rule for a changed file, and what its path names."""
    for rule in RULES:
        found = re.fullmatch(rule.pattern, path)
        if found:
            return rule, found.groupdict()
    return UNKNOWN, {}


def reaches(rule: Rule, named: Mapping[str, str], stack: Stack) -> bool:
    match rule.scope:
        case Scope.every:
            return True
        case Scope.none:
            return False
        case Scope.local:
            return stack.is_local
        case Scope.system:
            return stack.system == named["system"]
        case Scope.environment:
            return stack.policy_config == f"policies/config/{named['stack']}.json"
        case Scope.stack:
            # A stack file at the top is of the system that it names itself.
            own = f"{named['system']}-{named['stack']}" if "system" in named else named["stack"]
            return stack.name == own


def reasons(stack: Stack, files: Iterable[str]) -> list[Reason]:
    """Why these changed files affect the stack; empty where they do not."""
    found = [(path, *rule_of(path)) for path in files]
    return [Reason(path, rule.why) for path, rule, named in found if reaches(rule, named, stack)]


def orphans(known: Sequence[Stack], files: Iterable[str]) -> list[str]:
    """Changed files of a stack or a system that is not there (any more): what it made may still stand."""
    return [
        path
        for path in files
        for rule, named in [rule_of(path)]
        if rule.scope in (Scope.stack, Scope.system) and not any(reaches(rule, named, each) for each in known)
    ]


class Repository:
    """What git says of the commits that are compared with `head`."""

    def __init__(self, root: Path, head: str) -> None:
        self.root = root
        self.head = head

    def changed(self, base: str, *, both_sides: bool) -> list[str] | None:
        """The files that differ; None where git does not know `base`.

        `both_sides`: from `base` itself, which is what runs; else from where `head` left it: what a branch did.
        """
        if base in ("", NOTHING):
            return None
        if self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}").returncode:
            return None
        compared = f"{base}{'..' if both_sides else '...'}{self.head}"
        answer = self._git("diff", "--name-only", "--no-renames", "-z", compared, "--")
        if answer.returncode:
            raise Refusal(f"git cannot compare {base} with {self.head}: {answer.stderr.strip()}")
        return [path for path in answer.stdout.split("\0") if path]

    def at(self, commit: str, path: str) -> str | None:
        """A file as it was; None where it was not there."""
        answer = self._git("show", f"{commit}:{path}")
        return None if answer.returncode else answer.stdout

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def ahead(stack: Stack, repository: Repository, base: str) -> list[str]:
    """Tasks whose own image tag is another one than at `base`: a migration that runs before its release."""
    before = repository.at(base, stack.config_file) if base else None
    config = stack_files.config_of(before, stack.config_file) if before else {}
    tags = stack_files.task_tags(config)
    return [name for name, tag in stack.tags.items() if tags.get(name) != tag]


def judge(
    known: Sequence[Stack],
    repository: Repository,
    base: str,
    deployed: Mapping[str, str],
    *,
    every: bool = False,
) -> list[Affected]:
    """Every stack with its reasons, none where it is not affected; `every` affects all of them.

    A stack is compared with the commit that runs there, where `deployed` says it of its GitHub environment, and else
    with `base`.
    """
    runs = {
        stack.name: deployed.get(stack.standing.github_environment, "") for stack in known if stack.standing
    }
    return [_judged(stack, repository, base, runs.get(stack.name, ""), every) for stack in known]


def _judged(stack: Stack, repository: Repository, base: str, deployed: str, every: bool) -> Affected:
    since = deployed or base
    files = repository.changed(since, both_sides=bool(deployed))
    if files is None:
        unknown = f"git does not know {since}" if since.strip("0") else "there is no commit to compare with"
        why = [Reason("", f"{unknown}, so everything counts as changed")]
    else:
        why = reasons(stack, files) or ([Reason("", "asked for")] if every else [])
    tasks = ahead(stack, repository, "" if files is None else since) if why else []
    return Affected(stack=stack, reasons=why, deployed=deployed, ahead=tasks)


def as_matrix(chosen: Iterable[Affected]) -> str:
    """`strategy.matrix` of a GitHub job: flat texts only."""
    include = [
        {
            "name": each.stack.name,
            "system": each.stack.system,
            "stack": each.stack.stack,
            "config_file": each.stack.config_file,
            "policy_config": each.stack.policy_config,
            "region": each.stack.region,
            "deployed": each.deployed,
            "ahead": " ".join(each.ahead),
            **(vars(each.stack.standing) if each.stack.standing else {}),
        }
        for each in chosen
    ]
    return json.dumps({"include": include}, separators=(",", ":"))


def as_json(found: Iterable[Affected], gone: Sequence[str]) -> str:
    said = [
        {
            "name": each.stack.name,
            "system": each.stack.system,
            "stack": each.stack.stack,
            "file": each.stack.config_file,
            "affected": bool(each.reasons),
            "stands_on_aws": each.stack.standing is not None,
            "ahead": list(each.ahead),
            "reasons": [vars(reason) for reason in each.reasons],
        }
        for each in found
    ]
    return json.dumps({"stacks": said, "orphans": list(gone)}, indent=2)


def as_text(found: Sequence[Affected], gone: Sequence[str]) -> str:
    hit = [each for each in found if each.reasons]
    lines = [f"{len(hit)} of {len(found)} stacks are affected."]
    for each in hit:
        first, *rest = map(str, each.reasons)
        where = "stands on AWS" if each.stack.standing else "offline only"
        lines += ["", f"{each.stack.name} ({where})", f"  {first}"]
        lines += (
            [f"  and {len(rest)} more, such as {rest[-1]}"]
            if len(rest) > 1
            else [f"  {line}" for line in rest]
        )
        lines += [f"  before its services: {', '.join(each.ahead)}"] if each.ahead else []
    rest = [each.stack.name for each in found if not each.reasons]
    lines += ["", f"Not affected: {', '.join(rest)}"] if hit and rest else []
    if gone:
        shown = ", ".join(gone)
        lines += [
            "",
            f"Of no stack that is here: {shown}. What such a stack made stands until it is destroyed.",
        ]
    return "\n".join(lines)


def affected(
    base: Annotated[
        str,
        typer.Option(help="The commit or branch that the change began from; left out: everything is new."),
    ] = "",
    head: Annotated[str, typer.Option(help="The commit or branch with the change.")] = "HEAD",
    format: Annotated[
        Literal["text", "json", "matrix"], typer.Option(help="matrix: for a GitHub job's strategy.")
    ] = "text",
    json_output: JsonFormatOption = False,
    deployed: Annotated[
        Path | None,
        typer.Option(
            help='JSON: {"GitHub environment": "commit that runs there"}; such a stack is compared with that commit.'
        ),
    ] = None,
    where: Annotated[
        Literal["anywhere", "aws", "offline"],
        typer.Option(
            help="aws: only stacks that stand and have a pipeline (`ci` in their settings); offline: only the others."
        ),
    ] = "anywhere",
    stack: Annotated[
        list[str] | None, typer.Option(help="Only stacks of that name (prod, staging); may be repeated.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="No stack of that name (local); may be repeated.")
    ] = None,
    repository: Annotated[
        str,
        typer.Option(
            envvar="GITHUB_REPOSITORY", help="owner/name: stacks of other repositories count as offline."
        ),
    ] = "",
    every: Annotated[bool, typer.Option("--every", help="Take every stack for affected.")] = False,
) -> None:
    """Which stacks a change affects, and why: from the names of the files that differ, no engine and no account.

    A file that no rule knows affects every stack. json lists every stack; text and matrix those that are affected.

    \b
    Exit code
      0  it is said, also where no stack is affected
      2  it could not be found out

    \b
    Examples
      groundwork affected --base main
      groundwork affected --base main --format json | jq -r '.stacks[] | select(.affected).name'
      groundwork affected --base "$BEFORE" --deployed deployed.json --where aws --stack prod --format matrix
    """
    try:
        known = stack_files.known(ROOT, repository)
        commits = Repository(ROOT, head)
        found = judge(known, commits, base, _read(deployed), every=every)
        gone = orphans(known, commits.changed(base, both_sides=False) or [])
    except Refusal as refusal:
        refuse(str(refusal))
    chosen = [
        each
        for each in found
        if where == "anywhere" or (each.stack.standing is not None) == (where == "aws")
        if not stack or each.stack.stack in stack
        if each.stack.stack not in (without or [])
    ]
    if json_output or format == "json":
        typer.echo(as_json(chosen, gone))
    elif format == "matrix":
        typer.echo(as_matrix(each for each in chosen if each.reasons))
    else:
        typer.echo(as_text(chosen, gone))


def _read(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise Refusal(f"{path} cannot be read: {problem}") from None
    if not isinstance(content, dict) or not all(isinstance(commit, str) for commit in content.values()):
        raise Refusal(f"{path} must hold one object from environment to commit.")
    return content
