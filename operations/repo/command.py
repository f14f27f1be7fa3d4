"""`groundwork repo`: whether a product's repository is protected as its guide asks, by GitHub's own word."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from operations import show, stack_files
from operations.exits import FOUND, NOT_RUN, refuse
from operations.platform import LOCAL, ROOT, SYSTEM, JsonOption, Refusal, StackOption, SystemOption
from operations.policy import stacks
from operations.repo.checks import Line, State, of_branch, of_security
from operations.repo.github import Github, Untold, connected
from operations.repo.protection import protections
from operations.stack_files import Repository

MAIN = "main"
NAME = re.compile(r"[A-Za-z0-9_-]+/(?!\.\.?$)[A-Za-z0-9._-]+")


def examine(github: Github, asked: Repository, reviews: int) -> Iterator[Line]:
    """Every line of a repository; a single one for a repository or a branch that GitHub does not show."""
    # "Get a repository", "Get a branch".
    told = github.get(f"/repos/{asked.name}")
    if isinstance(told, Untold):
        yield _hidden("repository", "GitHub shows it", _not_shown(github, asked, told))
        return
    branch = github.get(f"/repos/{asked.name}/branches/{quote(asked.branch, safe='')}")
    if isinstance(branch, Untold):
        default = told.get("default_branch")
        yield _hidden(
            "branch",
            "GitHub shows it",
            (f"no branch {asked.branch}: {branch}", f"The default branch is {default}: --branch {default}."),
        )
        return
    yield from of_branch(protections(github, asked.name, asked.branch, branch), reviews)
    yield from of_security(github, asked.name, told)


def _hidden(check: str, wanted: str, said: tuple[str, str]) -> Line:
    return Line(check, wanted, State.UNASKED, *said)


def _not_shown(github: Github, asked: Repository, told: Untold) -> tuple[str, str]:
    by = f" ({' and '.join(asked.keys)} of the settings)" if asked.keys else ""
    if told.code == 301:
        return f"it has another name by now: {told}", f"Say the one that it has on GitHub{by}."
    return (
        f"not to {github.asker}: {told}",
        f"Look at the name{by}, or ask with the token of somebody who sees it.",
    )


def repo(
    repository: Annotated[
        str,
        typer.Argument(metavar="OWNER/NAME", help="On GitHub; left out, those of the stack's settings."),
    ] = "",
    branch: Annotated[
        str, typer.Option(help=f"Left out, that of the settings, and {MAIN} of a repository that is named.")
    ] = "",
    reviews: Annotated[
        int, typer.Option(min=1, help="Approvals that a pull request must have at least.")
    ] = 2,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
) -> None:
    """Ask GitHub whether a branch changes only by pull requests that enough people approved. It changes nothing.

    Asked are required approvals, whether they end with a new commit, status checks, force pushes, deletion, who gets
    round it, Dependabot alerts, secret scanning and push protection. Branch protection and rulesets both count: the
    stronger holds. Code owners are only told of.

    Left out, OWNER/NAME is `ci.images.repository` of the settings, where the product's code is, and `ci.repository`,
    where its stacks are; each with its own branch. No stack has to stand for it: the files are read.

    The token is GH_TOKEN or GITHUB_TOKEN of the environment (an administrator's sees all of it; fine-grained:
    Administration and Metadata, read); without one GitHub is asked as the public. GITHUB_API_URL is for GitHub
    Enterprise. A line begins with `well`, FOUND, `-` (only told) or `?` (GitHub does not tell).

    \b
    Exit code
      0  all is well, as far as GitHub tells of bypass, alerts and scanning
      1  something is not
      2  nothing was found, and the repository or what protects its branch could not be asked

    \b
    Examples
      groundwork repo --system sports-nutrition
      GH_TOKEN=$(gh auth token) groundwork repo acme/platform --reviews 1
      groundwork repo acme/platform --branch release --json | jq '.[] | select(.state == "found")'
    """
    try:
        github = connected(os.environ)
        asked = _asked(repository, branch, system, stack)
        if not github.token:
            typer.echo("Neither GH_TOKEN nor GITHUB_TOKEN is set: GitHub tells the public less.", err=True)
        rows = []
        for each in asked:
            with show.waiting(f"Asking GitHub about {each.name}"):
                lines = list(examine(github, each, reviews))
            rows += [(each, line) for line in lines]
            if not json_output:
                _tell(each, lines)
    except (Refusal, stacks.Unknown, stack_files.Refusal) as refusal:
        refuse(str(refusal))
    if json_output:
        typer.echo(show.as_text([_row(each, line) for each, line in rows]))
    states = {line.state for _, line in rows}
    raise typer.Exit(FOUND if State.FOUND in states else NOT_RUN if State.UNASKED in states else 0)


def _asked(repository: str, branch: str, system: str, stack: str) -> Sequence[Repository]:
    if repository:
        if not NAME.fullmatch(repository):
            raise Refusal(f"{repository} is no repository of GitHub: it is OWNER/NAME, like acme/platform.")
        return [Repository(name=repository, branch=branch or MAIN, keys=())]
    found = stack_files.repositories(ROOT, system, stack)
    if not found:
        raise Refusal(
            f"The settings of {system}, stack {stack}, name no repository (`ci.images.repository`, `ci.repository`). "
            "Say which: groundwork repo OWNER/NAME."
        )
    for each in found:
        if not NAME.fullmatch(each.name):
            raise Refusal(f"{' and '.join(each.keys)} is {each.name}, and that is no OWNER/NAME of GitHub.")
    return [Repository(name=each.name, branch=branch or each.branch, keys=each.keys) for each in found]


def _tell(asked: Repository, lines: Sequence[Line]) -> None:
    by = f" ({', '.join(asked.keys)})" if asked.keys else ""
    typer.echo(f"{asked.name}, branch {asked.branch}{by}")
    for line in lines:
        typer.echo(str(line))


def _row(asked: Repository, line: Line) -> dict[str, Any]:
    return {"repository": asked.name, "branch": asked.branch, **line.as_row()}
