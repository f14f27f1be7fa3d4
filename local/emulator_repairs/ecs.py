"""ECS: a service keeps its arguments and is steady at once; a task may say its size for all its containers."""

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.ecs.models import EC2ContainerServiceBackend, Service, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse

from local.emulator_repairs import put

_create_service = EC2ContainerServiceResponse.create_service
_update_service = EC2ContainerServiceBackend.update_service
_requirements = EC2ContainerServiceBackend._calculate_task_resource_requirements

_LOST = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
)


def _settle(service: Service) -> None:
    service.running_count, service.pending_count = service.desired_count, 0
    if service.deployments:
        service.deployments[0].update(
            runningCount=service.desired_count,
            desiredCount=service.desired_count,
            pendingCount=0,
            rolloutState="COMPLETED",
            taskDefinition=service.task_definition,
        )


def create_service(self: EC2ContainerServiceResponse) -> ActionResult:
    answer = _create_service(self)
    result: Any = answer.result
    service = result["service"]
    for name in _LOST:
        value = self._get_param(name)
        if value is not None:
            setattr(service, camelcase_to_underscores(name), value)
    connect = self._get_param("serviceConnectConfiguration")
    if service.deployments and connect:
        service.deployments[0]["serviceConnectConfiguration"] = connect
    _settle(service)
    return answer


def update_service(self: EC2ContainerServiceBackend, service_properties: dict[str, Any]) -> Service:
    connect = service_properties.pop("service_connect_configuration", None)
    service = _update_service(self, service_properties)
    if service.deployments and connect:
        service.deployments[0]["serviceConnectConfiguration"] = connect
    _settle(service)
    return service


def list_service_deployments(self: EC2ContainerServiceResponse) -> ActionResult:  # noqa: ARG001
    return ActionResult({"serviceDeployments": []})


@staticmethod
def _calculate_task_resource_requirements(task_definition: TaskDefinition) -> dict[str, Any]:
    for container in task_definition.container_definitions:
        container.setdefault("memory", container.get("memoryReservation") or int(task_definition.memory or 0))
    return _requirements(task_definition)


put(EC2ContainerServiceResponse, create_service, list_service_deployments)
put(EC2ContainerServiceBackend, update_service, _calculate_task_resource_requirements)
