"""`groundwork doctor`: all that would stop or surprise the first `pulumi up` of a stack, in one go."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from operations import show
from operations.doctor import (
    caller,
    domain,
    expects,
    machine,
    names,
    permissions,
    places,
    quotas,
    state,
    tools,
)
from operations.doctor.declared import Declared, previewed
from operations.doctor.line import Account, Line, State, guarded, unasked
from operations.exits import FOUND, NOT_RUN
from operations.platform import (
    LOCAL,
    ROOT,
    SYSTEM,
    JsonOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
)
from operations.policy import stacks
from operations.policy.stacks import Stack

Groups = dict[str, list[Line]]
Check = Callable[[], Iterable[Line]]


def examine(stack: Stack, declared: Declared, platform: Platform | None) -> Groups:
    """Every group of checks; `platform` is None where no account is to be asked."""
    found: Groups = {
        "Tools": list(tools.check()),
        "Stack": [*expects.check(declared), *domain.names(declared)],
    }
    if platform is None:
        found["Stack"] += expects.images(declared, None)
        return found
    found["Caller"], told = _caller(platform, declared)
    why = "nobody is signed in" if told is None else ""
    if told and told["Account"] != declared.account:
        why = "it would be about another account"
    if told is None or why:
        found["Account"] = [unasked("everything else", f"not asked: {why}", "See Caller.")]
        return found
    found |= _all(
        {
            "State": partial(state.check, platform, declared, stack),
            "Region and zones": partial(places.check, platform, declared),
            "Quotas": partial(quotas.check, platform, declared),
            "Names": partial(names.check, platform, declared),
            "Domain": partial(domain.check, platform, declared),
            "Permissions": partial(permissions.check, platform, declared, told["Arn"]),
            "Images": partial(expects.images, declared, platform),
        }
    )
    return found


def _caller(platform: Platform, declared: Declared) -> tuple[list[Line], Mapping[str, Any] | None]:
    told: list[Mapping[str, Any]] = []

    def identity() -> Iterable[Line]:
        told.append(caller.identity(platform))
        return caller.check(told[0], declared)

    lines = list(guarded("account", identity))
    if not platform.endpoint_url:
        import boto3  # noqa: PLC0415 half a second that `--help` need not wait for

        lines += guarded("session", partial(caller.session, boto3.Session(), datetime.now(UTC)))
    return lines, told[0] if told else None


def _all(checks: Mapping[str, Check]) -> Groups:
    """At once, since each waits for AWS most of the time; one that breaks does not take the others with it."""

    def lines(check: Check) -> list[Line]:
        try:
            return list(check())
        except Exception as error:  # its own words are all that there is to say
            return [unasked("this group", f"{type(error).__name__}: {error}")]

    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return dict(zip(checks, pool.map(lines, checks.values()), strict=True))


def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Only what needs no account and no network.")
    ] = False,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
) -> None:
    """All that would stop or surprise the first `pulumi up` of a stack, in one go: it asks, and changes nothing.

    What the stack would declare is taken from an offline preview, so counts and sizes are its own. Looked at are
    tools, who is signed in, Pulumi's state, zones and what AWS offers in them, quotas, names that are taken, the
    domain, the caller's rights, images. What AWS does not let you ask is a line with the permission that is missing.
    Of the local stack it looks at this machine.

    \b
    Exit code
      0  nothing stands in the way
      1  something does: the last lines
      2  nothing does as far as it could be asked, and something could not; or the stack is not known

    \b
    Examples
      groundwork doctor --stack prod
      groundwork doctor --stack prod --offline
      groundwork doctor --stack prod --json | jq '.wrong'
    """
    with explained():
        chosen = _chosen(system, stack)
        if stack == LOCAL:
            found: Groups = {"Machine": list(machine.check())}
        else:
            with show.waiting(f"Previewing {chosen} without an account"):
                declared = previewed(chosen)
            platform = None if offline else _account(chosen, declared)
            with show.waiting(f"Asking AWS what {chosen} would meet"):
                found = examine(chosen, declared, platform)
    _tell(chosen, found, offline=offline, as_json=json_output)
    states = {line.state for lines in found.values() for line in lines}
    raise typer.Exit(FOUND if State.wrong in states else NOT_RUN if State.unasked in states else 0)


def _chosen(system: str, stack: str) -> Stack:
    try:
        return stacks.choose(ROOT, system, [stack])[0]
    except stacks.Unknown as unknown:
        raise Refusal(str(unknown)) from None


def _account(stack: Stack, declared: Declared) -> Platform:
    return Account(stack.system, stack.name, {"region": declared.region, "environment": declared.environment})


def _tell(stack: Stack, found: Mapping[str, Sequence[Line]], *, offline: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(show.as_text(_as_json(stack, found)))
        return
    typer.echo(f"{stack}, before its first `pulumi up`" + (", without an account" if offline else ""))
    for group, lines in found.items():
        typer.echo(f"\n{group}")
        rows = [
            {"what": line.what, "": line.state.value, "figure": line.figure, "source": line.source}
            for line in lines
        ]
        show.show(rows, as_json=False, nothing="  nothing to look at")
    for state_, title in (
        (State.note, "To know"),
        (State.unasked, "Could not be asked"),
        (State.wrong, "Stands in the way"),
    ):
        told = _together(found, state_)
        if told:
            number = sum(len(things) for things in told.values())
            typer.echo(f"\n{title}: {number}")
        for (group, figure, todo), things in told.items():
            sentence = f"  {group}, {', '.join(things)}: {_sentence(figure)} {todo}".rstrip()
            typer.echo(show.printable(sentence))
    if all(line.state is not State.wrong for lines in found.values() for line in lines):
        typer.echo("\nNothing stands in the way.")


def _together(found: Mapping[str, Sequence[Line]], state_: State) -> dict[tuple[str, str, str], list[str]]:
    """What is about many things for one reason (a permission, most of the time) is one sentence."""
    told: dict[tuple[str, str, str], list[str]] = {}
    for group, lines in found.items():
        for line in lines:
            if line.state is state_:
                told.setdefault((group, line.figure, line.todo), []).append(line.what)
    return told


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _as_json(stack: Stack, found: Mapping[str, Sequence[Line]]) -> dict[str, Any]:
    def row(group: str, line: Line) -> dict[str, str]:
        told = {"group": group, "what": line.what, "state": line.state.value, "figure": line.figure}
        return {**told, "source": line.source, "todo": line.todo}

    rows = [row(group, line) for group, lines in found.items() for line in lines]
    return {
        "stack": str(stack),
        "wrong": [each for each in rows if each["state"] == State.wrong],
        "unasked": [each for each in rows if each["state"] == State.unasked],
        "lines": rows,
    }
