"""Redis or Valkey on ElastiCache: one replication group, TLS and AUTH only, and how it is watched.

ElastiCache has no `save`, `appendonly`, `maxmemory` and `tcp-backlog` to set (ElastiCache guide, "Engine
specific parameters"): daily snapshots, replicas in other zones and the node type stand in for them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components._watch import Comparison, Metric, Severity, Watch

PORT = 6379
LONGEST_NAME = 32  # a replication group's id has 40 at most, and Pulumi adds 8 of its own
# What an AUTH token may hold beside letters and digits (ElastiCache guide, "Authenticating with AUTH").
AUTH_TOKEN_SPECIAL = "!&#$^<>-"
_VERSION = re.compile(r"\d+\.\d+")
LOGS = ("slow-log", "engine-log")


@dataclass(frozen=True, kw_only=True)
class CacheArgs:
    """`shards` is 1 without cluster mode; windows are UTC; `auth_token` 16 to 128 characters.

    `log_group_prefix` "/rentalfix/prod/cache" also names the final snapshot: rentalfix-prod-cache-final.
    Raises ValueError, with all that is wrong, on versions before 7, on shards and replicas outside AWS's
    limits, and on parameters that are set here.
    """

    engine: Literal["redis", "valkey"]
    engine_version: str
    node_type: str
    cluster_mode: bool
    shards: int
    replicas_per_shard: int
    parameters: Mapping[str, str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    data_key_arn: pulumi.Input[str]
    auth_token: pulumi.Input[str]
    snapshot_retention_days: int
    snapshot_window: str
    maintenance_window: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    log_group_prefix: str
    protect: bool
    replication_group_id: str | None = None  # None: the engine makes one
    evictions_per_5_minutes: int | None = None  # a product's own figure; None: 1000, three times in a row
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if found := [*self._version_problems(), *self._shape_problems()]:
            raise ValueError(f"cache {self.log_group_prefix}: " + "; ".join(found))

    @property
    def family(self) -> str:
        return f"{self.engine}{self.engine_version.split('.')[0]}"

    def _version_problems(self) -> list[str]:
        if not _VERSION.fullmatch(self.engine_version):
            return [f"engine_version must be like 7.1, got {self.engine_version!r}"]
        major = int(self.engine_version.split(".")[0])
        if self.engine == "redis" and major != 7:
            return [f"engine_version of redis must be 7.x, ElastiCache's last, got {self.engine_version}"]
        if major < 7:
            return [f"engine_version of valkey must be 7.2 or later, got {self.engine_version}"]
        return []

    def _shape_problems(self) -> list[str]:
        found = []
        if not self.cluster_mode and self.shards != 1:
            found.append(f"shards must be 1 without cluster_mode, got {self.shards}")
        if not 1 <= self.shards <= 90:
            found.append(f"shards must be 1 to 90, ElastiCache's default quota, got {self.shards}")
        if not 0 <= self.replicas_per_shard <= 5:
            found.append(f"replicas_per_shard must be 0 to 5, got {self.replicas_per_shard}")
        if not 0 <= self.snapshot_retention_days <= 35:
            found.append(f"snapshot_retention_days must be 0 to 35, got {self.snapshot_retention_days}")
        if "cluster-enabled" in self.parameters:
            found.append("parameter cluster-enabled follows from cluster_mode; leave it out")
        return found


class Cache(pulumi.ComponentResource):
    """`endpoint` is the configuration endpoint in cluster mode, else the primary's.

    `reader_endpoint` spreads reads over the replicas, and leads to the primary where there is none; in cluster mode it
    is the configuration endpoint too, from which clients learn who has a copy of which slot.
    """

    endpoint: pulumi.Output[str]
    reader_endpoint: pulumi.Output[str]
    port: int
    replication_group_id: pulumi.Output[str]
    watches: list[Watch]

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"cache {name}: its name may have {LONGEST_NAME} characters, got {len(name)}")
        super().__init__("groundwork:data:Cache", name, None, opts)
        self._prefix, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        group = self._replication_group()
        self.replication_group_id = group.replication_group_id
        self.endpoint = (
            group.configuration_endpoint_address if args.cluster_mode else group.primary_endpoint_address
        )
        self.reader_endpoint = (
            group.configuration_endpoint_address if args.cluster_mode else group.reader_endpoint_address
        )
        self.port = PORT
        self.watches = [watch for shard in self._shards() for watch in self._shard_watches(shard)]
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "reader_endpoint": self.reader_endpoint,
                "port": self.port,
                "replication_group_id": self.replication_group_id,
            }
        )

    def hit_ratio_watches(
        self, name: str, threshold: float, severity: Severity, description: str
    ) -> list[Watch]:
        """One watch per shard on hits / (hits + misses) falling below `threshold` (0 to 1) for 10 minutes.

        Per shard, since an alarm takes ten metrics and a node has two of them.
        """
        return [
            self._hit_ratio_watch(shard, name, threshold, severity, description) for shard in self._shards()
        ]

    def _hit_ratio_watch(
        self, shard: str, name: str, threshold: float, severity: Severity, description: str
    ) -> Watch:
        nodes = self._nodes(shard)[:5]
        hits = [self._metric(f"hits{n}", node, "CacheHits", "Sum") for n, node in enumerate(nodes)]
        misses = [self._metric(f"misses{n}", node, "CacheMisses", "Sum") for n, node in enumerate(nodes)]
        return Watch(
            name=f"{self._prefix}{shard}-{name}",
            description=description,
            severity=severity,
            threshold=threshold,
            comparison="LessThanThreshold",
            evaluation_periods=2,
            metrics=[*hits, *misses],
            expression=f"SUM({_listed(hits)}) / SUM({_listed([*hits, *misses])})",
        )

    def _named(self, name: str) -> dict[str, str]:
        return {**self._args.tags, "Name": name}

    def _parameter_group(self) -> aws.elasticache.ParameterGroup:
        # Family and mode are in the name: a group in use can change neither, and the new one comes first.
        args = self._args
        label = f"{self._prefix}-{args.family}" + ("-cluster" if args.cluster_mode else "")
        values = {**args.parameters, **({"cluster-enabled": "yes"} if args.cluster_mode else {})}
        return aws.elasticache.ParameterGroup(
            label,
            family=args.family,
            description=f"{self._prefix}: {args.engine} {args.engine_version}",
            parameters=[{"name": name, "value": value} for name, value in sorted(values.items())],
            tags=self._named(label),
            opts=self._child,
        )

    def _log_group(self, log: str) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{self._prefix}-{log}",
            name=f"{self._args.log_group_prefix}/{log}",
            retention_in_days=self._args.log_retention_days,
            kms_key_id=self._args.log_key_arn,
            tags=self._named(f"{self._prefix}-{log}"),
            opts=self._child,
        )

    def _replication_group(self) -> aws.elasticache.ReplicationGroup:
        args = self._args
        subnets = aws.elasticache.SubnetGroup(
            self._prefix,
            subnet_ids=args.subnet_ids,
            description=f"{self._prefix}: isolated subnets",
            tags=self._named(self._prefix),
            opts=self._child,
        )
        final_snapshot = f"{args.log_group_prefix.strip('/').replace('/', '-')}-final"
        return aws.elasticache.ReplicationGroup(
            self._prefix,
            replication_group_id=args.replication_group_id,
            description=f"{self._prefix}: {args.engine} {args.engine_version}",
            engine=args.engine,
            engine_version=args.engine_version,
            node_type=args.node_type,
            port=PORT,
            parameter_group_name=self._parameter_group().name,
            cluster_mode="enabled" if args.cluster_mode else "disabled",
            num_node_groups=args.shards if args.cluster_mode else None,
            replicas_per_node_group=args.replicas_per_shard if args.cluster_mode else None,
            num_cache_clusters=None if args.cluster_mode else 1 + args.replicas_per_shard,
            # AWS refuses zone spread without a replica, and cluster mode without failover.
            automatic_failover_enabled=args.cluster_mode or args.replicas_per_shard > 0,
            multi_az_enabled=args.replicas_per_shard > 0,
            subnet_group_name=subnets.name,
            security_group_ids=[args.security_group_id],
            at_rest_encryption_enabled=True,
            kms_key_id=args.data_key_arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=args.auth_token,
            auth_token_update_strategy="ROTATE",
            auto_minor_version_upgrade=True,
            snapshot_retention_limit=args.snapshot_retention_days,
            snapshot_window=args.snapshot_window,
            final_snapshot_identifier=final_snapshot if args.protect else None,
            maintenance_window=args.maintenance_window,
            log_delivery_configurations=[
                {
                    "destination_type": "cloudwatch-logs",
                    "destination": self._log_group(log).name,
                    "log_format": "json",
                    "log_type": log,
                }
                for log in LOGS
            ],
            tags=self._named(self._prefix),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect),
        )

    def _shards(self) -> list[str]:
        """What ElastiCache puts behind the group's id to name each shard's nodes; "" without cluster mode."""
        if not self._args.cluster_mode:
            return [""]
        return [f"-{shard:04}" for shard in range(1, self._args.shards + 1)]

    def _nodes(self, shard: str) -> list[pulumi.Output[str]]:
        count = 1 + self._args.replicas_per_shard
        return [
            pulumi.Output.concat(self.replication_group_id, f"{shard}-{node:03}")
            for node in range(1, count + 1)
        ]

    def _metric(self, id_: str, node: pulumi.Output[str], metric_name: str, stat: str) -> Metric:
        return Metric(
            id=id_,
            namespace="AWS/ElastiCache",
            metric_name=metric_name,
            stat=stat,
            dimensions={"CacheClusterId": node},
        )

    def _highest(
        self,
        shard: str,
        part: str,
        metric_name: str,
        threshold: float,
        description: str,
        *,
        severity: Severity = "warning",
        stat: str = "Maximum",
        comparison: Comparison = "GreaterThanThreshold",
        minutes: int = 15,
    ) -> Watch:
        """The node of the shard that is worst off, for so many minutes."""
        metrics = [
            self._metric(f"node{place}", node, metric_name, stat)
            for place, node in enumerate(self._nodes(shard))
        ]
        return Watch(
            name=f"{self._prefix}{shard}-{part}",
            description=description,
            severity=severity,
            threshold=threshold,
            comparison=comparison,
            evaluation_periods=minutes // 5,
            metrics=metrics,
            expression=f"MAX({_listed(metrics)})" if len(metrics) > 1 else None,
        )

    def _shard_watches(self, shard: str) -> list[Watch]:
        evictions = self._args.evictions_per_5_minutes
        watches = [
            self._highest(
                shard,
                "cpu",
                "EngineCPUUtilization",
                80,
                "Percent of the one core that runs commands: beyond it every command waits.",
                stat="Average",
            ),
            self._highest(
                shard,
                "connections",
                "CurrConnections",
                50_000,
                "Connections (count) of the 65,000 that a node takes.",
            ),
        ]
        policy = self._args.parameters.get("maxmemory-policy", "")
        evicts_anything = policy.startswith("allkeys-")
        if not evicts_anything:
            watches.append(
                self._highest(
                    shard,
                    "memory",
                    "DatabaseMemoryUsagePercentage",
                    80,
                    "Percent of memory in use: keys here are not simply evicted, so when it is full, writes fail.",
                    severity="critical",
                )
            )
        # A volatile-* cache evicts too, but only keys with a time to live: watched where the product gives a figure.
        if evicts_anything or (policy.startswith("volatile-") and evictions is not None):
            watches.append(
                self._highest(
                    shard,
                    "evictions",
                    "Evictions",
                    1000 if evictions is None else evictions,
                    f"Keys evicted in 5 minutes (count), more than {1000 if evictions is None else evictions}: "
                    "the cache is too small for what it is asked.",
                    stat="Sum",
                    minutes=15 if evictions is None else 5,
                )
            )
        if self._args.replicas_per_shard:
            watches.append(
                self._highest(
                    shard,
                    "lag",
                    "ReplicationLag",
                    10,
                    "Seconds that a replica is behind: a failover now would lose as much.",
                )
            )
        return watches


def _listed(metrics: Sequence[Metric]) -> str:
    return "[" + ", ".join(metric.id for metric in metrics) + "]"
