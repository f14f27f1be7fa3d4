"""The four answers together, before they are words."""

from dataclasses import dataclass

from operations.report import acknowledgement, findings
from operations.report.costs import Costs, costs
from operations.report.findings import Findings
from operations.report.losses import Losses, losses
from operations.report.preview import Preview, with_unchanged
from operations.report.risk import Risk, risk


@dataclass(frozen=True)
class Report:
    system: str
    stack: str
    preview: Preview
    losses: Losses
    costs: Costs
    findings: Findings | None  # None: no event log was given
    risk: Risk

    @property
    def is_blocked(self) -> bool:
        return bool(self.losses.blocking)


def build(
    preview: Preview,
    log: findings.Log | None,
    *,
    system: str | None = None,
    stack: str | None = None,
    acknowledged: str = "",
) -> Report:
    """`acknowledged` is the text of the pull request."""
    if log and not preview.lists_all:
        preview = with_unchanged(preview, log.unchanged)
    system = system or preview.system or "stack"
    return Report(
        system=system,
        # One project holds all systems, so the engine calls the stacks of most of them `fixrx-prod`.
        stack=stack or (preview.stack or "unknown").removeprefix(f"{system}-"),
        preview=preview,
        losses=losses(preview, acknowledgement.read(acknowledged)),
        costs=costs(preview),
        findings=log.findings if log else None,
        risk=risk(preview),
    )
