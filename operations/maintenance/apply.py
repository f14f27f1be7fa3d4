"""`groundwork maintenance apply-now`: what AWS has waiting for this stack's own stores, brought at once.

For an emergency (FixRx guide L705-708: security patches immediately); otherwise AWS does it in the maintenance window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from operations.db import instances
from operations.exits import FOUND
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.show import show
from operations.waits import Failed, Look, Patience, carried_out

# ElastiCache API, UpdateAction: those that nobody has begun, and those that go on by themselves.
NOT_BEGUN = ["not-applied", "scheduled", "waiting-to-start"]
UNDER_WAY = ["in-progress", "stopping"]
STOPPED = "stopped"
# RDS API, PendingMaintenanceAction: what was opted into already, and only has to be waited for.
AT_ONCE = "immediate"


@dataclass(frozen=True)
class Waiting:
    """One thing that AWS will do to one store. `is_left` says whether it still waits or is under way."""

    store: str
    what: str
    why: str
    begin: Callable[[], object]
    is_left: Callable[[], bool]
    is_begun: bool = False

    def row(self) -> dict[str, Any]:
        return {"store": self.store, "what": self.what, "why": self.why, "begun": self.is_begun}

    def __str__(self) -> str:
        if self.is_begun:
            return f"wait for {self.what} of {self.store}, which AWS has begun"
        return f"apply {self.what} to {self.store} now, whatever its window: {self.why}"


def of_the_database(platform: Platform) -> Iterator[Waiting]:
    """What RDS has waiting for the primary, its replicas, or the cluster with its members."""
    if not platform.outputs.get("database"):
        return
    rds = platform.client("rds")
    for _, each in instances.everything(platform, rds):
        for action in _actions(rds, each.arn):
            yield _of_rds(rds, each, action)
        if each.pending_changes and not each.is_cluster:
            yield _of_window(rds, each)


def _actions(rds: Any, arn: str) -> list[dict[str, Any]]:
    said = rds.describe_pending_maintenance_actions(ResourceIdentifier=arn)["PendingMaintenanceActions"]
    return [
        action
        for each in said
        if each["ResourceIdentifier"] == arn
        for action in each["PendingMaintenanceActionDetails"]
    ]


def _of_rds(rds: Any, database: instances.Described, action: dict[str, Any]) -> Waiting:
    name = action["Action"]

    def is_left() -> bool:
        seen = instances.get(rds, database.identifier)
        still = any(each["Action"] == name for each in _actions(rds, database.arn))
        return still or seen is None or seen.status != "available"

    return Waiting(
        store=database.identifier,
        what=name,
        why=action.get("Description") or "RDS gives no reason",
        begin=lambda: rds.apply_pending_maintenance_action(
            ResourceIdentifier=database.arn, ApplyAction=name, OptInType=AT_ONCE
        ),
        is_left=is_left,
        is_begun=action.get("OptInStatus") == AT_ONCE,
    )


def _of_window(rds: Any, database: instances.Described) -> Waiting:
    """Changes that wait. A password is taken at once, and so never does."""
    name = database.identifier

    def is_left() -> bool:
        seen = instances.get_instance(rds, name)
        return seen is None or seen.status != "available" or bool(seen.pending_changes)

    return Waiting(
        store=name,
        what=", ".join(database.pending_changes),
        why="a change by `pulumi up` or by hand that was left to the window",
        # RDS API, ModifyDBInstance: with ApplyImmediately the whole queue of pending changes is taken.
        begin=lambda: rds.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True),
        is_left=is_left,
        is_begun=database.status != "available",
    )


def of_the_caches(platform: Platform) -> Iterator[Waiting]:
    """The service updates of ElastiCache."""
    groups = {each["replicationGroupId"]: name for name, each in platform.outputs["caches"].items()}
    if groups:
        client = platform.client("elasticache")
        for action in _updates(client, list(groups), [*NOT_BEGUN, *UNDER_WAY, STOPPED]):
            yield _of_elasticache(client, groups[action["ReplicationGroupId"]], action)


def _updates(client: Any, groups: list[str], states: list[str], name: str = "") -> list[dict[str, Any]]:
    asked = {"ServiceUpdateName": name} if name else {}
    pages = client.get_paginator("describe_update_actions").paginate(
        ReplicationGroupIds=groups, UpdateActionStatus=states, **asked
    )
    return [
        action
        for page in pages
        for action in page["UpdateActions"]
        if action.get("ReplicationGroupId") in groups
    ]


def _of_elasticache(client: Any, cache: str, action: dict[str, Any]) -> Waiting:
    group, name = action["ReplicationGroupId"], action["ServiceUpdateName"]

    def begin() -> None:
        answer = client.batch_apply_update_action(ReplicationGroupIds=[group], ServiceUpdateName=name)
        for each in answer.get("UnprocessedUpdateActions", []):
            raise Refusal(
                f"ElastiCache does not apply {name} to {group}: {each.get('ErrorMessage') or 'no reason given'}."
            )

    def is_left() -> bool:
        left = _updates(client, [group], [*NOT_BEGUN, *UNDER_WAY, STOPPED], name)
        if any(each["UpdateActionStatus"] == STOPPED for each in left):
            raise Failed(
                f"ElastiCache has stopped {name} of {group} half-way. The same command begins it again."
            )
        return bool(left)

    about = f"{action.get('ServiceUpdateSeverity', '')} {action.get('ServiceUpdateType', '')}".strip()
    return Waiting(
        store=f"cache {cache}",
        what=name,
        why=about or "ElastiCache gives no reason",
        begin=begin,
        is_left=is_left,
        is_begun=action["UpdateActionStatus"] in UNDER_WAY,
    )


def of_the_brokers(platform: Platform) -> Iterator[Waiting]:
    """What Amazon MQ takes at a restart: another version, another size, other settings."""
    brokers = platform.outputs["brokers"]
    client: Any = platform.client("mq") if brokers else None
    for name, told in brokers.items():
        broker = client.describe_broker(BrokerId=told["id"])
        pending = [key for key in sorted(broker) if key.startswith("Pending") and broker[key]]
        restarts = broker["BrokerState"] == "REBOOT_IN_PROGRESS"
        if pending or restarts:
            yield _of_mq(client, name, told["id"], pending, is_begun=restarts)


def _of_mq(client: Any, name: str, broker_id: str, pending: Sequence[str], *, is_begun: bool) -> Waiting:
    def is_left() -> bool:
        seen = client.describe_broker(BrokerId=broker_id)
        return seen["BrokerState"] != "RUNNING" or any(seen.get(key) for key in pending)

    named = ", ".join(key.removeprefix("Pending") for key in pending) or "what it was restarted for"
    return Waiting(
        store=f"broker {name}",
        what=named,
        why="a restart brings it, during which a broker of one instance is away",
        begin=lambda: client.reboot_broker(BrokerId=broker_id),
        is_left=is_left,
        is_begun=is_begun,
    )


def found(platform: Platform) -> list[Waiting]:
    return [*of_the_database(platform), *of_the_caches(platform), *of_the_brokers(platform)]


def apply_now(
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For all of it together.")] = 120,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Apply at once what AWS has waiting for the stack's database, caches and brokers, and wait until it is done.

    One after the other. Each may restart its store: seconds without it where there is a standby, minutes where there
    is none. Interrupted, AWS goes on; the same command waits for what has begun and applies the rest. A dry run says
    what waits, and ends with 1 where something does.

    \b
    Exit code
      0  nothing waits any more
      1  something waits (--dry-run), or was not done in time
      2  it was not begun

    \b
    Examples
      groundwork maintenance apply-now --stack prod --dry-run
      groundwork maintenance apply-now --stack prod
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        waiting = found(platform)
        nothing = f"AWS has nothing waiting for the stores of {platform}."
        if dry_run or not waiting:
            show([each.row() for each in waiting], as_json=json_output, nothing=nothing)
            if waiting:
                raise typer.Exit(FOUND)
            return
        confirm(platform, [str(each) for each in waiting], as_json=json_output, yes=yes)
        patience = Patience.of(timeout_minutes)
        for each in waiting:
            if not each.is_begun:
                each.begin()
            _await(each, patience)
        show([{**each.row(), "begun": True} for each in waiting], as_json=json_output, nothing=nothing)


def _await(each: Waiting, patience: Patience) -> None:
    patience.until(
        f"{each.what} of {each.store}",
        lambda: Look("under way", None if each.is_left() else True),
        otherwise="AWS goes on with it: the same command waits for it again.",
    )
