"""The folded parts of the comment, one for each question, and the list of all changes."""

from collections.abc import Iterable, Sequence

from operations.report import safe, tables
from operations.report.costs import Costs, Line
from operations.report.findings import Findings, Violation
from operations.report.losses import Loss, Losses
from operations.report.markdown import Section, Table, code, plain, spans
from operations.report.preview import Preview, short
from operations.report.risk import HARMLESS, REPLACED, Consequence, Link, Risk
from operations.report.summary import DONE, EFFECTS
from operations.report.words import between, count, listed, money, names, signed, span

SHOWN_LINES = 10
# A name is as good as a URN that would not fit.
LONGEST_URN = 300

Blocks = Iterable[str | Table]


def _named(item: Loss | Line | Link | Consequence) -> str:
    return f"{code(item.name)} ({plain(short(item.type))})"


# 1. What is replaced or destroyed.


def lost(losses: Losses) -> Section:
    return Section(
        "What is replaced or destroyed", list(_lost(losses)), is_open=bool(losses.blocking or losses.idle)
    )


def _lost(losses: Losses) -> Blocks:
    if losses.idle:
        yield "\n".join(f"- {spans(sentence)}." for sentence in losses.idle[:SHOWN_LINES])
    if losses.blocking:
        yield _how_to_acknowledge(losses.blocking)
    held = [item for item in losses.items if item.stateful]
    if held:
        yield Table(("With data", "Why", "What is lost", "Acknowledged"), [_held(item) for item in held])
    others = [item for item in losses.items if not item.stateful]
    if others:
        rows = [(f"**{DONE[item.verb]}**: {_named(item)}", spans(item.because)) for item in others]
        yield Table(("Without data", "Why"), rows)


def _held(item: Loss) -> Sequence[str]:
    lost = [item.lost]
    if item.retained:
        lost.append("the old one stays in AWS and Pulumi forgets it; what takes its place begins empty")
    if item.retained and item.same_name:
        lost.append(
            f"both have the same `{item.same_name}`, so AWS refuses the new one while the old one stands"
        )
    if item.protected:
        lost.append("it is protected: `pulumi up` refuses before `pulumi state unprotect`")
    return (
        f"**{DONE[item.verb]}**: {plain(item.what)} {_named(item)}",
        spans(item.because),
        spans("; ".join(lost)),
        "yes" if item.acknowledged else "**no**",
    )


def _how_to_acknowledge(blocking: Sequence[Loss]) -> str:
    lines = [_acknowledging(item) for item in blocking[:SHOWN_LINES]]
    left = len(blocking) - len(lines)
    one = len(blocking) == 1
    said = [
        f"If {'this is' if one else 'these are'} meant, and the data safe elsewhere, write it into the pull request's "
        f"description or a label, {'so' if one else 'a line for each'} (a name alone will do, too):",
        "\n".join(["```text", *lines, "```"]),
    ]
    said += [f"The other {left} need a line of their own, too."] * bool(left)
    return "\n\n".join(said)


def _acknowledging(item: Loss) -> str:
    which = item.urn if len(item.urn) <= LONGEST_URN else item.name[:LONGEST_URN]
    return f"groundwork: {item.verb} {' '.join(which.replace('`', '').split())}"


# 2. What it costs.


def cost(costs: Costs) -> Section:
    return Section("What it costs", list(_cost(costs)))


def _cost(costs: Costs) -> Blocks:
    if costs.lines:
        head = ("Resource", "Before", "After", "A month", "How it is counted")
        yield Table(head, [_line(line) for line in costs.lines])
    else:
        yield "Nothing that has a price changes."
    if costs.kept:
        kept = [f"{code(name)} ({money(monthly)})" for name, monthly in costs.kept]
        yield (
            f"Pulumi leaves it in AWS, where it goes on costing until somebody deletes it: {listed(kept)}. That is not "
            "in the sum."
        )
    if costs.unknown:
        rows = [(f"{code(item.name)} ({plain(short(item.type))})", plain(item.why)) for item in costs.unknown]
        yield Table(("Not in the sum", "Why"), rows)
    if costs.usage:
        rows = [(plain(name), str(number), plain(text)) for name, number, text in costs.usage]
        yield Table(("Depends on use", "Changed", "On what, in USD"), rows)
    if costs.free:
        verb = "costs nothing by itself" if costs.free == 1 else "cost nothing by themselves"
        yield f"{count(costs.free, 'changed resource')} {verb}."
    yield from _about_prices(costs)


def _line(line: Line) -> Sequence[str]:
    both = [how for how in (line.before.how, line.after.how) if how]
    scaled = between(*line.delta_range, line.delta)
    return (
        _named(line),
        "" if line.kind == "create" else money(line.before.monthly),
        "" if line.kind == "destroy" else money(line.after.monthly),
        f"**{signed(line.delta)}**{f' ({scaled})' if scaled else ''}",
        plain(" → ".join(dict.fromkeys(both))),
    )


def _about_prices(costs: Costs) -> Iterable[str]:
    prices = tables.prices()
    if costs.left_out:
        left_out = names(costs.left_out, SHOWN_LINES)
        yield f"Of the whole stack its sum leaves out, or holds in part only: {left_out}; and what depends on use."
    yield (
        f"USD for a month of {prices.hours_per_month} hours at AWS's list prices on demand in {prices.region}, without "
        "free tier, discounts and tax."
        + (
            f" The stack is in {plain(costs.region or '')}; it is priced as if it were not."
            if costs.is_elsewhere
            else ""
        )
    )
    if costs.tables:
        sources = [f"{code(name)}: {plain(prices.tables[name].read)}" for name in costs.tables]
        yield "\n".join(
            ["Where the prices are from (operations/report/prices.yaml):", *(f"- {each}" for each in sources)]
        )


# 3. What the policies say.


def policies(findings: Findings) -> Section:
    return Section("What the policies say", list(_policies(findings)), is_open=bool(findings.mandatory))


def _policies(findings: Findings) -> Blocks:
    found = sorted([*findings.exemptions, *findings.violations], key=lambda item: not item.mandatory)
    if found:
        yield Table(
            ("Violation", "Severity", "Resource", "What it says"), [_violation(item) for item in found]
        )
    if findings.exempted:
        rows = [(_on(item), plain(safe.text(item.message))) for item in findings.exempted]
        yield Table(("Exempt", "From what, until when, by whom, and why"), rows)
    if findings.waits:
        yield (
            f"{count(findings.waiting, 'check')} met values that only `pulumi up` will know; they are made then, "
            "before the resource is:"
        )
        yield Table(("Not evaluated yet",), [(plain(line),) for line in findings.waits])


def _violation(item: Violation) -> Sequence[str]:
    level = "**refused**" if item.mandatory else "advice"
    said = " ".join(part for part in (item.rule, item.message) if part)
    return (code(item.policy), f"{plain(item.severity)}, {level}", _on(item), plain(safe.text(said)))


def _on(item: Violation) -> str:
    return code(item.resource) if item.resource else "the stack"


# 4. How long, and how risky.


def time(risk: Risk) -> Section:
    return Section("How long it takes, and what stops", list(_time(risk)))


def _time(risk: Risk) -> Blocks:
    if risk.consequences:
        yield Table(
            ("Changed", "Input", "What it does to what runs"),
            [_consequence(item) for item in risk.consequences],
        )
    if risk.silent:
        yield (
            f"{count(risk.silent, 'other update')}, of which the table knows no interruption "
            f"(operations/report/effects.yaml; {', '.join(HARMLESS)} never interrupt)."
        )
    if risk.chain:
        yield (
            f"The longest chain takes {span(risk.seconds)}, and everything else is done beside it. The times are "
            "typical of AWS, not measured (operations/report/durations.yaml)."
        )
        steps = [(_named(link), link.work, span(link.seconds)) for link in risk.chain]
        yield Table(("One after the other", "", "Takes"), steps)


def _consequence(item: Consequence) -> Sequence[str]:
    return (_named(item), _input(item), f"**{EFFECTS[item.kind][0]}**: {plain(item.text)}")


def _input(item: Consequence) -> str:
    return "replaced" if item.input == REPLACED else code(item.input)


# All of it.


def changes(preview: Preview) -> Section:
    order = list(DONE)
    found = [change for change in preview.changes.values() if change.kind != "same"]
    found.sort(
        key=lambda change: (order.index(change.kind), not change.state.custom, change.type, change.name)
    )
    rows = [
        (DONE[change.kind], f"{code(change.name)} ({plain(short(change.type))})", names(change.changed, 6))
        for change in found
    ]
    return Section("All changes", [Table(("", "Resource", "Inputs"), rows)])
