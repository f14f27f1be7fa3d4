"""The comment: a summary first, then one folded section for each question."""

from collections.abc import Sequence

from operations.report import sections
from operations.report.findings import Findings
from operations.report.markdown import Section, Table, code, fit
from operations.report.report import Report
from operations.report.summary import summary

# GitHub's own limit is 65,536 characters; some are left for the lines around it (operations/comments.py).
LIMIT = 62_000


def marker(system: str, stack: str) -> str:
    """By this line a pipeline finds its own comment again; a name cannot end the HTML comment that it is."""
    name = "".join(letter for letter in f"{system}/{stack}" if letter.isalnum() or letter in "/._-")
    while "--" in name:
        name = name.replace("--", "-")
    return f"<!-- groundwork report: {name} -->"


def comment(report: Report, *, diff: str | None = None, limit: int = LIMIT) -> str:
    """GitHub's Markdown, at most `limit` characters; `diff` is the name of the file with the full diff."""
    lost, cost, policies, time, changes = (
        sections.lost(report.losses),
        sections.cost(report.costs),
        sections.policies(report.findings or Findings()),
        sections.time(report.risk),
        sections.changes(report.preview),
    )
    shown = [section for section in (lost, cost, policies, time, changes) if _says_something(section)]
    head = f"{marker(report.system, report.stack)}\n\n{summary(report, diff)}"
    rest = f"see {code(diff)}" if diff else "see the preview itself"
    return fit(head, shown, limit, rest, _tables([changes, cost, time, policies, lost]))


def _says_something(section: Section) -> bool:
    return any(not isinstance(block, Table) or block.rows for block in section.blocks)


def _tables(least_important_first: Sequence[Section]) -> list[Table]:
    """In the order in which they lose rows: within a section the last one first."""
    return [
        block
        for section in least_important_first
        for block in reversed(section.blocks)
        if isinstance(block, Table)
    ]
