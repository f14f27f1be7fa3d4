"""Cloud Map: a namespace takes the hosted zone that it made with it when it goes."""

from moto.route53.models import route53_backends
from moto.servicediscovery.models import ServiceDiscoveryBackend

from local.emulator_repairs import put

_delete_namespace = ServiceDiscoveryBackend.delete_namespace


def delete_namespace(self: ServiceDiscoveryBackend, namespace_id: str) -> str:
    namespace = self.namespaces.get(namespace_id)
    operation_id = _delete_namespace(self, namespace_id)
    zone_id = (namespace.dns_properties or {}).get("HostedZoneId") if namespace else None
    if zone_id:
        route53_backends[self.account_id][self.partition].zones.pop(zone_id.rpartition("/")[2], None)
    return operation_id


put(ServiceDiscoveryBackend, delete_namespace)
