"""ElastiCache: subnet groups and users change, groups go away when deleted, and every endpoint is told."""

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse

from local.emulator_repairs import put

_create_replication_group = ElastiCacheResponse.create_replication_group
_modify_replication_group = ElastiCacheResponse.modify_replication_group
_delete_replication_group = ElastiCacheBackend.delete_replication_group

# What a modify call may change and moto does not look at.
_IGNORED = {
    "CacheParameterGroupName": "cache_parameter_group_name",
    "EngineVersion": "engine_version",
    "NotificationTopicArn": "notification_topic_arn",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "SecurityGroupIds": "security_group_ids",
    "SnapshotWindow": "snapshot_window",
}


def modify_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    name = self._get_param("CacheSubnetGroupName")
    group = self.elasticache_backend.describe_cache_subnet_groups(name)[0]
    group.subnet_ids = self._get_param("SubnetIds", group.subnet_ids)
    group.cache_subnet_group_description = self._get_param(
        "CacheSubnetGroupDescription", group.cache_subnet_group_description
    )
    return ActionResult({"CacheSubnetGroup": group})


def delete_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    name = self._get_param("CacheSubnetGroupName")
    self.elasticache_backend.describe_cache_subnet_groups(name)
    del self.elasticache_backend.cache_subnet_groups[name]
    return ActionResult({})


def describe_update_actions(_: ElastiCacheResponse) -> ActionResult:
    """Nothing here is ever updated."""
    return ActionResult({"UpdateActions": []})


def modify_user(self: ElastiCacheResponse) -> ActionResult:
    user = self.elasticache_backend.describe_users(self._get_param("UserId"))[0]
    user.access_string = self._get_param("AccessString", user.access_string)
    user.passwords = self._get_param("Passwords", user.passwords)
    return ActionResult(user)


def create_replication_group(self: ElastiCacheResponse) -> ActionResult:
    """Cluster mode also follows from its parameter group, as on AWS; what answers for the replicas has an address."""
    params = self._get_params()
    answer = _create_replication_group(self)
    group = self.elasticache_backend.replication_groups[params["ReplicationGroupId"]]
    if "cluster.on" in params.get("CacheParameterGroupName", "") or int(params.get("NumNodeGroups", 1)) > 1:
        group.cluster_enabled = True
        address = f"clustercfg.{group.replication_group_id}.use1.cache.amazonaws.com"
        group.configuration_endpoint = {"address": address, "port": group.port}
    for node_group in group.node_groups:
        if "reader_endpoint_address" in node_group:
            address = node_group["reader_endpoint_address"]
            node_group["reader_endpoint"] = {"address": address, "port": group.port}
    return answer


def modify_replication_group(self: ElastiCacheResponse) -> ActionResult:
    answer = _modify_replication_group(self)
    result: Any = answer.result
    for param, attribute in _IGNORED.items():
        value = self._get_param(param)
        if value is not None:
            setattr(result["ReplicationGroup"], attribute, value)
    return answer


def delete_replication_group(
    self: ElastiCacheBackend, replication_group_id: str, retain_primary_cluster: Any = None
) -> ReplicationGroup:
    group = _delete_replication_group(self, replication_group_id, retain_primary_cluster)
    del self.replication_groups[replication_group_id]
    return group


put(
    ElastiCacheResponse,
    modify_cache_subnet_group,
    delete_cache_subnet_group,
    describe_update_actions,
    modify_user,
    create_replication_group,
    modify_replication_group,
)
put(ElastiCacheBackend, delete_replication_group)
