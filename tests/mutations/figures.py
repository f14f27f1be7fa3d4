"""What came of the mutants, stack by stack; figures.json keeps it, and the page is written from that."""

import fnmatch
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests import kubernetes_stacks, program
from tests.mutations.breaches import BREACHES
from tests.mutations.judging import Bench, Resource, declared_resources, pack_configuration
from tests.mutations.trial import Mutant, Trial, Unapplied
from tests.recorder import Recording

PATH = Path(__file__).with_name("figures.json")
# The `local` stacks are production, smaller and against the emulator.
STACKS = tuple(stack for stack in program.ALL_STACKS if stack.rpartition("/")[2] != "local")
ON_KUBERNETES = tuple(kubernetes_stacks.STACKS)
ALARM, INGRESS = kubernetes_stacks.ALARM, kubernetes_stacks.INGRESS
DASHBOARD, RECORD = "aws:cloudwatch/dashboard:Dashboard", "aws:route53/record:Record"
LISTS = {
    "dashboard-present": "sections",
    "dns-record-for-public-host": "declared",
    "required-alarms-present": "declared",
}
FIRST_SYSTEM = "rentalfix"  # whose stack files stand at the top level

# The tables of a stack: by what they are about, how many there are; in `rules` by rule and type how many mutants were
# made, caught, found in a preview, waiting there.
TABLES = ("resources", "others", "findings", "rules", "breaches", "also", "unapplied")
Figures = Mapping[str, Mapping[tuple[str, ...], Any]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`benches` are the stack after `pulumi up` and in a preview; `about` what rules there are about its types."""

    resources: int
    benches: Sequence[Bench]
    about: frozenset[tuple[str, str]]
    mutants: Sequence[Mutant]
    unapplied: Sequence[Unapplied]


@cache
def outcome(stack: str, *, on_kubernetes: bool = False) -> Outcome:
    """Shared by the tests of a process. On Kubernetes only what is not the same without it is broken once more."""
    recordings = [program.declared(stack)]
    if on_kubernetes:
        recordings += [kubernetes_stacks.pods(stack), kubernetes_stacks.ingress(stack)]
    known: dict[str, Any] = {}
    broken: list[Resource] = []
    benches: list[Bench] = []
    attempts: list[Mutant | Unapplied] = []
    for recording in recordings:
        resources = declared_resources(recording)
        new = [each for urn, each in resources.items() if known.get(urn) != each.inputs]
        known |= {urn: each.inputs for urn, each in resources.items()}
        if recording is recordings[0] and on_kubernetes:
            continue
        trial = Trial(resources, _configuration(stack, recording))
        broken += new
        benches += [trial.made, trial.previewed]
        attempts += trial.attempts({each.urn for each in new})
    types = {each.type for each in broken}
    return Outcome(
        resources=len(broken),
        benches=benches,
        about=frozenset(
            (rule.id, type_)
            for rule in benches[0].rules.values()
            if not any(breach.is_for_all for breach in BREACHES.get(rule.id, ()))
            for type_ in types & rule.types
        ),
        mutants=[each for each in attempts if isinstance(each, Mutant)],
        unapplied=[each for each in attempts if isinstance(each, Unapplied)],
    )


def _configuration(stack: str, recording: Recording) -> Mapping[str, Any]:
    """The stack's; with an Ingress it lists only what is left of its alarms, hosts and headings.

    Behind one nobody counts errors and nothing redirects: `configured_with_ingress` takes away what says so.
    """
    found = pack_configuration(stack)
    if not recording.names(INGRESS):
        return found
    names = recording.names(ALARM)
    said = str([dict(each.inputs) for each in recording if each.type in (DASHBOARD, INGRESS, RECORD)])
    left = {
        rule_id: {key: [each for each in found[rule_id][key] if each in said or fnmatch.filter(names, each)]}
        for rule_id, key in LISTS.items()
        if key in found.get(rule_id, {})
    }
    return {**found, **{rule_id: {**found[rule_id], **lists} for rule_id, lists in left.items()}}


def figures(found: Outcome) -> Figures:
    rules: dict[tuple[str, ...], list[int]] = {}
    for each in found.mutants:
        told = (True, each.caught, each.preview == "found", each.preview == "waits")
        key = (each.rule, kind(each.type))
        rules[key] = [count + one for count, one in zip(rules.get(key, [0] * 4), told, strict=True)]
    return {
        "resources": {(): found.resources},
        "others": {(): sum(bool(each.others) for each in found.mutants)},
        "findings": {(rule_id,): 1 for bench in found.benches for rule_id, _ in bench.said},
        "rules": rules,
        "breaches": Counter((each.rule, each.says) for each in found.mutants if each.rule in BREACHES),
        "also": Counter(
            (each.rule, other, because) for each in found.mutants for other, because in each.also.items()
        ),
        "unapplied": Counter(
            (each.rule, kind(each.type), each.says, each.reason) for each in found.unapplied
        ),
    }


def kind(type_: str) -> str:
    """`rds.Instance` for aws:rds/instance:Instance: short, and still not the Instance of EC2."""
    _, module, name = type_.split(":")
    return f"{module.partition('/')[0]}.{name}"


def name(stack: str, *, on_kubernetes: bool = False) -> str:
    """As the page calls it: `rentalfix prod`, `fixrx prod on Kubernetes`."""
    system, _, environment = stack.rpartition("/")
    return f"{system or FIRST_SYSTEM} {environment}{' on Kubernetes' * on_kubernetes}"


def _cases() -> Sequence[tuple[str, bool]]:
    cases = [*((stack, False) for stack in STACKS), *((stack, True) for stack in ON_KUBERNETES)]
    return sorted(cases, key=lambda case: name(case[0], on_kubernetes=case[1]))


def names() -> Sequence[str]:
    return [name(stack, on_kubernetes=kubernetes) for stack, kubernetes in _cases()]


def measured() -> Mapping[str, Figures]:
    """Of every stack; takes a minute, most of it for running the programs."""
    return {
        name(stack, on_kubernetes=kubernetes): figures(outcome(stack, on_kubernetes=kubernetes))
        for stack, kubernetes in _cases()
    }


def kept() -> Mapping[str, Figures]:
    found = json.loads(PATH.read_text(encoding="utf-8"))
    stacks = found.pop("stacks")
    return {
        stack: {
            table: {tuple(key): values[place] for *key, values in rows if values[place]}
            for table, rows in found.items()
        }
        for place, stack in enumerate(stacks)
    }


def keep(found: Mapping[str, Figures]) -> None:
    """A line for each row, with a figure for each stack, so that a change is seen for what it is."""
    lines = [f'"stacks": {json.dumps(list(found))}']
    for table in TABLES:
        keys = sorted({key for each in found.values() for key in each[table]})
        rows = [[*key, [each[table].get(key, 0) for each in found.values()]] for key in keys]
        written = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        lines.append(f'"{table}": [\n{written}\n]')
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def without_zeros(found: Figures) -> Figures:
    """As `kept` has them."""
    return {table: {key: value for key, value in rows.items() if value} for table, rows in found.items()}
