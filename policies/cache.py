"""Redis and Valkey on ElastiCache."""

from collections.abc import Sequence

from rules import Count, Findings, Props, Rule, at, given, given_at, is_set, literal, rule, version

REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CLUSTER = "aws:elasticache/cluster:Cluster"
SERVERLESS = "aws:elasticache/serverlessCache:ServerlessCache"
PARAMETER_GROUP = "aws:elasticache/parameterGroup:ParameterGroup"
USER = "aws:elasticache/user:User"

ENGINES = {"redis", "valkey"}
DANGEROUS_COMMANDS = ("FLUSHDB", "FLUSHALL", "KEYS")
# The ACL categories that hold one of those commands (Redis ACL documentation, "Command categories").
CATEGORIES = {"@all", "@keyspace", "@read", "@write", "@slow", "@dangerous"}

RULES: list[Rule] = []


@rule(
    RULES,
    "cache-auth-required",
    types=[REPLICATION_GROUP, CLUSTER, SERVERLESS, USER],
    severity="critical",
    why="Whoever reaches the port of a cache without a password reads every session and every job in it.",
    remedy="Use a ReplicationGroup with authToken or userGroupIds (a Cluster of its own can have neither), "
    "a ServerlessCache with userGroupId, and users with passwords or IAM",
    checklist=["C20"],
    frameworks=["FSBP ElastiCache.6", "CKV_AWS_31"],
)
def cache_auth_required(props: Props, resource_type: str) -> Findings:
    """A cache asks who is there."""
    if resource_type == CLUSTER:
        if props.get("engine") in ENGINES:
            yield f"{given(props, 'engine')} on a Cluster of its own"
    elif resource_type == SERVERLESS:
        if props.get("engine") in ENGINES and not is_set(props, "userGroupId"):
            yield given(props, "userGroupId")
    elif resource_type == USER:
        if props.get("noPasswordRequired"):
            yield given(props, "noPasswordRequired")
        if at(props, "authenticationMode.type") == "no-password-required":
            yield given_at(props, "authenticationMode.type")
    elif not any(is_set(props, name) for name in ("authToken", "authTokenWo", "userGroupIds")):
        yield "neither authToken nor userGroupIds is set"


@rule(
    RULES,
    "cache-transit-encryption",
    types=[REPLICATION_GROUP],
    severity="high",
    why="The password and the sessions would cross the network in the clear.",
    remedy='Set transitEncryptionEnabled to true and leave transitEncryptionMode at "required"',
    checklist=["C21"],
    frameworks=["FSBP ElastiCache.5", "CKV_AWS_30"],
    must_know=True,
)
def cache_transit_encryption(props: Props) -> Findings:
    """A cache only speaks TLS."""
    if props.get("transitEncryptionEnabled") is not True:
        yield given(props, "transitEncryptionEnabled")
    elif props.get("transitEncryptionMode") == "preferred":
        yield f"{given(props, 'transitEncryptionMode')}, which lets clients in without TLS"


@rule(
    RULES,
    "cache-at-rest-encryption",
    types=[REPLICATION_GROUP],
    severity="high",
    why="Snapshots and swapped memory of an unencrypted cache can be read by whoever gets hold of them.",
    remedy="Set atRestEncryptionEnabled to true and kmsKeyId to the data key; it cannot be changed later",
    checklist=["C23"],
    frameworks=["FSBP ElastiCache.4", "CKV_AWS_29"],
    must_know=True,
)
def cache_at_rest_encryption(props: Props) -> Findings:
    """A cache is encrypted at rest."""
    if props.get("atRestEncryptionEnabled") is not True:
        yield given(props, "atRestEncryptionEnabled")


def is_sharded(props: Props) -> bool:
    return props.get("clusterMode") == "enabled" or (props.get("numNodeGroups") or 1) > 1


@rule(
    RULES,
    "cache-cluster-shape",
    types=[REPLICATION_GROUP],
    severity="medium",
    why="Without a replica that takes over, a failed node loses its share of the sessions and the jobs.",
    remedy="Set automaticFailoverEnabled and multiAzEnabled to true and give every shard a replica "
    "(stack file: caches.<name>.shards and .replicas_per_shard)",
    checklist=["C24"],
    frameworks=["FSBP ElastiCache.3", "CKV2_AWS_50"],
    must_know=True,
)
def cache_cluster_shape(
    props: Props, *, minimum_shards: Count = 3, minimum_replicas_per_shard: Count = 1
) -> Findings:
    """A cache survives the loss of a node and of a zone; in cluster mode it has at least three shards."""
    for name in ("automaticFailoverEnabled", "multiAzEnabled"):
        if props.get(name) is not True:
            yield given(props, name)
    if is_sharded(props) and (props.get("numNodeGroups") or 1) < minimum_shards:
        yield f"{given(props, 'numNodeGroups')}, at least {minimum_shards} shards are asked for"
    nodes = props.get("numCacheClusters")
    replicas = int(nodes) - 1 if nodes else int(props.get("replicasPerNodeGroup") or 0)
    if replicas < minimum_replicas_per_shard:
        name = "numCacheClusters" if nodes else "replicasPerNodeGroup"
        yield f"{given(props, name)}, at least {minimum_replicas_per_shard} replica for each shard is asked for"


@rule(
    RULES,
    "cache-dangerous-commands-blocked",
    types=[PARAMETER_GROUP, REPLICATION_GROUP, USER],
    severity="medium",
    why="FLUSHDB and FLUSHALL empty the cache in one call, and KEYS stops every other client while it runs.",
    remedy='Set the parameter rename-commands to "FLUSHDB blocked FLUSHALL blocked KEYS blocked" in a parameter group '
    "of the cache's own, or take the commands away in accessString (-flushdb -flushall -keys)",
    checklist=["C22"],
)
def cache_dangerous_commands_blocked(
    props: Props, resource_type: str, *, commands: Sequence[str] = DANGEROUS_COMMANDS
) -> Findings:
    """Nobody can empty or block a cache with one command."""
    if resource_type == USER:
        allowed = [command for command in commands if _acl_allows(str(props.get("accessString")), command)]
        if allowed:
            yield f"accessString allows {', '.join(allowed)}"
    elif resource_type == PARAMETER_GROUP:
        if str(props["family"]).startswith(("redis", "valkey")):
            yield from _renamed(props, commands)
    elif not is_set(props, "userGroupIds"):
        group = literal(props, "parameterGroupName")
        if not is_set(props, "parameterGroupName") or str(group).startswith("default."):
            yield given(props, "parameterGroupName")


def _renamed(props: Props, commands: Sequence[str]) -> Findings:
    values = {parameter["name"]: parameter["value"] for parameter in props.get("parameters") or []}
    words = str(values.get("rename-commands") or "").upper().split()
    blocked = {
        command for command, new_name in zip(words[::2], words[1::2], strict=False) if new_name == "BLOCKED"
    }
    missing = [command for command in commands if command.upper() not in blocked]
    if missing:
        yield f"the parameter rename-commands does not block {', '.join(missing)}"


def _acl_allows(access_string: str, command: str) -> bool:
    """ACL rules apply from left to right; the last word about a command decides."""
    allowed = False
    for word in access_string.lower().split():
        if word in {"allcommands", "nocommands"}:
            allowed = word == "allcommands"
        elif word[1:] == command.lower() or word[1:] in CATEGORIES:
            allowed = word[0] == "+"
    return allowed


@rule(
    RULES,
    "cache-engine-version-min",
    types=[REPLICATION_GROUP, SERVERLESS],
    severity="medium",
    why="Redis 6 and older are past their end of life.",
    remedy="Set engineVersion, or majorEngineVersion of a ServerlessCache "
    "(stack file: caches.<name>.engine_version)",
    checklist=["C26"],
    must_know=True,
)
def cache_engine_version_min(props: Props, resource_type: str, *, minimum: str = "7.0") -> Findings:
    """A cache runs a version that is still maintained."""
    if resource_type == SERVERLESS:
        # Has the newest where none is named, and knows majors only.
        name, asked = "majorEngineVersion", minimum.partition(".")[0]
        if props.get("engine") not in ENGINES or props.get(name) is None:
            return
    else:
        name, asked = "engineVersion", minimum
    if version(str(props.get(name) or "")) < version(asked):
        yield f"{given(props, name)}, at least {asked} is asked for"


@rule(
    RULES,
    "cache-snapshots",
    types=[REPLICATION_GROUP, SERVERLESS],
    severity="low",
    why="A cache that holds jobs or sessions comes back empty without a snapshot.",
    remedy="Set snapshotRetentionLimit (stack file: caches.<name>.snapshot_retention_days)",
    checklist=["C25"],
    frameworks=["FSBP ElastiCache.1", "CKV_AWS_134"],
    advisory=True,
)
def cache_snapshots(props: Props, *, minimum_days: Count = 1) -> Findings:
    """A cache is saved every day; Memcached cannot be."""
    if props.get("engine") != "memcached" and (props.get("snapshotRetentionLimit") or 0) < minimum_days:
        yield f"{given(props, 'snapshotRetentionLimit')}, at least {minimum_days} days are asked for"
