"""The sidecar that copies a service's log lines elsewhere (FireLens): its configuration and its container.

CloudWatch gets every line as it was written, in the group where it went before, so metric filters, alarms and saved
queries do not notice. Others get a copy; when one of them is away, CloudWatch still has the line.

The sidecar is essential: without it the service writes into the void, and no alarm on error lines can ring. A receiver
that is away does not end it, it only loses that receiver's copies, and an alarm says so.

It runs as root, alone of all containers: the agent of ECS puts its socket into a folder that belongs to root
(aws/containers-roadmap #2122). It has no capabilities, a read-only filesystem, no port, and is AWS's own image.

The configuration is a variable that a shell writes to /tmp, because Fargate takes configuration files from the image
only. It holds no secret: those come from Secrets Manager as variables that Fluent Bit itself puts in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import _containers
from components._containers import Container

NAME = "log-router"
# The pattern of what Fluent Bit writes when it gives up on some lines (its engine, "cannot be retried").
GIVEN_UP_PATTERN = '"cannot be retried"'
MEMORY_RESERVATION_MIB = 64
# The lines that wait for a receiver; beyond it the oldest input is paused, not the service.
MEMORY_BUFFER_MIB = 32
# Attempts with waits that double, to some half an hour: longer than most receivers are away.
RETRIES = 10
_CONFIGURED = "/tmp/fluent-bit.conf"
_COMMAND = f'printf "%s" "$CONFIGURATION" > {_CONFIGURED}; exec /fluent-bit/bin/fluent-bit -c {_CONFIGURED}'


@dataclass(frozen=True, kw_only=True)
class Loki:
    """`tls` is only left out inside the network."""

    host: str
    port: int
    tls: bool
    tenant: str | None = None


@dataclass(frozen=True, kw_only=True)
class Datadog:
    site: str
    api_key_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Https:
    """Anything that takes JSON; the secret is the whole value of `header`."""

    host: str
    path: str
    header: str
    secret_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class LogRouter:
    """`labels` tell the service from others where the copies go, such as {"service": "api"}.

    How many lines were given up is published to `namespace`, by the name of the service's task.
    """

    image: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    loki: Loki | None = None
    datadog: Datadog | None = None
    https: Https | None = None

    @property
    def secrets(self) -> dict[str, pulumi.Input[str]]:
        """By the variable that the configuration names."""
        found: dict[str, pulumi.Input[str]] = {}
        if self.datadog is not None:
            found["DATADOG_API_KEY"] = self.datadog.api_key_arn
        if self.https is not None:
            found["HTTPS_HEADER"] = self.https.secret_arn
        return found


def problems(router: LogRouter) -> Iterator[str]:
    # The user is the one thing in which it may differ from every other container.
    yield from _containers.problems(_container(router, configuration="", log_group_name="", user="1000"))
    if router.loki is None and router.datadog is None and router.https is None:
        yield "log_router has no receiver; name one, or leave it out: CloudWatch gets every line without it"
    for label, value in router.labels.items():
        if not label.isidentifier() or not value.replace("-", "").replace("_", "").isalnum():
            yield f"log_router.labels must be plain words, got {label}={value}"


def configuration(router: LogRouter, *, container: str, region: str) -> str:
    """Fluent Bit's classic form; ${...} are variables of its container."""
    sections = [
        ("SERVICE", _service()),
        (
            "INPUT",
            {
                "Name": "forward",
                "unix_path": "/var/run/fluent.sock",
                "Mem_Buf_Limit": f"{MEMORY_BUFFER_MIB}MB",
            },
        ),
        # The runtime cuts a line at 16 kB; awslogs puts it together again, so does this.
        (
            "FILTER",
            {"Name": "multiline", "Match": "*", "multiline.key_content": "log", "mode": "partial_message"},
        ),
        ("OUTPUT", _cloudwatch(container, region)),
        *(("OUTPUT", output) for output in _outputs(router)),
    ]
    return "\n".join(_section(name, keys) for name, keys in sections)


def definition(
    router: LogRouter,
    *,
    container: str,
    region: str,
    log_group_name: pulumi.Input[str],
    own_log_group_name: pulumi.Input[str],
) -> dict[str, Any]:
    """The sidecar, with the keys of the ECS API; ECS starts it before and stops it after the one it serves."""
    made = _containers.definition(
        _container(
            router,
            configuration=configuration(router, container=container, region=region),
            log_group_name=log_group_name,
            user="0",
        ),
        log_group_name=own_log_group_name,
        region=region,
    )
    made["firelensConfiguration"] = {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "false"}}
    return made


def log_configuration() -> dict[str, Any]:
    """What the service's own container says instead of awslogs; where the lines go, the sidecar knows."""
    return {"logDriver": "awsfirelens", "options": {}}


def _container(
    router: LogRouter, *, configuration: str, log_group_name: pulumi.Input[str], user: str
) -> Container:
    return Container(
        name=NAME,
        image=router.image,
        user=user,
        entry_point=["sh", "-ec"],
        command=[_COMMAND],
        environment={"CONFIGURATION": configuration, "LOG_GROUP": log_group_name},
        secrets=router.secrets,
        writable_paths=["/tmp"],
        writable_path_mib=4,
        memory_reservation_mib=MEMORY_RESERVATION_MIB,
        health_command=["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:2020/api/v1/uptime"],
        # Copies that wait are sent before it ends.
        stop_timeout_s=60,
    )


def _service() -> dict[str, str]:
    return {
        "Flush": "1",
        "Grace": "30",
        "Log_Level": "warn",
        "HTTP_Server": "On",
        "HTTP_Listen": "127.0.0.1",
        "HTTP_Port": "2020",
    }


def _cloudwatch(container: str, region: str) -> dict[str, str]:
    return {
        "Name": "cloudwatch_logs",
        "Match": "*",
        "region": region,
        "log_group_name": "${LOG_GROUP}",
        "log_stream_prefix": f"{container}/",
        # The line itself, not the line in an envelope: filters read its own fields.
        "log_key": "log",
        "auto_create_group": "false",
        "Retry_Limit": str(RETRIES),
    }


def _outputs(router: LogRouter) -> Iterator[dict[str, str]]:
    if router.loki is not None:
        output = {
            "Name": "loki",
            "Match": "*",
            "host": router.loki.host,
            "port": str(router.loki.port),
            "labels": ", ".join(f"{label}={value}" for label, value in sorted(router.labels.items())),
            "remove_keys": "container_id, container_name, source",
            # The line as it was written, since nothing else is left of the record.
            "drop_single_key": "raw",
            **_tls(router.loki.tls),
        }
        yield output if router.loki.tenant is None else {**output, "tenant_id": router.loki.tenant}
    if router.datadog is not None:
        yield {
            "Name": "datadog",
            "Match": "*",
            "Host": f"http-intake.logs.{router.datadog.site}",
            "apikey": "${DATADOG_API_KEY}",
            "compress": "gzip",
            "provider": "ecs",
            "dd_message_key": "log",
            "dd_service": router.labels.get("service", ""),
            "dd_tags": ",".join(f"{label}:{value}" for label, value in sorted(router.labels.items())),
            **_tls(on=True),
        }
    if router.https is not None:
        yield {
            "Name": "http",
            "Match": "*",
            "Host": router.https.host,
            "Port": "443",
            "URI": router.https.path,
            "Format": "json",
            "json_date_format": "iso8601",
            "Header": f"{router.https.header} ${{HTTPS_HEADER}}",
            **_tls(on=True),
        }


def _tls(on: bool) -> dict[str, str]:
    return (
        {"tls": "on", "tls.verify": "on", "Retry_Limit": str(RETRIES)}
        if on
        else {"Retry_Limit": str(RETRIES)}
    )


def _section(name: str, keys: Mapping[str, str]) -> str:
    return "\n".join([f"[{name}]", *(f"    {key} {value}" for key, value in keys.items()), ""])
