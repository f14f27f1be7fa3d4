"""What is asked of a stack each day, week and month: the five products' procedures, as calls of `groundwork`.

FixRx guide L484-542 (daily, weekly, monthly) and L701-703 (their windows), RentalFix guide L571-591, Nx monorepo guide
L599-604, sports-nutrition guide L489-503; docs/operations.md says it in words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from operations.exits import FOUND
from operations.platform import Outputs

Takes = Literal["system", "stack", "outputs"]
STANDING: tuple[Takes, ...] = ("system", "stack", "outputs")
MAX_PROOF_AGE_DAYS = 8


def _always(_: Outputs) -> bool:
    return True


def _has_database(outputs: Outputs) -> bool:
    return bool(outputs["database"])


def _counts_statements(outputs: Outputs) -> bool:
    database = outputs["database"]
    return bool(database) and "pg_stat_statements" in database["declared"]["extensions"]


def _has_vacuum(outputs: Outputs) -> bool:
    return "vacuum" in outputs["tasks"]


def _has_backups(outputs: Outputs) -> bool:
    return bool(outputs["backups"]["vault"] or outputs["backups"]["bucket"])


def _is_public(outputs: Outputs) -> bool:
    return bool(outputs["healthUrls"])


def _has_pipeline(outputs: Outputs) -> bool:
    return bool(outputs["pipeline"]["previewRole"])


@dataclass(frozen=True, kw_only=True)
class Step:
    """`call` is what is typed after `groundwork`, without the options of `takes`, which are the stack's.

    `well` is the exit code that is good news. `changes` says in words what it changes; such a step is confirmed once,
    at the beginning, and then called with --yes. `reaches` marks what goes into the database, and so takes --via.
    """

    call: str
    asks: str
    well: int = 0
    changes: str = ""
    reaches: bool = False
    takes: Sequence[Takes] = STANDING
    needed: Callable[[Outputs], bool] = _always


DAILY = [
    Step(call="status", asks="services, stores, alarms, backups, certificates"),
    Step(call="verify health targets", asks="does everything public answer", needed=_is_public),
    Step(call="logs --errors --since 1d -n 10", asks="errors of the last day", well=FOUND),
    Step(call="backup status", asks="is each backup young enough", needed=_has_backups),
    Step(call="images findings --fail-on high", asks="known weaknesses of what runs"),
    Step(call="alerts status", asks="does an alarm reach somebody"),
    Step(call="maintenance apply-now --dry-run", asks="what AWS has waiting"),
]
WEEKLY = [
    Step(
        call="logs vacuum --since 7d -n 20",
        asks="what the scheduled VACUUM said",
        needed=_has_vacuum,
    ),
    Step(
        call="db tables --by bloat --limit 10",
        asks="tables with the most dead rows",
        reaches=True,
        needed=_has_database,
    ),
    Step(call="verify tls", asks="certificates: days left, chain, versions", needed=_is_public),
    Step(
        call=f"backup status --proved-within {MAX_PROOF_AGE_DAYS}",
        asks="was a restore proved this week",
        needed=_has_backups,
    ),
    Step(call="secrets check", asks="empty, weak or shared secrets"),
    Step(call="policy exemptions --within 30", asks="exemptions that end soon", takes=()),
    Step(call="images list", asks="which versions run"),
]
MONTHLY = [
    Step(call="db check", asks="is the database what is declared", reaches=True, needed=_has_database),
    Step(
        call="db reindex",
        asks="indexes that are not valid",
        changes="build anew the indexes of the database that are not valid",
        reaches=True,
        needed=_has_database,
    ),
    Step(
        call="db tables --by inserts --limit 10",
        asks="the ten tables with the most inserts",
        reaches=True,
        needed=_has_database,
    ),
    Step(
        call="db slow --limit 10",
        asks="the statements that take the most time",
        reaches=True,
        needed=_counts_statements,
    ),
    Step(
        call="db indexes --unused --by size",
        asks="indexes that nobody reads",
        reaches=True,
        needed=_has_database,
    ),
    Step(
        call="backup verify",
        asks="does the newest backup come back",
        changes="restore the newest backup beside the original, and remove the copy",
        needed=_has_backups,
    ),
    Step(call="secrets age --max-age-days 90", asks="secrets that are old"),
    Step(call="network audit", asks="ports that nobody declared"),
    Step(call="verify headers cors redirect metrics", asks="the edge as it is declared", needed=_is_public),
    Step(call="policy check", asks="the security checklist", takes=("system", "stack")),
    Step(
        call="repo",
        asks="is the branch protected that is deployed",
        takes=("system", "stack"),
        needed=_has_pipeline,
    ),
]
