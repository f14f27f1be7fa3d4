"""`groundwork redis failover`: a replica takes over from a shard's primary, and how long that took."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
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
from operations.policy.stacks import unknown
from operations.redis import reach
from operations.redis.reach import CacheOption
from operations.waits import Look, Patience, carried_out

# What ElastiCache writes down when a replica has taken over (API reference, TestFailover).
TAKEN_OVER = re.compile(r"Failover from (primary|master) node \S+ to replica node (?P<node>\S+) completed")
EVENTS_MINUTES = 120


def failover(
    cache: CacheOption = None,
    shard: Annotated[
        str | None, typer.Option(help="Such as 0001. Left out: the only one of a cache without cluster mode.")
    ] = None,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="So long it may take.")] = 30,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Have a replica take over from the primary of a shard: a drill, or the way out of a primary that hangs.

    Clients lose their connections and writes are refused for some seconds; what the replica had not yet got is lost.
    ElastiCache allows 15 shards of an account a day.

    \b
    Exit code
      0  the replica has taken over, and the cache is whole again
      1  it was begun and is not done: ElastiCache goes on
      2  it was not begun

    \b
    Examples
      groundwork redis failover --cache queue --stack staging
      groundwork redis failover --cache cache --shard 0002 --stack prod --yes
    """
    with carried_out(as_json=as_json):
        platform = opened(system, stack, outputs)
        _, said = reach.choose(platform, cache)
        client = platform.client("elasticache")
        group = described(client, said["replicationGroupId"])
        wanted = shard_of(group, shard)
        touches = [
            f"fail shard {wanted['NodeGroupId']} of {group['ReplicationGroupId']} over to one of its replicas",
            "break the connections of its clients; what the replica has not got yet is lost",
        ]
        if not confirm(platform, touches, as_json=as_json, yes=yes, dry_run=dry_run):
            return
        before = events(client)
        client.test_failover(
            ReplicationGroupId=group["ReplicationGroupId"], NodeGroupId=wanted["NodeGroupId"]
        )
        node = Patience.of(timeout_minutes).until(
            f"Failover of shard {wanted['NodeGroupId']}",
            lambda: look(client, group["ReplicationGroupId"], wanted, before),
            otherwise="ElastiCache goes on: `aws elasticache describe-events --duration 60` says how far it is.",
            every_s=5,
        )
        name = group["ReplicationGroupId"]
        show.tell(
            f"{node} has taken over, and {name} is available.",
            {"replication_group": name, "shard": wanted["NodeGroupId"], "primary": node},
            as_json=as_json,
        )


def described(client: Any, name: str) -> Mapping[str, Any]:
    return client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def shard_of(group: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """Raises Refusal where the group cannot fail over now, for a shard that is not there, and for a choice."""
    group_id = group["ReplicationGroupId"]
    shards = {each["NodeGroupId"]: each for each in group["NodeGroups"]}
    if group["Status"] != "available":
        raise Refusal(f"{group_id} is {group['Status']}: wait until it is available.")
    if group.get("AutomaticFailover") != "enabled":
        raise Refusal(
            f"{group_id} has no automatic failover: give it a replica (caches.<name>.replicas_per_shard in the stack "
            "file)."
        )
    if name is None and len(shards) > 1:
        raise Refusal(f"{group_id} has the shards {', '.join(shards)}: say which with --shard.")
    chosen = name or next(iter(shards))
    if chosen not in shards:
        raise Refusal(unknown("shard", chosen, list(shards), of=f" of {group_id}"))
    return shards[chosen]


def events(client: Any) -> set[tuple[datetime, str]]:
    """What ElastiCache has written down lately, of all that the account has."""
    pages = client.get_paginator("describe_events").paginate(Duration=EVENTS_MINUTES)
    return {(each["Date"], each["Message"]) for page in pages for each in page["Events"]}


def look(client: Any, group: str, shard: Mapping[str, Any], before: set[tuple[datetime, str]]) -> Look[str]:
    """Whether a node of the shard has taken over since then, and the group is whole again.

    By what is new and not by its time: the clock here may be another than ElastiCache's.
    """
    node = taken_over([message for _, message in events(client) - before], _members(shard))
    status = described(client, group)["Status"]
    if node and status == "available":
        return Look("done", node)
    return Look(f"{node} has taken over, the cache is {status}" if node else f"the cache is {status}")


def _members(shard: Mapping[str, Any]) -> list[str]:
    return [each["CacheClusterId"] for each in shard.get("NodeGroupMembers", [])]


def taken_over(messages: Sequence[str], members: Sequence[str]) -> str | None:
    """The node that is the primary now, by what ElastiCache has written down."""
    for message in messages:
        found = TAKEN_OVER.search(message)
        if found and found["node"] in members:
            return found["node"]
    return None
