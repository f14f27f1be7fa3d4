"""Which inputs an entry of the table carries to the emulator, and with which call."""

from collections.abc import Iterable
from functools import lru_cache

import botocore.session
from botocore.model import OperationModel, ServiceModel

from local.provider.entry import Call, Resource
from local.provider.expressions import mentioned
from local.provider.shapes import known_by_name
from local.provider.table import RESOURCES


@lru_cache(maxsize=64)
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@lru_cache(maxsize=1024)
def operation_model(service: str, operation: str) -> OperationModel:
    """The model behind boto3's name: `create_db_instance` -> CreateDBInstance."""
    model = service_model(service)
    wanted = operation.replace("_", "").lower()
    return model.operation_model(next(name for name in model.operation_names if name.lower() == wanted))


@lru_cache(maxsize=2048)
def carries(entry: Resource, call: Call, name: str) -> bool:
    """Whether this call sends the input."""
    expressions = [*call.params.values(), *([call.when] if call.when else [])]
    if name in call.on or any(name in mentioned(expression) for expression in expressions):
        return True
    if name == "tags" and entry.tag_type and call is entry.create:
        return True
    if not call.by_name or name in entry.local:
        return False
    model = operation_model(call.service or entry.service, call.operation)
    return known_by_name(model, name, entry.names)


def not_applied(token: str, names: Iterable[str]) -> list[str]:
    entry = RESOURCES[token]
    provided = {"region", "tags", *entry.local, f"{entry.auto_name}Prefix"}
    calls = (entry.create, *([entry.instead] if entry.instead else []), *entry.after, *entry.update)
    return [
        name
        for name in names
        if name not in provided and not any(carries(entry, call, name) for call in calls)
    ]
