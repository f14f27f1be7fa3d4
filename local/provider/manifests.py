"""What a manifest may hold, by the published schemas of one version of Kubernetes, and which of it can never change.

The schemas of Kubernetes come with the package `kubernetes-validate`, strict: a field that they do not have is an
error, as it is to a cluster. Those of what operators add to a cluster are in `custom_resources/`, written by hand.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import referencing
import referencing.jsonschema

from local.provider.cloud import Refusal
from local.provider.known import near
from local.provider.values import UNKNOWN

CUSTOM = Path(__file__).with_name("custom_resources")
DEFINITIONS = "/api/_definitions.json"
NOT_KNOWN_YET = "(not known yet)"
MAX_SHOWN = 80

CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "Namespace",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
}
# What the real provider replaces an object for, beside its name and its namespace.
IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "ConfigMap": ("data", "binaryData"),
    "Deployment": ("spec.selector",),
    "Job": ("spec.selector", "spec.template", "spec.completions", "spec.completionMode"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.selector"),
    "RoleBinding": ("roleRef",),
    "Secret": ("type", "data", "stringData"),
    "Service": ("spec.clusterIP",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
}


@cache
def versions() -> list[str]:
    """The versions of Kubernetes whose schemas are here, oldest first."""
    names = (folder.name for folder in _schemas().iterdir() if folder.name.endswith("-local-strict"))
    numbers = {tuple(map(int, name.removeprefix("v").split("-")[0].split(".")[:2])) for name in names}
    return [".".join(map(str, number)) for number in sorted(numbers)]


def problems(manifest: Mapping[str, Any], version: str) -> Iterator[tuple[str, str]]:
    """Each path that the schema of its kind refuses, and why. What is not known yet is taken to be right."""
    schema = _schema(str(manifest.get("apiVersion")), str(manifest.get("kind")), version)
    validator = jsonschema.Draft202012Validator(schema, registry=_registry(version))
    for error in validator.iter_errors(_guessed(dict(manifest))):
        if error.instance != NOT_KNOWN_YET:
            yield ".".join(map(str, error.absolute_path)), _sentence(error, version)


def _sentence(error: jsonschema.ValidationError, version: str) -> str:
    text = error.message
    if len(text) > MAX_SHOWN * 3:
        text = f"{text[:MAX_SHOWN]} ... {text[-MAX_SHOWN:]}"
    return f"Kubernetes {version} refuses it: {text}"


def immutable(kind: str) -> tuple[str, ...]:
    return ("metadata.name", "metadata.namespace", *IMMUTABLE.get(kind, ()))


def _guessed(value: Any) -> Any:
    if value is UNKNOWN:
        return NOT_KNOWN_YET
    if isinstance(value, Mapping):
        return {key: _guessed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_guessed(item) for item in value]
    return value


def _schemas() -> Any:
    return resources.files("kubernetes_validate") / "kubernetes-json-schema"


def _folder(version: str) -> Any:
    if version not in versions():
        raise Refusal(f"there are no schemas of Kubernetes {version}: use one of {', '.join(versions())}")
    names = sorted(folder.name for folder in _schemas().iterdir())
    return next(
        _schemas() / name
        for name in names
        if name.startswith(f"v{version}.") and name.endswith("-local-strict")
    )


@cache
def _schema(api_version: str, kind: str, version: str) -> Any:
    group, _, number = api_version.rpartition("/")
    parts = [kind.lower(), *([group.split(".")[0]] if group else []), number]
    name = f"{'-'.join(parts)}.json"
    if (CUSTOM / name).exists():
        return json.loads((CUSTOM / name).read_text(encoding="utf-8"))
    file = _folder(version) / name
    if not file.is_file():
        names = [found.name.removesuffix(".json") for found in _folder(version).iterdir()]
        names += [found.stem for found in CUSTOM.glob("*.json")]
        raise Refusal(
            f"Kubernetes {version} has no {kind} of {api_version}, and custom_resources/ has none: "
            f"{near(name.removesuffix('.json'), names)[:MAX_SHOWN]}"
        )
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def _registry(version: str) -> Any:
    content = json.loads((_folder(version) / "_definitions.json").read_text(encoding="utf-8"))
    definitions = referencing.Resource.from_contents(
        content, default_specification=referencing.jsonschema.DRAFT202012
    )
    # Crawled once: a registry does not keep what it finds while it looks something up.
    return referencing.Registry().with_resource(DEFINITIONS, definitions).crawl()
