"""RDS: a changed subnet group stays, a parameter goes back to its default, a proxy can be changed and be gone."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBProxyNotFoundFault
from moto.rds.models import DBProxy, DBSubnetGroup, RDSBackend
from moto.rds.responses import RDSResponse

from local.emulator_repairs import put

_init = RDSBackend.__init__
_modify_db_subnet_group = RDSBackend.modify_db_subnet_group


def modify_db_subnet_group(
    self: RDSBackend, subnet_name: str, description: str, subnets: list[Any]
) -> DBSubnetGroup:
    group = _modify_db_subnet_group(self, subnet_name, description, subnets)
    self.subnet_groups[subnet_name] = group
    return group


def reset_db_parameter_group(self: RDSResponse) -> ActionResult:
    name = self.params["DBParameterGroupName"]
    group = self.backend.describe_db_parameter_groups({"db_parameter_group_name": name})[0]
    for parameter in self.params.get("Parameters", []):
        group.parameters.pop(parameter.original_dict()["ParameterName"], None)
    return ActionResult({"DBParameterGroupName": name})


def describe_pending_maintenance_actions(_: RDSResponse) -> ActionResult:
    """Nothing here is ever maintained."""
    return ActionResult({"PendingMaintenanceActions": []})


class Proxies(dict[str, DBProxy]):
    """Moto looks a proxy up without asking whether it is there."""

    def __missing__(self, name: str) -> DBProxy:
        raise DBProxyNotFoundFault(name)


def __init__(self: RDSBackend, region_name: str, account_id: str) -> None:
    _init(self, region_name, account_id)
    self.db_proxies = Proxies()


def delete_db_proxy(self: RDSBackend, proxy_name: str) -> DBProxy:
    proxy = self.db_proxies[proxy_name]
    del self.db_proxies[proxy_name]
    return proxy


def modify_db_proxy(self: RDSResponse) -> ActionResult:
    proxy = self.backend.db_proxies[self.params["DBProxyName"]]
    for member, attribute in (
        ("Auth", "auth"),
        ("RequireTLS", "require_tls"),
        ("IdleClientTimeout", "idle_client_timeout"),
        ("DebugLogging", "debug_logging"),
        ("RoleArn", "role_arn"),
        ("SecurityGroups", "vpc_security_group_ids"),
    ):
        setattr(proxy, attribute, self.params.get(member, getattr(proxy, attribute)))
    return ActionResult({"DBProxy": proxy})


put(RDSBackend, __init__, delete_db_proxy, modify_db_subnet_group)
put(RDSResponse, describe_pending_maintenance_actions, modify_db_proxy, reset_db_parameter_group)
