"""The last screen: what stands, what the policies said, where to reach it, and what to type next."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.events import Report, Resource, Violation

COMPONENT_PREFIX = "groundwork:"
ENGINE_PREFIX = "pulumi:"
OUTSIDE = "outside any component"
ENDPOINT_WORDS = ("url", "endpoint", "address", "host", "domain")
DONE = {
    "create": "created",
    "delete": "deleted",
    "discard": "gone",
    "replace": "replaced",
    "same": "unchanged",
    "update": "updated",
}
SHOWN_ENDPOINTS = 10
SHOWN_CHANGES = 15


def by_component(resources: Iterable[Resource]) -> dict[str, tuple[int, int]]:
    """For each component type: how many of it, and how many cloud resources its nearest children are."""
    known = {resource.urn: resource for resource in resources}
    counts: dict[str, tuple[int, int]] = {}

    def owner(resource: Resource) -> str:
        parent = known.get(resource.parent)
        while parent and not parent.type.startswith(COMPONENT_PREFIX):
            parent = known.get(parent.parent)
        return parent.type if parent else OUTSIDE

    for resource in known.values():
        if resource.type.startswith(COMPONENT_PREFIX):
            own, children = counts.get(resource.type, (0, 0))
            counts[resource.type] = own + 1, children
        elif is_cloud(resource):
            own, children = counts.get(owner(resource), (0, 0))
            counts[owner(resource)] = own, children + 1
    return dict(sorted(counts.items()))


def is_cloud(resource: Resource) -> bool:
    return resource.custom and not resource.type.startswith(ENGINE_PREFIX)


def recorded_only(resources: Iterable[Resource], kinds: Mapping[str, str]) -> Counter[str]:
    """How many of each type the emulator has no API for: validated and kept, but not made anywhere."""
    return Counter(resource.type for resource in resources if kinds.get(resource.type) == "recorded")


def endpoints(outputs: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The outputs that say where something is reached, by their path."""
    found: dict[str, str] = {}
    for key, value in outputs.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= endpoints(value, f"{path}.")
        elif isinstance(value, str) and _is_endpoint(key, value):
            found[path] = value
    return found


def to_open(outputs: Mapping[str, Any]) -> dict[str, str]:
    """The endpoints for a person: what a browser opens comes first, and what another one says already is left out."""
    found = sorted(endpoints(outputs).items(), key=lambda each: (not _is_url(each[1]), len(each[1])))
    shown: dict[str, str] = {}
    for path, value in found:
        if not any(value in other or value.startswith(other) for other in shown.values()):
            shown[path] = value
    return dict(list(shown.items())[:SHOWN_ENDPOINTS])


def _is_url(value: str) -> bool:
    return value.startswith(("http://", "https://"))


def _is_endpoint(key: str, value: str) -> bool:
    """An ARN names something, and is nothing that one connects to; an empty output says that there is none."""
    if not value or value.startswith("arn:"):
        return False
    return _is_url(value) or key.lower().endswith(ENDPOINT_WORDS)


def policy_verdict(report: Report) -> str:
    """`86 rules, no violation`, or how many of each severity."""
    rules = "1 rule" if len(report.policies) == 1 else f"{len(report.policies) or 'no'} rules"
    if not report.violations:
        return f"{rules}, no violation"
    severities = Counter(violation.severity or _level(violation) for violation in report.violations)
    return f"{rules}, {', '.join(f'{count} {severity}' for severity, count in severities.most_common())}"


def _level(violation: Violation) -> str:
    return "mandatory" if violation.mandatory else "advisory"


def changes(report: Report, *, planned: bool = False) -> str:
    """`3 created, 245 unchanged`, or of a preview `3 to create, 245 unchanged`."""
    words = {operation: f"to {operation}" for operation in DONE if operation != "same"} if planned else {}
    counts = sorted(report.changes.items())
    return (
        ", ".join(f"{count} {(DONE | words).get(operation, operation)}" for operation, count in counts)
        or "nothing"
    )


def changed(report: Report) -> list[str]:
    """One line for each change to something that stood already; a list of everything new would help nobody."""
    touched = {
        urn: operation
        for urn, operation in report.operations.items()
        if operation not in ("same", "create", "read")
    }
    lines = [
        f"{operation} {report.resources[urn].type} {report.resources[urn].name}"
        for urn, operation in touched.items()
    ]
    hidden = len(lines) - SHOWN_CHANGES
    return lines if hidden <= 0 else [*lines[:SHOWN_CHANGES], f"... and {hidden} more"]


def show(
    console: Console,
    *,
    title: str,
    planned: bool = False,
    resources: Sequence[Resource],
    report: Report,
    kinds: Mapping[str, str],
    outputs: Mapping[str, Any],
    next_commands: Mapping[str, str],
) -> None:
    counts = by_component(resources)
    cloud = sum(children for _, children in counts.values())
    console.print(Text(f"\n{title}: {cloud} resources, {changes(report, planned=planned)}", style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 2))
    table.add_column("Component")
    table.add_column("how many", justify="right")
    table.add_column("resources in it", justify="right")
    for component, (own, children) in counts.items():
        table.add_row(component.removeprefix(COMPONENT_PREFIX), str(own or "-"), str(children))
    console.print(table)
    recorded = recorded_only(resources, kinds)
    if kinds:
        _line(
            console,
            "Applied",
            f"{cloud - recorded.total()} to the emulator, {recorded.total()} only recorded (no API there)",
        )
    if recorded:
        _line(
            console,
            "Recorded",
            ", ".join(f"{count} {_plain(token)}" for token, count in sorted(recorded.items())),
        )
    _line(console, "Policies", policy_verdict(report))
    for violation in report.violations:
        _line(
            console,
            "",
            f"{violation.policy} ({violation.severity or _level(violation)}) {violation.resource}: {violation.message}",
        )
    for warning in report.warnings:
        _line(console, "Warning", warning)
    for path, value in to_open(outputs).items():
        _line(console, "Reach", f"{path}: {value}")
    for command, purpose in next_commands.items():
        _line(console, "Next", f"{command:<40}  {purpose}")


def _line(console: Console, head: str, text: str) -> None:
    console.print(Text(f"{head:<9}", style="bold") + Text(text), soft_wrap=True)


def _plain(token: str) -> str:
    """`backup.Plan` from `aws:backup/plan:Plan`."""
    _, module, name = token.split(":")
    return f"{module.split('/')[0]}.{name}"
