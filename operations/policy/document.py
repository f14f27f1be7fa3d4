"""docs/policies.md: every rule of the pack, which documents ask for it, and who checks what no rule can."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from operations.policy import checklist
from operations.policy.catalogue import Rule, Severity, is_in
from operations.policy.checklist import Item
from operations.policy.formats.markdown import cell, table

PATH = Path(__file__).resolve().parent.parent.parent / "docs" / "policies.md"
NAMES = {
    "fsbp": "AWS Foundational Security Best Practices (FSBP)",
    "cis": "CIS AWS Foundations Benchmark (CIS)",
    "checkov": "checkov (CKV)",
}
HEAD = """\
# The rules of the policy pack

Written by `python -m operations.policy` from the pack and from `operations/policy/checklist.yaml`; do not change it by
hand. A test keeps it current. `groundwork policy list` shows the same in a terminal, `groundwork policy check` judges
stacks by it, without an account. How to add a rule, relax one for a stack, or exempt a resource for a while:
[policies/README.md](../policies/README.md).

Three policies beside them give account: `not-evaluated` lists what waits for a value that only `pulumi up` will know,
`exempted` each finding that somebody has accepted until a date, `exemptions` what is wrong with one of those.

A **mandatory** rule stops `pulumi preview` and `pulumi up`; an advisory one is only shown. A remedy names the key of
the stack or system file that mends the finding, where there is one.
"""
ASKED = """\
## What the products ask for

Their five documents, put together. Lines are those of the product's own document; *derived*: it follows from what they
say there. Where no rule stands, a preview could not judge it: [the last table](#what-no-rule-can-see) says who does.
"""
BEYOND = """\
## What no rule can see

A preview knows what would be declared. What runs, what a document of the product's own holds, and what people do is
checked by these. Commands marked *to come* are not there yet.
"""


def text(rules: Sequence[Rule], commands: Collection[str]) -> str:
    """The page. `commands` are the commands of `groundwork` that there are, as `commands_of` gives them."""
    lines = [HEAD, *_figures(rules), ""]
    for (topic, about), group in groupby(rules, key=lambda rule: (rule.topic, rule.about)):
        lines += [f"## {_title(topic)}", "", about, ""]
        for rule in group:
            lines += [*_rule(rule), ""]
    lines += [ASKED, *_asked(rules), BEYOND, *_beyond(commands)]
    return "\n".join(lines) + "\n"


def commands_of(app: typer.Typer) -> set[str]:
    """`policy check`, `policy list`, ...: every command of a Typer application, by its words."""
    found: set[str] = set()

    def walk(command: Any, words: tuple[str, ...]) -> None:
        found.add(" ".join(words))
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*words, name))

    walk(typer.main.get_command(app), ())
    return found - {""}


def _figures(rules: Sequence[Rule]) -> Iterator[str]:
    severities = list(reversed(Severity))
    rows = []
    for topic, group in groupby(rules, key=lambda rule: rule.topic):
        counts = Counter(rule.severity for rule in group)
        link = f"[{_title(topic)}](#{_title(topic).lower().replace(' ', '-')})"
        rows.append([link, str(counts.total()), *(str(counts[each] or "") for each in severities)])
    counts = Counter(rule.severity for rule in rules)
    rows.append(["**all**", str(counts.total()), *(str(counts[each] or "") for each in severities)])
    yield from table(["topic", "rules", *severities], rows)
    yield ""
    named = [
        f"{sum(is_in(rule, key) for rule in rules)} of them carry an id of {name}"
        for key, name in NAMES.items()
        if any(is_in(rule, key) for rule in rules)
    ]
    asked = sum(bool(rule.checklist) for rule in rules)
    yield f"{asked} of them answer an item of the products' checklist; {', '.join(named)}."


def _title(topic: str) -> str:
    return topic.replace("_", " ").capitalize()


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### `{rule.id}`"
    yield ""
    yield f"**{cell(rule.what)}** {rule.severity.capitalize()}, {rule.level}. {cell(rule.why)}"
    yield ""
    yield f"- How to fix: {cell(rule.remedy)}."
    yield f"- Looks at: {', '.join(f'`{type_}`' for type_ in rule.types)}."
    if rule.frameworks:
        yield f"- Frameworks: {', '.join(rule.frameworks)}."
    if rule.checklist:
        yield f"- Asked for by {'; '.join(map(_source, rule.checklist))}."
    if rule.settings:
        thresholds = ", ".join(f"`{name}` (default `{default}`)" for name, default in rule.thresholds.items())
        yield f"- Thresholds: {thresholds}."
    for note in rule.notes:
        yield f"- {cell(note)}"


def _source(id: str) -> str:
    item = checklist.items().get(id)
    return f"{id} ({checklist.asked_by(item)})" if item else id


def _asked(rules: Sequence[Rule]) -> Iterator[str]:
    for topic, group in groupby(checklist.items().values(), key=lambda item: item.topic):
        yield f"### {topic}"
        yield ""
        rows = [[item.id, _asks(item), checklist.asked_by(item), _rules_of(item, rules)] for item in group]
        yield from table(["item", "what is asked", "by", "rules"], rows)
        yield ""
    missing = [item.id for item in unanswered(rules)]
    if missing:
        yield f"A preview could show these, and no rule does yet: {', '.join(missing)}."
        yield ""


def unanswered(rules: Sequence[Rule]) -> list[Item]:
    """The items that a preview could judge and that no rule answers."""
    answered = {id for rule in rules for id in rule.checklist}
    return [item for item in checklist.items().values() if item.preview and item.id not in answered]


def _asks(item: Item) -> str:
    return f"{cell(item.asks)} (*derived*)" if item.derived else cell(item.asks)


def _rules_of(item: Item, rules: Sequence[Rule]) -> str:
    found = [f"[{rule.id}](#{rule.id})" for rule in rules if item.id in rule.checklist]
    return ", ".join(found) or ("none yet" if item.preview else "")


def _elsewhere(item: Item, commands: Collection[str]) -> str:
    elsewhere = item.elsewhere
    parts = [", ".join(_command(command, commands) for command in elsewhere.command)]
    for who in ("pipeline", "application", "people"):
        said = getattr(elsewhere, who)
        parts.append(f"{who}: {cell(said)}" if said else "")
    return "; ".join(part for part in parts if part)


def _command(command: str, commands: Collection[str]) -> str:
    return f"`groundwork {command}`" + ("" if _is_there(command, commands) else " *to come*")


def _is_there(command: str, commands: Collection[str]) -> bool:
    """Whether it is a command, or one with its arguments (`verify tls`); a group takes none."""
    words = command.split()
    heads = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    known = next((head for head in heads if head in commands), "")
    is_group = any(each.startswith(f"{known} ") for each in commands)
    return known == command or (known != "" and not is_group)


def _beyond(commands: Collection[str]) -> Iterator[str]:
    rows = [
        [item.id, cell(item.asks), "in part" if item.preview else "not at all", _elsewhere(item, commands)]
        for item in checklist.items().values()
        if item.elsewhere != checklist.Elsewhere()
    ]
    yield from table(["item", "what is asked", "a rule judges it", "who checks the rest"], rows)
