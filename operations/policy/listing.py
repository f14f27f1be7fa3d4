"""The rules of the pack, written down for a terminal, a program or a page."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from operations.policy.catalogue import Rule
from operations.policy.formats import markdown
from operations.policy.formats.text import STYLES, line


def show(console: Console, rules: Sequence[Rule], *, total: int, brief: bool) -> None:
    if brief:
        width = max((len(rule.id) for rule in rules), default=0)
        for rule in rules:
            severity = (f"{rule.severity:8}", STYLES[rule.severity])
            line(
                console,
                Text.assemble(
                    (f"{rule.id:{width}}", "bold"), "  ", severity, f"  {rule.level:9}  {rule.what}"
                ),
            )
    else:
        for topic, group in groupby(rules, key=lambda rule: (rule.topic, rule.about)):
            line(console, Text.assemble((topic[0], "bold underline"), f"  {topic[1]}"))
            for rule in group:
                console.print()
                _rule(console, rule)
            console.print()
    of = f" of {total}" if len(rules) < total else ""
    line(console, Text(f"{len(rules)}{of} rules.", "dim"))


def _rule(console: Console, rule: Rule) -> None:
    style = STYLES[rule.severity]
    line(console, Text.assemble((rule.id, "bold"), "  ", (f"{rule.severity}, {rule.level}", style)), indent=2)
    line(console, Text(rule.what), indent=4)
    for label, said in _details(rule):
        line(console, Text.assemble((f"{label:11}", "dim"), said), indent=4)


def _details(rule: Rule) -> list[tuple[str, str]]:
    """What there is to say beside what must hold, by its label."""
    details = [
        ("Why", rule.why),
        ("Fix", f"{rule.remedy}."),
        ("Types", ", ".join(rule.types)),
        ("Checklist", ", ".join(rule.checklist)),
        ("Frameworks", ", ".join(rule.frameworks)),
        ("Thresholds", ", ".join(f"{name} = {default}" for name, default in rule.thresholds.items())),
        *(("Note", note) for note in rule.notes),
    ]
    return [(label, said) for label, said in details if said]


def as_json(rules: Iterable[Rule]) -> str:
    return json.dumps([rule.model_dump() for rule in rules], indent=2, ensure_ascii=False) + "\n"


def as_markdown(rules: Sequence[Rule]) -> str:
    rows = [
        [
            f"`{rule.id}`",
            f"{rule.severity}, advisory" if rule.advisory else rule.severity,
            markdown.cell(rule.what),
            markdown.cell(f"{rule.remedy}."),
            ", ".join([*rule.checklist, *rule.frameworks]),
            ", ".join(f"`{name}` {default}" for name, default in rule.thresholds.items()),
        ]
        for rule in rules
    ]
    head = ["rule", "severity", "what must hold", "how to fix", "asked for by", "thresholds"]
    return "\n".join(markdown.table(head, rows)) + "\n"
