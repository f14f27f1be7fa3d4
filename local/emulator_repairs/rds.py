"""RDS: a changed subnet group stays, and a parameter goes back to its default."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.models import DBSubnetGroup, RDSBackend
from moto.rds.responses import RDSResponse

from local.emulator_repairs import put

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


put(RDSBackend, modify_db_subnet_group)
put(RDSResponse, reset_db_parameter_group)
