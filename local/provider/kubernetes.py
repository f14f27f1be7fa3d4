"""The `kubernetes` plugin: objects that are checked by the schemas of Kubernetes and kept as YAML, in no cluster.

It stands in for a cluster as a folder of manifests: one file for each object, which a person can read, and whose
loss or change a refresh finds. Nothing is ever sent to a cluster, whatever the kubeconfig says. The real provider
with `renderYamlToDirectory` writes the same manifests.
"""

import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime.proto import provider_pb2

from local.provider import manifests
from local.provider.cloud import Refusal
from local.provider.differences import Difference, differences
from local.provider.server import EMPTY, Servicer, configured, created, diff_response, sentences, serve
from local.provider.urns import urn_name, urn_type
from local.provider.values import UNKNOWN, Properties, decode, encode, has_unknown, reveal

AUTONAMED = "pulumi.com/autonamed"
SUFFIX_BYTES = 4  # the real provider adds 8 hexadecimal digits
STATE = "file://"
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Settings:
    """What the provider was told: the version that its kubeconfig names, a namespace, and where objects are kept."""

    version: str
    namespace: str
    folder: Path | None


def settings_of(told: Mapping[str, Any]) -> Settings:
    """`told` are the provider's own keys; an unknown kubeconfig, as in a preview, is one of the newest version."""
    folder = told.get("renderYamlToDirectory")
    state = os.environ.get("PULUMI_BACKEND_URL", "")
    kept: Path | None = None
    if isinstance(folder, str) and folder:
        kept = Path(folder)
    elif state.startswith(STATE):
        kept = Path(state.removeprefix(STATE)).parent / "kubernetes"
    return Settings(
        version=_version(told.get("kubeconfig")) or manifests.versions()[-1],
        namespace=str(told.get("namespace") or DEFAULT_NAMESPACE),
        folder=kept,
    )


def _version(kubeconfig: Any) -> str | None:
    """The version that the stack wrote beside the cluster's address."""
    if not isinstance(kubeconfig, str) or not kubeconfig:
        return None
    content = yaml.safe_load(kubeconfig)
    clusters = content.get("clusters") if isinstance(content, dict) else None
    for cluster in clusters or []:
        for extension in (cluster.get("cluster") or {}).get("extensions") or []:
            if extension.get("name") == "version":
                return str(extension["extension"])
    return None


class Store:
    """Manifests in a folder, as `<namespace>/<kind>-<name>.yaml`; those of the whole cluster in `cluster`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, manifest: Mapping[str, Any]) -> Path:
        metadata = manifest["metadata"]
        file = f"{manifest['kind'].lower()}-{metadata['name']}.yaml"
        return self._folder / metadata.get("namespace", "cluster") / file

    def put(self, manifest: Mapping[str, Any]) -> None:
        path = self.path(manifest)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(yaml.safe_dump(dict(manifest), sort_keys=False, width=110), encoding="utf-8")
        partial.replace(path)

    def get(self, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
        path = self.path(manifest)
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None

    def remove(self, manifest: Mapping[str, Any]) -> None:
        self.path(manifest).unlink(missing_ok=True)


def checked(urn: str, old: Properties, new: Properties, seed: bytes, namespace: str) -> Properties:
    """The inputs with what the real provider adds: kind and version of the API, a name, a namespace."""
    token, _, kind = urn_type(urn).removeprefix("kubernetes:").rpartition(":")
    api_version = token.removeprefix("core/")
    inputs = {"apiVersion": api_version, "kind": kind, **new}
    given: Any = inputs.get("metadata")
    if given is UNKNOWN:
        return inputs
    metadata: dict[str, Any] = {**(given or {})}
    if metadata.get("name") is None:
        metadata["name"] = _old_name(old) or f"{urn_name(urn)}-{seed[:SUFFIX_BYTES].hex()}"
        metadata["annotations"] = {**(metadata.get("annotations") or {}), AUTONAMED: "true"}
    if inputs["kind"] not in manifests.CLUSTER_WIDE and metadata.get("namespace") is None:
        metadata["namespace"] = namespace
    return {**inputs, "metadata": metadata}


def _old_name(old: Properties) -> str | None:
    metadata = reveal(old.get("metadata")) or {}
    return metadata.get("name") if (metadata.get("annotations") or {}).get(AUTONAMED) else None


def object_id(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def replaced_by(found: list[Difference], kind: str) -> list[str]:
    fixed = manifests.immutable(kind)
    return [
        item.path
        for item in found
        if any(item.path == path or item.path.startswith((f"{path}.", f"{path}[")) for path in fixed)
    ]


def _ignored(path: str, ignored: set[str]) -> bool:
    return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in ignored)


class KubernetesServicer(Servicer):
    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._settings = settings_of({})

    @property
    def _store(self) -> Store:
        if self._settings.folder is None:
            raise Refusal(
                "this provider keeps objects as YAML, and does not know where: set kubernetes:renderYamlToDirectory. "
                "It never talks to a cluster; use the official one for that."
            )
        return Store(self._settings.folder)

    @sentences
    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: ARG002
        variables = {name.rpartition(":")[2]: value for name, value in request.variables.items()}
        self._settings = settings_of({**variables, **reveal(decode(request.args))})
        return configured()

    @sentences
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: ARG002
        settings = self._settings
        inputs = checked(
            request.urn, decode(request.olds), decode(request.news), request.randomSeed, settings.namespace
        )
        failures = [
            provider_pb2.CheckFailure(property=path, reason=reason)
            for path, reason in manifests.problems(reveal(_manifest(inputs)), settings.version)
        ]
        return provider_pb2.CheckResponse(inputs=encode(inputs), failures=failures)

    @sentences
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: ARG002
        old, new = decode(request.old_inputs), decode(request.news)
        ignored = set(request.ignoreChanges)
        found = [item for item in differences(old, new) if not _ignored(item.path, ignored)]
        # A name that was chosen is needed again at once; one that was made up gives way to another.
        is_autonamed = _old_name(new) is not None
        return diff_response(found, replaced_by(found, str(new.get("kind"))), delete_first=not is_autonamed)

    @sentences
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: ARG002
        inputs = decode(request.properties)
        if request.preview:
            return created("" if has_unknown(inputs.get("metadata")) else object_id(reveal(inputs)), inputs)
        manifest = reveal(_manifest(inputs))
        self._store.put(manifest)
        return created(object_id(manifest), inputs)

    @sentences
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: ARG002
        inputs = decode(request.inputs) or decode(request.properties)
        manifest = reveal(_manifest(inputs))
        found = self._store.get(manifest)
        if found is None:
            return provider_pb2.ReadResponse()
        if found == manifest:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        return provider_pb2.ReadResponse(id=request.id, properties=encode(found), inputs=encode(found))

    @sentences
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: ARG002
        inputs = decode(request.news)
        if not request.preview:
            self._store.put(reveal(_manifest(inputs)))
        return provider_pb2.UpdateResponse(properties=encode(inputs))

    @sentences
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        self._store.remove(reveal(_manifest(decode(request.properties))))
        return EMPTY


def _manifest(inputs: Properties) -> Properties:
    """The object itself, without what the engine keeps beside it, and without nothings."""
    return {
        key: _present(value)
        for key, value in inputs.items()
        if not key.startswith("__") and value is not None
    }


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _present(item) for key, item in value.items() if item is not None}
    return [_present(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    serve(KubernetesServicer(importlib.metadata.version("pulumi_kubernetes")))
