"""What stands before the folded sections: the verdict, and each answer in one line."""

from operations.report import safe
from operations.report.costs import Costs
from operations.report.findings import SEVERITIES, Findings
from operations.report.losses import Losses
from operations.report.markdown import Table, code, plain
from operations.report.preview import Kind, Preview
from operations.report.report import Report
from operations.report.risk import SEVERITY, Risk
from operations.report.tables import Effect
from operations.report.words import between, count, listed, money, names, signed, span

SHOWN_ERRORS = 5
COMMIT = 12  # characters of a commit's id

DONE: dict[Kind, str] = {
    "replace": "replaced",
    "destroy": "destroyed",
    "create": "created",
    "update": "updated",
    "import": "imported",
    "same": "unchanged",
}
# Of one resource, and of several.
EFFECTS: dict[Effect, tuple[str, str]] = {
    "remade": ("is made anew", "are made anew"),
    "restart": ("restarts", "restart"),
    "failover": ("fails over", "fail over"),
    "interruption": ("may refuse clients", "may refuse clients"),
    "pending": ("waits for a reboot", "wait for a reboot"),
    "rolling": ("is rolled", "are rolled"),
    "none": ("goes on", "go on"),
}


def summary(report: Report, diff: str | None) -> str:
    rows = {
        "Changes": changes(report.preview),
        "Replaced or destroyed": lost(report.losses),
        "Cost": cost(report.costs),
        "Policies": policies(report.findings),
        "Time and risk": time(report.risk),
    }
    parts = [
        f"## {plain(f'{report.system}, stack {report.stack}')}",
        verdict(report.losses),
        trouble(report.preview),
        Table(("", ""), [(f"**{name}**", text) for name, text in rows.items()]).render(""),
        compared(report.preview),
        f"Every input that changes: {code(diff)}." if diff else "",
    ]
    return "\n\n".join(part for part in parts if part)


def verdict(losses: Losses) -> str:
    blocking = losses.blocking
    if blocking:
        them = "one resource" if len(blocking) == 1 else f"{len(blocking)} resources"
        it = "it" if len(blocking) == 1 else "them"
        return f"**Blocked:** this takes away {them} with data, and nobody has acknowledged {it}; see below how to."
    held = losses.stateful
    return f"**Acknowledged:** {names(item.name for item in held)} with data will be lost." if held else ""


def trouble(preview: Preview) -> str:
    """What kept the engine from its end: then the rest is about a part of the stack only."""
    if preview.is_whole:
        return ""
    lines = [plain(safe.text(message)) for message in preview.errors[:SHOWN_ERRORS]]
    more = len(preview.errors) - SHOWN_ERRORS
    lines += [f"... and {more} more"] if more > 0 else []
    if preview.refused:
        stopped = names(urn.rsplit("::", 1)[-1] for urn in preview.refused)
        lines.append(
            f"the engine stopped at {stopped}, which it would have to delete and which it must protect"
        )
    said = "\n".join(f"- {line}" for line in lines)
    return (
        f"The preview did not come to its end, so what follows is about a part of the stack only:\n\n{said}"
    )


def compared(preview: Preview) -> str:
    if not preview.compared_with:
        return ""
    commit = code(preview.compared_with[:COMMIT])
    return (
        f"Compared with what commit {commit} declares, without an account: what somebody changed in AWS by hand, or "
        "what was never deployed, does not show here."
    )


def changes(preview: Preview) -> str:
    return (
        ", ".join(f"{preview.counts[kind]} {word}" for kind, word in DONE.items() if preview.counts[kind])
        or "none"
    )


def lost(losses: Losses) -> str:
    held = losses.stateful
    others = len(losses.items) - len(held)
    said = [
        f"**{len(held)} with data:** {listed([f'{plain(item.what)} {code(item.name)}' for item in held])}"
    ] * bool(held)
    said += [f"{others} without data"] * bool(others)
    return "; ".join(said) or "nothing"


def cost(costs: Costs) -> str:
    said = [f"**{signed(costs.delta)} a month**" if costs.lines else "nothing that has a price changes"]
    if scaled := between(*costs.delta_range, costs.delta):
        said.append(f"{scaled} as it scales and grows")
    if costs.before is not None and costs.after is not None:
        said.append(f"the whole stack {money(costs.before)} before and {money(costs.after)} after")
    said += [f"**{len(costs.unknown)} without a price**"] * bool(costs.unknown)
    said += [f"{sum(number for _, number, _ in costs.usage)} by use"] * bool(costs.usage)
    return "; ".join(said)


def policies(findings: Findings | None) -> str:
    if findings is None:
        return "not looked at: no event log was given"
    if not findings.ran:
        return "**none ran**"
    by_severity = findings.by_severity()
    others = sorted(by_severity.keys() - {*SEVERITIES})
    found = ", ".join(
        f"{by_severity[name]} {plain(name)}" for name in (*SEVERITIES, *others) if by_severity[name]
    )
    refusing = len(findings.mandatory)
    said = [f"violations: {found}" if found else "no violation"]
    said += [f"**{refusing} of them {'refuses' if refusing == 1 else 'refuse'} the change**"] * bool(refusing)
    said += [f"{len(findings.exempted)} exempt"] * bool(findings.exempted)
    said += [f"{count(findings.waiting, 'check')} not evaluated yet"] * bool(findings.waiting)
    return "; ".join(said)


def time(risk: Risk) -> str:
    said = [f"some {span(risk.seconds)}" if risk.chain else "nothing to wait for"]
    for kind in SEVERITY:
        who = {item.name for item in risk.of(kind)}
        if who and kind != "none":
            said.append(f"{names(sorted(who))} {EFFECTS[kind][len(who) > 1]}")
    return "; ".join(said)
