"""`groundwork redis snapshot`: a copy of the cache by ElastiCache, which BGSAVE is not allowed to make there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations import show
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
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
    as_json: JsonOption = False,
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
    with carried_out(as_json=as_json):
        platform = opened(system, stack, outputs)
        _, said = reach.choose(platform, cache)
        group = said["replicationGroupId"]
        wanted = checked(name or name_of(group, "by-hand", datetime.now(UTC)))
        client = platform.client("elasticache")
        if not confirm(
            platform, [f"make the snapshot {wanted} of {group}"], as_json=as_json, yes=yes, dry_run=dry_run
        ):
            return
        made = taken(client, group, wanted, {MADE_BY: "redis snapshot"}, Patience.of(timeout_minutes))
        show.tell(
            f"{made} is there. To restore it, name it as `snapshot_name` of a new cache; `aws elasticache "
            f"delete-snapshot --snapshot-name {made}` deletes it.",
            {"snapshot": made, "replication_group": group},
            as_json=as_json,
        )


def name_of(group: str, why: str, now: datetime) -> str:
    """`rentfix-queue-by-hand-20261126-030000`; the time is UTC."""
    return f"{group}-{why}-{now:%Y%m%d-%H%M%S}"


def checked(name: str) -> str:
    """Raises Refusal for one that ElastiCache does not take."""
    if len(name) > LONGEST_NAME:
        raise Refusal(f"A snapshot's name has at most {LONGEST_NAME} characters, not {len(name)}.")
    return name


def taken(client: Any, group: str, name: str, tags: Mapping[str, str], patience: Patience) -> str:
    """Begun where it is not yet, and waited for; its name. Raises Refusal, and `Failed`."""
    _begin(client, group, name, tags)
    return patience.until(
        f"Snapshot {name}",
        lambda: _look(client, name),
        otherwise=f"ElastiCache goes on: `groundwork redis snapshot --name {name}` waits for it again.",
    )


def _begin(client: Any, group: str, name: str, tags: Mapping[str, str]) -> None:
    """Nothing where it is on its way already. Raises Refusal where another cache has one of that name."""
    try:
        client.create_snapshot(
            ReplicationGroupId=group,
            SnapshotName=name,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
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
