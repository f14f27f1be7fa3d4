"""What runs: image registries, the cluster, the services with their scaling, and the one-off tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import _bootstrap, _collector, _iam
from components._containers import Container, http_health_command
from components.autoscaling import (
    Autoscaling,
    AutoscalingArgs,
    Cpu,
    Latency,
    Memory,
    Queue,
    RequestsPerTarget,
    Rule,
    Schedule,
)
from components.cluster import Cluster, ClusterArgs
from components.prometheus import Prometheus
from components.queue_metrics import Queue as CountedQueue
from components.queue_metrics import QueueMetrics, QueueMetricsArgs
from components.registry import Registry, RegistryArgs
from components.service import Route, Service, ServiceArgs, discovery_name
from components.task import Task, TaskArgs
from settings import model, references
from settings.model import Settings
from settings.model.compute import (
    CpuScaling,
    LatencyScaling,
    MemoryScaling,
    QueueScaling,
    RequestScaling,
    ScalingRule,
)
from settings.reach import COLLECTOR, QUEUE_METRICS
from wiring.edge import Edge
from wiring.foundation import Foundation
from wiring.metrics import Metrics
from wiring.sql import sql_task
from wiring.stores import Stores

BOOTSTRAP = "bootstrap"
COLLECTOR_CPU, COLLECTOR_MEMORY_MIB = 256, 512


@dataclass(frozen=True, kw_only=True)
class Workloads:
    """By name. `services` are those with an image tag; `tasks` run when somebody runs them."""

    registries: Mapping[str, Registry]
    cluster: Cluster
    collector: Service | None
    definitions: Mapping[str, Task]
    services: Mapping[str, Service]
    autoscaling: Mapping[str, Autoscaling]
    tasks: Mapping[str, Task]
    queue_metrics: QueueMetrics | None


@dataclass(frozen=True, kw_only=True)
class _Layers:
    """The layers below, and what this one has made so far."""

    settings: Settings
    base: Foundation
    data: Stores
    front: Edge
    registries: Mapping[str, Registry]
    cluster: Cluster
    queue_metrics: QueueMetrics | None


def build(settings: Settings, base: Foundation, gauges: Metrics, data: Stores, front: Edge) -> Workloads:
    layers = _Layers(
        settings=settings,
        base=base,
        data=data,
        front=front,
        registries={name: _registry(settings, base, name) for name in settings.services},
        cluster=_cluster(settings, base),
        queue_metrics=_queue_metrics(settings, base, data) if settings.queues else None,
    )
    started = {name: service for name, service in settings.services.items() if service.image_tag}
    definitions = {name: _definition(layers, name, service) for name, service in started.items()}
    services = {name: _service(layers, name, service, definitions[name]) for name, service in started.items()}
    return Workloads(
        registries=layers.registries,
        cluster=layers.cluster,
        collector=_collector_service(layers, gauges.prometheus) if _jobs(layers) else None,
        definitions=definitions,
        services=services,
        autoscaling={
            name: _autoscaling(layers, name, service, services[name]) for name, service in started.items()
        },
        tasks={
            BOOTSTRAP: _bootstrap_task(layers),
            **{
                name: _task(layers, name, task)
                for name, task in settings.tasks.items()
                if task.image_tag or task.service in started
            },
        },
        queue_metrics=layers.queue_metrics,
    )


def _registry(settings: Settings, base: Foundation, name: str) -> Registry:
    return Registry(
        f"registry-{name}",
        RegistryArgs(
            repository_name=f"{base.path}/{name}",
            kms_key_arn=base.keys.arns["storage"],
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _cluster(settings: Settings, base: Foundation) -> Cluster:
    return Cluster(
        "cluster",
        ClusterArgs(
            cluster_name=settings.name_prefix,
            namespace_name=base.namespace_name,
            vpc_id=base.network.vpc_id,
            log_group_name=f"/{base.path}/exec",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            tags=base.tags,
        ),
    )


def _definition(layers: _Layers, name: str, service: model.Service) -> Task:
    return _task_definition(
        layers,
        name=name,
        service_name=name,
        service=service,
        image_tag=service.image_tag,
        command=service.command,
        health_command=service.health.command
        or http_health_command(service.ports["http"], service.health.path or "/"),
        allow_exec=True,
    )


def _task(layers: _Layers, name: str, task: model.Task) -> Task:
    service = layers.settings.services[task.service]
    return _task_definition(
        layers,
        name=f"task-{name}",
        service_name=task.service,
        service=service,
        image_tag=task.image_tag or service.image_tag,
        command=task.command,
        health_command=None,  # it ends by itself, and its exit code says how
        as_master=task.as_master,
    )


def _task_definition(
    layers: _Layers,
    *,
    name: str,
    service_name: str,
    service: model.Service,
    image_tag: str | None,
    command: Sequence[str],
    health_command: Sequence[str] | None,
    as_master: bool = False,
    allow_exec: bool = False,
) -> Task:
    settings, base = layers.settings, layers.base
    secrets = _secrets(layers, service, as_master=as_master)
    return Task(
        name,
        TaskArgs(
            family=f"{settings.name_prefix}-{name}",
            container=Container(
                name=name,
                image=_image(layers, service_name, image_tag or ""),
                user=service.user,
                command=command,
                ports=service.ports if health_command is not None else {},
                environment=_environment(layers, service, as_master=as_master),
                secrets=secrets,
                writable_paths=service.writable_paths,
                health_command=health_command,
            ),
            cpu=service.cpu,
            memory_mib=service.memory_mib,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/{name}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[layers.registries[service_name].arn],
            secret_arns=_secret_arns(layers, service, as_master=as_master),
            secret_key_arns=[base.keys.arns["secrets"]],
            allow_exec=allow_exec,
            exec_log_group_arn=layers.cluster.exec_log_group_arn if allow_exec else None,
            tags=base.tags,
        ),
    )


def _image(layers: _Layers, name: str, image_tag: str) -> pulumi.Output[str]:
    separator = "@" if image_tag.startswith("sha256:") else ":"
    return pulumi.Output.concat(layers.registries[name].repository_url, separator, image_tag)


def _environment(layers: _Layers, service: model.Service, *, as_master: bool) -> dict[str, pulumi.Input[str]]:
    values = _values(layers, service)
    if as_master:
        values["database.role"] = layers.settings.database.username
    return {
        variable: pulumi.Output.concat(*references.resolve(template, values))
        if references.references(template)
        else template
        for variable, template in service.environment.items()
    }


def _values(layers: _Layers, service: model.Service) -> dict[str, pulumi.Input[str]]:
    settings, database = layers.settings, layers.data.database
    values: dict[str, pulumi.Input[str]] = dict(references.known_values(settings, service))
    values["database.address"] = database.address
    values["database.port"] = database.port.apply(str)
    # Without a replica the questions of analytics go to the primary.
    values["database.replica_address"] = [*database.replica_addresses, database.address][0]
    for name in settings.caches:
        cache = layers.data.caches[settings.cache_behind(name)]
        values[f"caches.{name}.endpoint"] = cache.endpoint
        values[f"caches.{name}.port"] = str(cache.port)
    return values


def _secrets(layers: _Layers, service: model.Service, *, as_master: bool) -> dict[str, pulumi.Input[str]]:
    """What each secret variable is read from, in the notation of a container's `valueFrom`."""
    arns = _arns(layers, service, as_master=as_master)
    read_from = {**arns, "database.password": pulumi.Output.concat(arns["database.password"], ":password::")}
    return {
        variable: read_from[references.references(template)[0]]
        for variable, template in service.secrets.items()
    }


def _secret_arns(layers: _Layers, service: model.Service, *, as_master: bool) -> list[pulumi.Input[str]]:
    arns = _arns(layers, service, as_master=as_master)
    wanted = dict.fromkeys(references.references(template)[0] for template in service.secrets.values())
    return [arns[name] for name in wanted]


def _arns(layers: _Layers, service: model.Service, *, as_master: bool) -> dict[str, pulumi.Output[str]]:
    """Every secret that a variable may name, by that name."""
    settings, data = layers.settings, layers.data
    arns = {f"secrets.{name}": secret.arn for name, secret in data.secrets.items()}
    for name in settings.caches:
        arns[f"caches.{name}.auth_token"] = data.cache_tokens[settings.cache_behind(name)].arn
    master = data.database.master_secret_arn
    role = service.database.role if service.database and not as_master else None
    return {**arns, "database.password": data.role_secrets[role].arn if role else master}


def _bootstrap_task(layers: _Layers) -> Task:
    """Extensions, roles, grants, row level security, indexes: run by the operator, again whenever they change."""
    wanted = layers.settings.database
    bootstrap = _bootstrap.Bootstrap(
        database=wanted.name,
        extensions=list(wanted.extensions),
        grants={name: role.tables for name, role in wanted.roles.items()},
        row_policies=[
            _bootstrap.RowPolicy(
                name=policy.name,
                table=table,
                command=policy.command,
                using=policy.using,
                check=policy.check,
                roles=policy.roles,
            )
            for table, policies in wanted.row_level_security.items()
            for policy in policies
        ],
        indexes=[
            _bootstrap.Index(name=index.name, table=index.table, definition=index.definition)
            for index in wanted.indexes
        ],
    )
    return sql_task(
        layers.settings,
        layers.base,
        layers.data,
        name=BOOTSTRAP,
        command='printf "%s" "$BOOTSTRAP_SQL" | psql --no-psqlrc',
        environment={"BOOTSTRAP_SQL": _bootstrap.sql(bootstrap)},
        role_passwords=layers.data.role_secrets,
    )


def _service(layers: _Layers, name: str, service: model.Service, definition: Task) -> Service:
    base, balancer = layers.base, layers.front.load_balancer
    route = None
    if service.public:
        route = Route(
            vpc_id=base.network.vpc_id,
            listener_arn=balancer.https_listener_arn,
            load_balancer_arn_suffix=balancer.arn_suffix,
            hosts=[layers.settings.hosts[service.public.host]],
            paths=service.public.paths,
            private_paths=service.public.private_paths,
            priority=service.public.priority,
            port=service.ports["http"],
            health_path=service.health.path or "/",
        )
    return Service(
        name,
        ServiceArgs(
            cluster_arn=layers.cluster.arn,
            cluster_name=layers.cluster.name,
            task_definition_arn=definition.arn,
            container_name=name,
            desired_count=service.desired_count,
            subnet_ids=base.network.private_subnet_ids,
            security_group_ids=[base.firewall.group_ids[name]],
            route=route,
            namespace_arn=layers.cluster.namespace_arn,
            connect_port=("http", service.ports["http"]) if "http" in service.ports else None,
            discovery_namespace_id=layers.cluster.namespace_id if "metrics" in service.ports else None,
            enable_execute_command=True,
            tags=base.tags,
        ),
    )


def _jobs(layers: _Layers) -> list[_collector.Job]:
    return [
        _collector.Job(
            name=name,
            dns_name=f"{discovery_name(name)}.{layers.base.namespace_name}",
            port=service.ports["metrics"],
        )
        for name, service in layers.settings.services.items()
        if "metrics" in service.ports
    ]


def _collector_service(layers: _Layers, prometheus: Prometheus) -> Service:
    """Scrapes the services into Prometheus."""
    settings, base = layers.settings, layers.base
    configuration = _collector.configuration(
        _jobs(layers),
        scrape_interval_s=settings.observability.prometheus.scrape_interval_s,
        region=settings.region,
        endpoint=prometheus.endpoint,
        labels={"system": settings.name, "environment": settings.environment},
    )
    task = Task(
        COLLECTOR,
        TaskArgs(
            family=f"{settings.name_prefix}-{COLLECTOR}",
            container=Container(
                name=COLLECTOR,
                image=settings.operations.collector_image,
                user=_collector.COLLECTOR_USER,
                environment={"AOT_CONFIG_CONTENT": configuration},
                health_command=_collector.HEALTH_COMMAND,
            ),
            cpu=COLLECTOR_CPU,
            memory_mib=COLLECTOR_MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/{COLLECTOR}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            task_statements=[_iam.statement("aps:RemoteWrite", prometheus.arn, sid="WriteMetrics")],
            tags=base.tags,
        ),
    )
    return Service(
        COLLECTOR,
        ServiceArgs(
            cluster_arn=layers.cluster.arn,
            cluster_name=layers.cluster.name,
            task_definition_arn=task.arn,
            container_name=COLLECTOR,
            desired_count=1,
            subnet_ids=base.network.private_subnet_ids,
            security_group_ids=[base.firewall.group_ids[COLLECTOR]],
            tags=base.tags,
        ),
    )


def _autoscaling(layers: _Layers, name: str, service: model.Service, running: Service) -> Autoscaling:
    return Autoscaling(
        name,
        AutoscalingArgs(
            cluster_name=layers.cluster.name,
            service_name=running.name,
            min_count=service.min_count,
            max_count=service.max_count,
            rules=[
                *(_rule(layers, rule, running) for rule in service.scaling),
                *(
                    Schedule(
                        name=scheduled.name,
                        cron=scheduled.schedule,
                        timezone=scheduled.timezone,
                        min_count=scheduled.min_count,
                        max_count=scheduled.max_count,
                    )
                    for scheduled in service.scheduled_scaling
                ),
            ],
            tags=layers.base.tags,
        ),
    )


def _rule(layers: _Layers, rule: ScalingRule, running: Service) -> Rule:
    balancer = layers.front.load_balancer.arn_suffix
    targets = running.target_group_arn_suffix
    match rule:
        case CpuScaling():
            return Cpu(target_percent=rule.target_percent)
        case MemoryScaling():
            return Memory(target_percent=rule.target_percent)
        case RequestScaling() if targets is not None:
            return RequestsPerTarget(
                target_per_minute=rule.target_per_minute,
                load_balancer_arn_suffix=balancer,
                target_group_arn_suffix=targets,
            )
        case LatencyScaling() if targets is not None:
            return Latency(
                above_s=rule.above_s,
                add_tasks=rule.add_tasks,
                load_balancer_arn_suffix=balancer,
                target_group_arn_suffix=targets,
            )
        case QueueScaling() if layers.queue_metrics is not None:
            length = layers.queue_metrics.metric(rule.queue, "QueueLength")
            return Queue(
                namespace=length.namespace,
                metric_name=length.metric_name,
                dimensions=length.dimensions,
                add_above=rule.add_above,
                remove_below=rule.remove_below,
            )
    # The settings' rules refuse this before anything is made.
    raise ValueError(f"scaling by {rule.metric} needs a public service or a queue, and {running} has neither")


def _queue_metrics(settings: Settings, base: Foundation, data: Stores) -> QueueMetrics:
    behind = {name: settings.cache_behind(queue.cache) for name, queue in settings.queues.items()}
    return QueueMetrics(
        "queue-metrics",
        QueueMetricsArgs(
            queues=[
                CountedQueue(
                    name=name,
                    prefix=queue.prefix,
                    host=data.caches[behind[name]].endpoint,
                    port=data.caches[behind[name]].port,
                    auth_secret_arn=data.cache_tokens[behind[name]].arn,
                )
                for name, queue in settings.queues.items()
            ],
            namespace=f"{base.path}/queues",
            subnet_ids=base.network.private_subnet_ids,
            security_group_id=base.firewall.group_ids[QUEUE_METRICS],
            secrets_key_arn=base.keys.arns["secrets"],
            account_id=settings.account,
            log_group_name=f"/{base.path}/queue-metrics",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            tags=base.tags,
        ),
    )
