"""What runs in a task: one container, its rules, and its definition in the words of ECS."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

MAX_STOP_TIMEOUT_S = 120  # Fargate, "Container definition parameters", stopTimeout
# ECS API, HealthCheck: the accepted values.
_HEALTH_BOUNDS = {
    "health_interval_s": (5, 300, "seconds"),
    "health_timeout_s": (2, 60, "seconds"),
    "health_retries": (1, 10, "times"),
    "health_start_period_s": (0, 300, "seconds"),
}

# The last words of a name that holds a credential. API_KEY_REQUIRED or JWT_SECRET_FILE hold none.
_SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|SECRET_KEY|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?|DSN|DATABASE_URL|REDIS_URL)$"
)
_SECRET_VALUE = re.compile(r"\w://[^/\s:@]*:[^/\s@]+@")  # scheme://user:password@host
_PINNED_IMAGE = re.compile(r"[^@]+@sha256:[0-9a-f]{64}|[^@]+:[\w][\w.-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container. It never runs as root, and its root filesystem is read-only.

    `ports` by name; `secrets` are environment variables by the ARN they are read from (ECS `valueFrom`).
    Each of `writable_paths` is a tmpfs of `writable_path_mib` MiB, taken from the task's memory: a bind mount on
    Fargate belongs to root, so a process that is not root could not write there. A tmpfs takes the mode of the
    folder below it, so the image must have that folder, writable for `user`, as it has /tmp.
    `health_command` is an argument list that exits with 0 while the container is well; after `health_retries`
    failures in a row it is not, and failures in the first `health_start_period_s` do not count.
    """

    name: str
    image: pulumi.Input[str]
    user: str
    entry_point: Sequence[str] = ()
    command: Sequence[str] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    writable_paths: Sequence[str] = ()
    writable_path_mib: int = 64
    health_command: Sequence[str] | None = None
    health_interval_s: int = 15
    health_timeout_s: int = 5
    health_retries: int = 3
    health_start_period_s: int = 60
    stop_timeout_s: int = 30
    memory_reservation_mib: int | None = None


def problems(container: Container) -> Iterator[str]:
    """Yield what is wrong with a container, a sentence each; a secret's value is never repeated."""
    if isinstance(container.image, str):
        yield from _image_problems(container.image)
    if container.user.partition(":")[0] in ("", "0", "root"):
        yield f"user must be a user other than root, such as 1000, got {container.user!r}"
    for variable, value in container.environment.items():
        if _SECRET_NAME.search(variable.upper()):
            yield f"environment.{variable} is named like a secret: put it under secrets, by its ARN"
        elif isinstance(value, str) and _SECRET_VALUE.search(value):
            yield f"environment.{variable} holds a URL with a password: put it under secrets, by its ARN"
    for variable in sorted(container.environment.keys() & container.secrets.keys()):
        yield f"{variable} stands under environment and under secrets: keep one of the two"
    for path in container.writable_paths:
        if not re.fullmatch(r"(/[\w.-]+)+", path):
            yield f"writable_paths must be absolute folders below /, such as /tmp, got {path!r}"
    for key, (low, high, unit) in _HEALTH_BOUNDS.items():
        value = getattr(container, key)
        if not low <= value <= high:
            yield f"{key} must be {low} to {high} {unit}, got {value}"
    if container.health_timeout_s >= container.health_interval_s:
        yield (
            f"health_timeout_s must be less than health_interval_s {container.health_interval_s}, "
            f"got {container.health_timeout_s}"
        )
    if not 0 < container.stop_timeout_s <= MAX_STOP_TIMEOUT_S:
        yield f"stop_timeout_s must be 1 to {MAX_STOP_TIMEOUT_S} seconds, got {container.stop_timeout_s}"


def http_health_command(port: int, path: str) -> list[str]:
    """Return a health command for an HTTP server; wget is in every image that is built on Alpine or BusyBox."""
    return ["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"]


def definition(
    container: Container,
    *,
    log_group_name: pulumi.Input[str],
    region: str,
    essential: bool = True,
    after: str | None = None,
    after_condition: Literal["SUCCESS", "COMPLETE"] = "SUCCESS",
    volumes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the container definition, with the keys of the ECS API; values may be Inputs.

    `after` names a container that must have ended well before this one starts, or only have ended ("COMPLETE");
    `volumes` are paths by volume.
    """
    made: dict[str, Any] = {
        "name": container.name,
        "image": container.image,
        "essential": essential,
        "user": container.user,
        "readonlyRootFilesystem": True,
        "stopTimeout": container.stop_timeout_s,
        "linuxParameters": {
            "initProcessEnabled": True,
            "capabilities": {"drop": ["ALL"]},
            "tmpfs": [
                {
                    "containerPath": path,
                    "size": container.writable_path_mib,
                    "mountOptions": ["rw", "noexec", "nosuid", "nodev"],
                }
                for path in container.writable_paths
            ],
        },
        "portMappings": [
            {"name": name, "containerPort": port, "hostPort": port, "protocol": "tcp"}
            for name, port in container.ports.items()
        ],
        "environment": [
            {"name": name, "value": value} for name, value in sorted(container.environment.items())
        ],
        "secrets": [{"name": name, "valueFrom": value} for name, value in sorted(container.secrets.items())],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group_name,
                "awslogs-region": region,
                "awslogs-stream-prefix": container.name,
                # Without it, a log service that stalls stops the application that writes to it.
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }
    if container.entry_point:
        made["entryPoint"] = list(container.entry_point)
    if container.command:
        made["command"] = list(container.command)
    if container.memory_reservation_mib is not None:
        made["memoryReservation"] = container.memory_reservation_mib
    if after is not None:
        made["dependsOn"] = [{"containerName": after, "condition": after_condition}]
    if volumes:
        made["mountPoints"] = [
            {"sourceVolume": volume, "containerPath": path, "readOnly": False}
            for volume, path in volumes.items()
        ]
    if container.health_command is not None:
        made["healthCheck"] = {
            "command": ["CMD", *container.health_command],
            "interval": container.health_interval_s,
            "timeout": container.health_timeout_s,
            "retries": container.health_retries,
            "startPeriod": container.health_start_period_s,
        }
    return made


def _image_problems(image: str) -> Iterator[str]:
    name = image.rpartition("/")[2]
    if name.endswith(":latest") or not _PINNED_IMAGE.fullmatch(name):
        yield (
            f"image must name a version (repository:1.4.2) or a digest (repository@sha256:...), got {image!r}; "
            "a tag that moves cannot be rolled back to"
        )
