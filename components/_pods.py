"""What runs in a pod: one container with the same rules as on ECS, in the words of Kubernetes.

Nothing is created here. Keys are those of the Kubernetes API; values may be Inputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from components import _containers, _secret_files
from components._containers import Container

MAX_PORT_NAME = 15  # Kubernetes API, ContainerPort
DRAIN_S = 15  # the load balancer has heard by then that a pod leaves
APP, SERVICE = "app", "app.kubernetes.io/name"
LOG_GROUP = "groundwork.dev/log-group"  # an annotation: where what a pod writes is kept
Manifest = Any  # a part of an object, with the API's own keys; values may be Inputs


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """Where a variable is read from: a key of a Secret of the namespace."""

    secret: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Asks `path` on `port` over HTTP, or runs `command` in the container."""

    path: str | None = None
    port: int | None = None
    command: Sequence[str] = ()
    initial_delay_s: int = 0
    period_s: int = 15
    timeout_s: int = 5
    failure_threshold: int = 3

    def problems(self, where: str) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        if (self.path is None) == (not self.command):
            yield f"{where} must have either a path or a command"
        if self.path is not None and self.port is None:
            yield f"{where} asks {self.path} and must say on which port"
        if self.initial_delay_s < 0 or self.period_s < 1:
            yield (
                f"{where} must have an initial delay of 0 or more and a period of 1 or more seconds, "
                f"got {self.initial_delay_s} and {self.period_s}"
            )


@dataclass(frozen=True, kw_only=True)
class Size:
    """CPU and memory as Kubernetes writes them (500m, 512Mi): what a pod is sure of, and what it gets at most."""

    cpu_request: str
    memory_request: str
    cpu_limit: str
    memory_limit: str


@dataclass(frozen=True, kw_only=True)
class Pod:
    """`container` holds no secrets of its own: `secrets` are its variables by the Secret they come from, `files` are
    files of /run/secrets by name.

    Its `user` is a number, or two with a colon. Without probes it is a job, which ends by itself.
    """

    container: Container
    size: Size
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    files: Mapping[str, SecretKey] = field(default_factory=dict)
    liveness: Probe | None = None
    readiness: Probe | None = None


def problems(pod: Pod) -> Iterator[str]:
    """Yield what is wrong with a pod, a sentence each."""
    container = pod.container
    if container.secrets:
        yield "container.secrets is for ECS: name the Secret and its key in secrets"
    named = {variable: f"{place.secret}/{place.key}" for variable, place in pod.secrets.items()}
    yield from _containers.problems(replace(container, secrets=named))
    if not all(part.isdecimal() for part in container.user.split(":")):
        yield (
            f"user must be a number such as 1000, got {container.user!r}: Kubernetes cannot tell whether another "
            "name means root"
        )
    for where, probe in (("liveness", pod.liveness), ("readiness", pod.readiness)):
        if probe is not None:
            yield from probe.problems(where)


def labels(app: str, service: str) -> dict[str, pulumi.Input[str]]:
    """`app` tells one workload from the others; `service` is whose rights and connections it has."""
    return {APP: app, SERVICE: service}


def template(pod: Pod, *, app: str, service: str, account: str, log_group: str) -> Manifest:
    """A pod template whose pods run for ever."""
    return {
        "metadata": {"labels": labels(app, service), "annotations": {LOG_GROUP: log_group}},
        "spec": {
            **_common(pod, account),
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": key,
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {APP: app}},
                }
                for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
            ],
        },
    }


def job_template(pod: Pod, *, app: str, service: str, account: str, log_group: str) -> Manifest:
    """A pod template whose pod runs once."""
    return {
        "metadata": {"labels": labels(app, service), "annotations": {LOG_GROUP: log_group}},
        "spec": {**_common(pod, account), "restartPolicy": "Never"},
    }


def _common(pod: Pod, account: str) -> Manifest:
    user, _, group = pod.container.user.partition(":")
    drains = bool(pod.container.ports)
    return {
        "serviceAccountName": account,
        # AWS's own token is mounted beside it; the API of Kubernetes is nothing that a service needs.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pod.container.stop_timeout_s + (DRAIN_S if drains else 0),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "runAsGroup": int(group or user),
            "fsGroup": int(group or user),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(pod, drains=drains)],
        "volumes": [
            {
                "name": volume,
                "emptyDir": {"medium": "Memory", "sizeLimit": f"{pod.container.writable_path_mib}Mi"},
            }
            for volume in _volumes(pod.container)
        ]
        + _file_volumes(pod),
    }


def _container(pod: Pod, *, drains: bool) -> Manifest:
    container, size = pod.container, pod.size
    made: Manifest = {
        "name": container.name,
        "image": container.image,
        "ports": [
            {"name": port_name(name), "containerPort": port, "protocol": "TCP"}
            for name, port in container.ports.items()
        ],
        "env": [
            *({"name": name, "value": value} for name, value in sorted(container.environment.items())),
            *(
                {"name": name, "valueFrom": {"secretKeyRef": {"name": place.secret, "key": place.key}}}
                for name, place in sorted(pod.secrets.items())
            ),
        ],
        "resources": {
            "requests": {"cpu": size.cpu_request, "memory": size.memory_request},
            "limits": {"cpu": size.cpu_limit, "memory": size.memory_limit},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            *({"name": volume, "mountPath": path} for volume, path in _volumes(container).items()),
            # One by one: AWS mounts its own token below the same folder.
            *(
                {
                    "name": _secret_files.NAME,
                    "mountPath": f"{_secret_files.FOLDER}/{file}",
                    "subPath": file,
                    "readOnly": True,
                }
                for file in pod.files
            ),
        ],
    }
    if container.entry_point:
        made["command"] = list(container.entry_point)
    if container.command:
        # As on ECS, it takes the place of the image's CMD and leaves its ENTRYPOINT.
        made["args"] = list(container.command)
    if pod.liveness is not None:
        made["livenessProbe"] = _probe(pod.liveness)
    if pod.readiness is not None:
        made["readinessProbe"] = _probe(pod.readiness)
    if drains:
        made["lifecycle"] = {"preStop": {"sleep": {"seconds": DRAIN_S}}}
    return made


def _probe(probe: Probe) -> Manifest:
    if probe.path is not None:
        asked: Manifest = {"httpGet": {"path": probe.path, "port": probe.port, "scheme": "HTTP"}}
    else:
        asked = {"exec": {"command": list(probe.command)}}
    return {
        **asked,
        "initialDelaySeconds": probe.initial_delay_s,
        "periodSeconds": probe.period_s,
        "timeoutSeconds": min(probe.timeout_s, probe.period_s),
        "failureThreshold": probe.failure_threshold,
    }


def _volumes(container: Container) -> dict[str, str]:
    return {f"writable-{number}": path for number, path in enumerate(container.writable_paths)}


def _file_volumes(pod: Pod) -> list[Manifest]:
    if not pod.files:
        return []
    sources = [
        {"secret": {"name": place.secret, "items": [{"key": place.key, "path": file}]}}
        for file, place in pod.files.items()
    ]
    return [{"name": _secret_files.NAME, "projected": {"defaultMode": 0o440, "sources": sources}}]


def port_name(name: str) -> str:
    return name[:MAX_PORT_NAME].rstrip("-")
