"""`groundwork redis snapshot`: a copy of the cache by ElastiCache, which BGSAVE is not allowed to make there."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    OutputsOption,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.redis import reach
from operations.redis.reach import CacheOption
from operations.waits import Failed, Look, Patience, carried_out

MADE_BY = "groundwork:made-by"
LONGEST_NAME = 255


def snapshot(
    cache: CacheOption = None,
    name: Annotated[
        str | None, typer.Option(help="What it is called; one of that name that is on its way is waited for.")
    ] = None,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="So long it may take.")] = 60,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Make a snapshot of a cache, and wait until it can be restored from. It stays until somebody deletes it.

    ElastiCache takes it from a replica where there is one; the daily ones go on beside it.

    \b
    Exit code
      0  it is there
      1  it was begun and is not there: the sentence says what goes on
      2  it was not begun

    \b
    Examples
      groundwork redis snapshot --cache queue --stack prod
      groundwork redis snapshot --cache queue --stack prod --name before-upgrade --yes
    """
    with carried_out():
        platform = opened(system, stack, outputs)
        _, said = reach.choose(platform, cache)
        group = said["replicationGroupId"]
        wanted = name or f"{group}-by-hand-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        if len(wanted) > LONGEST_NAME:
            raise Refusal(f"A snapshot's name has at most {LONGEST_NAME} characters, not {len(wanted)}.")
        client = platform.client("elasticache")
        if not confirm(platform, [f"make the snapshot {wanted} of {group}"], yes=yes, dry_run=dry_run):
            return
        _begin(client, group, wanted)
        made = Patience.of(timeout_minutes).until(
            f"Snapshot {wanted}",
            lambda: _look(client, wanted),
            otherwise=f"ElastiCache goes on: `groundwork redis snapshot --name {wanted}` waits for it again.",
        )
        typer.echo(
            f"{made} is there. To restore it, name it as `snapshot_name` of a new cache; `aws elasticache "
            f"delete-snapshot --snapshot-name {made}` deletes it."
        )


def _begin(client: Any, group: str, name: str) -> None:
    """Nothing where it is on its way already. Raises Refusal where another cache has one of that name."""
    try:
        client.create_snapshot(
            ReplicationGroupId=group, SnapshotName=name, Tags=[{"Key": MADE_BY, "Value": "redis snapshot"}]
        )
    except client.exceptions.SnapshotAlreadyExistsFault:
        [there] = client.describe_snapshots(SnapshotName=name)["Snapshots"]
        if there.get("ReplicationGroupId") != group:
            raise Refusal(
                f"{there.get('ReplicationGroupId')} has a snapshot {name} already. Name another."
            ) from None


def _look(client: Any, name: str) -> Look[str]:
    found = client.describe_snapshots(SnapshotName=name)["Snapshots"]
    status = found[0]["SnapshotStatus"] if found else "gone"
    if status in ("failed", "gone", "deleting"):
        raise Failed(f"The snapshot {name} is {status}. `aws elasticache describe-events` says why.")
    return Look(status, name if status == "available" else None)
