"""EC2: a gateway endpoint whose route tables were changed can be deleted."""

from moto.ec2.exceptions import InvalidRouteError
from moto.ec2.models import EC2Backend

from local.emulator_repairs import put

_delete_vpc_endpoints = EC2Backend.delete_vpc_endpoints


def delete_vpc_endpoints(self: EC2Backend, vpce_ids: list[str] | None = None) -> None:
    for endpoint_id in vpce_ids or []:
        try:
            _delete_vpc_endpoints(self, [endpoint_id])
        except InvalidRouteError:
            self.vpc_end_points[endpoint_id].state = "deleted"


put(EC2Backend, delete_vpc_endpoints)
