"""What runs: image registries, the cluster, the services with their scaling, and the one-off tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import _collector, _iam, _secret_files
from components._containers import Container, http_health_command
from components._secret_files import SecretFiles
from components.autoscaling import (
    Autoscaling,
    AutoscalingArgs,
    Cpu,
    Latency,
    Memory,
    Queue,
    QueueWait,
    RequestsPerTarget,
    Rule,
    Schedule,
)
from components.cluster import Cluster, ClusterArgs
from components.kubernetes_cluster import KubernetesCluster
from components.queue_metrics import Queue as CountedQueue
from components.queue_metrics import QueueMetrics, QueueMetricsArgs
from components.registry import Registry, RegistryArgs
from components.service import (
    PublicRoute,
    PublicRouteArgs,
    Route,
    Service,
    ServiceArgs,
    TargetHealth,
    discovery_name,
)
from components.task import Task, TaskArgs
from settings import model, references
from settings.model import METRICS_PORT, Settings
from settings.model.compute import (
    CpuScaling,
    LatencyScaling,
    MemoryScaling,
    QueueScaling,
    QueueWaitScaling,
    RequestScaling,
    ScalingRule,
    ServiceNames,
)
from settings.model.kubernetes import Kubernetes
from settings.reach import COLLECTOR, QUEUE_METRICS
from wiring import bootstrap, broker_logins, buckets, kubernetes, log_router, redis_cli
from wiring.edge import Edge
from wiring.foundation import Foundation
from wiring.metrics import Metrics
from wiring.outcomes import NONE, Told, tell
from wiring.sql import sql_task, statements_command
from wiring.stores import Stores
from wiring.values import Values

STATUS = "-status"  # ends the name of the task that an operator runs after another one
COLLECTOR_CPU, COLLECTOR_MEMORY_MIB = 256, 512
UNNAMED = ServiceNames()


@dataclass(frozen=True, kw_only=True)
class Workloads:
    """By name. `services` are those with an image tag; `tasks` run when somebody runs them.

    `definitions` and `autoscaling` only where ECS runs the services; `kubernetes` only where the stack makes a cluster.
    """

    registries: Mapping[str, Registry]
    cluster: Cluster
    kubernetes: KubernetesCluster | None
    collector: Service | kubernetes.Pods | None
    definitions: Mapping[str, Task]
    services: Mapping[str, Service | kubernetes.Pods]
    log_groups: Mapping[str, pulumi.Output[str]]
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
        registries={
            name: _registry(settings, base, name)
            for name in settings.services
            if settings.repository_of(name) == name
        },
        cluster=_cluster(settings, base),
        queue_metrics=_queue_metrics(settings, base, data) if settings.queues else None,
    )
    started = {name: service for name, service in settings.services.items() if service.image_tag}
    if settings.cluster is not None:
        return _on_kubernetes(layers, gauges, settings.cluster, started)
    return _on_ecs(layers, gauges, started)


def _on_ecs(layers: _Layers, gauges: Metrics, started: Mapping[str, model.Service]) -> Workloads:
    definitions = {name: _definition(layers, name, service) for name, service in started.items()}
    services = {name: _service(layers, name, service, definitions[name]) for name, service in started.items()}
    return Workloads(
        registries=layers.registries,
        cluster=layers.cluster,
        kubernetes=None,
        collector=_collector_service(layers, gauges),
        definitions=definitions,
        services=services,
        log_groups={name: task.log_group_name for name, task in definitions.items()},
        autoscaling={
            name: _autoscaling(layers, name, service, services[name]) for name, service in started.items()
        },
        tasks=_tasks(layers, started),
        queue_metrics=layers.queue_metrics,
    )


def _on_kubernetes(
    layers: _Layers, gauges: Metrics, wanted: Kubernetes, started: Mapping[str, model.Service]
) -> Workloads:
    """The operator's own tasks stay on ECS, whose cluster costs nothing while they do not run."""
    routes = {
        name: PublicRoute(name, PublicRouteArgs(route=route, tags=layers.base.tags))
        for name, service in started.items()
        if (route := _route(layers, service))
    }
    target = kubernetes.build(
        layers.settings,
        layers.base,
        layers.front,
        wanted,
        {name: _part(layers, name, service, routes.get(name)) for name, service in started.items()},
        routes,
        _collector_part(layers, gauges),
    )
    return Workloads(
        registries=layers.registries,
        cluster=layers.cluster,
        kubernetes=target.cluster,
        collector=target.collector,
        definitions={},
        services=target.services,
        log_groups={name: pods.log_group_name for name, pods in target.services.items()},
        autoscaling={},
        tasks=_tasks(layers, started),
        queue_metrics=layers.queue_metrics,
    )


def _part(layers: _Layers, name: str, service: model.Service, public: PublicRoute | None) -> kubernetes.Part:
    settings = layers.settings
    jobs = {
        task_name: task
        for task_name, task in settings.tasks.items()
        if task.service == name and task.kubernetes is not None
    }
    return kubernetes.Part(
        container=_container(
            layers,
            name=name,
            service_name=name,
            service=service,
            image_tag=service.image_tag,
            command=service.command,
            health_command=service.health.command or (),
        ),
        arns=_arns(layers, service, as_master=False),
        values={**layers.data.values.plain, **references.known_values(settings, service)},
        statements=list(buckets.statements(settings, layers.base, layers.data.buckets, name)),
        scaling=[
            kubernetes.rule(
                rule,
                load_balancer=layers.front.load_balancer,
                public=public,
                queue_metrics=layers.queue_metrics,
            )
            for rule in service.scaling
        ],
        jobs={
            task_name: _container(
                layers,
                name=task_name,
                service_name=name,
                service=service,
                image_tag=task.image_tag or service.image_tag,
                command=task.command,
                health_command=None,
            )
            for task_name, task in jobs.items()
        },
    )


def _tasks(layers: _Layers, started: Mapping[str, model.Service]) -> dict[str, Task]:
    settings = layers.settings
    made: dict[str, Task] = {}
    if settings.database is not None:
        made[bootstrap.NAME] = bootstrap.build(settings, layers.base, layers.data, settings.database)
    if redis := redis_cli.build(settings, layers.base, layers.data):
        made[redis_cli.NAME] = redis
    if settings.brokers:
        made[broker_logins.NAME] = broker_logins.build(settings, layers.base, layers.data)
    for name, task in settings.tasks.items():
        if task.sql:
            made[name] = _sql_task(layers, name, task)
        elif task.service and task.command and (task.image_tag or task.service in started):
            made[name] = _task(layers, name, task.service, task, task.command)
            if task.status_command:
                status = f"{name}{STATUS}"
                made[status] = _task(layers, status, task.service, task, task.status_command, is_status=True)
    return made


def _registry(settings: Settings, base: Foundation, name: str) -> Registry:
    return Registry(
        f"registry-{name}",
        RegistryArgs(
            repository_name=settings.services[name].names.repository or f"{base.path}/{name}",
            kms_key_arn=base.keys.arns["storage"],
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _cluster(settings: Settings, base: Foundation) -> Cluster:
    return Cluster(
        "cluster",
        ClusterArgs(
            cluster_name=settings.names.cluster or settings.name_prefix,
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
        or http_health_command(service.ports["http"], service.health.live_path or service.health.path or "/"),
        allow_exec=True,
        names=service.names,
    )


def _task(
    layers: _Layers,
    name: str,
    service_name: str,
    task: model.Task,
    command: Sequence[str],
    *,
    is_status: bool = False,
) -> Task:
    service = layers.settings.services[service_name]
    return _task_definition(
        layers,
        name=f"task-{name}",
        service_name=service_name,
        service=service,
        image_tag=task.image_tag or service.image_tag,
        command=command,
        health_command=None,  # it ends by itself, and its exit code says how
        as_master=task.as_master,
        told=NONE if is_status else _told(layers, name, task, working=f"task-{name}"),
    )


def _sql_task(layers: _Layers, name: str, task: model.Task) -> Task:
    command, environment = statements_command(task.sql)
    return sql_task(
        layers.settings,
        layers.base,
        layers.data,
        name=name,
        command=command,
        environment=environment,
        told=_told(layers, name, task, working=name),
    )


def _told(layers: _Layers, name: str, task: model.Task, *, working: str) -> Told:
    """What runs by the clock, or may take too long, tells how it ended; whoever runs the others sees it."""
    if task.schedule is None and task.stop_after_minutes is None:
        return NONE
    return tell(
        layers.settings,
        layers.base,
        layers.cluster,
        task=name,
        working=working,
        stop_after_minutes=task.stop_after_minutes,
    )


def _task_definition(
    layers: _Layers,
    *,
    name: str,
    service_name: str,
    service: model.Service,
    image_tag: str | None,
    command: Sequence[str] | None,
    health_command: Sequence[str] | None,
    as_master: bool = False,
    allow_exec: bool = False,
    names: ServiceNames = UNNAMED,
    told: Told = NONE,
) -> Task:
    settings, base = layers.settings, layers.base
    return Task(
        name,
        TaskArgs(
            family=names.family or f"{settings.name_prefix}-{name}",
            container=_container(
                layers,
                name=name,
                service_name=service_name,
                service=service,
                image_tag=image_tag,
                command=command,
                health_command=health_command,
                as_master=as_master,
            ),
            cpu=service.cpu,
            memory_mib=service.memory_mib,
            account_id=settings.account,
            region=settings.region,
            log_group_name=names.log_group or f"/{base.path}/{name}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[layers.registries[settings.repository_of(service_name)].arn],
            secret_arns=_secret_arns(layers, service, as_master=as_master),
            secret_key_arns=[base.keys.arns["secrets"]],
            task_statements=[
                *buckets.statements(settings, base, layers.data.buckets, service_name),
                *told.statements,
            ],
            report=told.report,
            limit=told.limit,
            allow_exec=allow_exec,
            exec_log_group_arn=layers.cluster.exec_log_group_arn if allow_exec else None,
            secret_files=_files(layers, service, as_master=as_master),
            # A one-off task would wait for its sidecar, which does not end by itself.
            log_router=log_router.of_service(settings, base, layers.data, name)
            if name == service_name
            else None,
            tags=base.tags,
        ),
    )


def _container(
    layers: _Layers,
    *,
    name: str,
    service_name: str,
    service: model.Service,
    image_tag: str | None,
    command: Sequence[str] | None,
    health_command: Sequence[str] | None,
    as_master: bool = False,
) -> Container:
    """The same on both targets; with a health command it serves, without one it ends by itself."""
    return Container(
        name=name,
        image=_image(layers, service_name, image_tag or ""),
        user=service.user,
        command=command or (),
        ports=_ports(service) if health_command is not None else {},
        environment=_environment(layers, service, as_master=as_master),
        secrets=_secrets(layers, service, as_master=as_master),
        writable_paths=service.writable_paths,
        memory_reservation_mib=service.memory_reservation_mib,
        health_command=health_command,
        health_interval_s=service.health.own_interval_s,
        health_timeout_s=service.health.own_timeout_s,
        health_retries=service.health.retries,
        health_start_period_s=service.health.start_period_s,
    )


def _ports(service: model.Service) -> dict[str, int]:
    """ECS maps a number once: metrics that are answered on the port of requests have no mapping of their own."""
    others = {name: port for name, port in service.ports.items() if name != METRICS_PORT}
    return {
        name: port
        for name, port in service.ports.items()
        if name != METRICS_PORT or port not in others.values()
    }


def _image(layers: _Layers, name: str, image_tag: str) -> pulumi.Output[str]:
    separator = "@" if image_tag.startswith("sha256:") else ":"
    repository = layers.registries[layers.settings.repository_of(name)]
    return pulumi.Output.concat(repository.repository_url, separator, image_tag)


def _environment(layers: _Layers, service: model.Service, *, as_master: bool) -> dict[str, pulumi.Input[str]]:
    settings = layers.settings
    values = {**layers.data.values.plain, **references.known_values(settings, service)}
    if as_master and settings.database and layers.data.database:
        # The master's login is none that a proxy lets pass.
        values["database.role"] = settings.database.username
        direct = layers.data.database
        values["database.address"] = direct.address
        values["database.replica_address"] = [*direct.replica_addresses, direct.address][0]
    files = {
        variable: f"{_secret_files.FOLDER}/{file_name}" for variable, file_name in service.file_names.items()
    }
    plain = {
        variable: Values(plain=values).text(template) for variable, template in service.environment.items()
    }
    return {**plain, **files}


def _secrets(layers: _Layers, service: model.Service, *, as_master: bool) -> dict[str, pulumi.Input[str]]:
    """What each secret variable is read from, in the notation of a container's `valueFrom`."""
    return _read_from(layers, service, service.secrets, as_master=as_master)


def _files(layers: _Layers, service: model.Service, *, as_master: bool) -> SecretFiles | None:
    if not service.secret_files:
        return None
    named = {service.file_names[variable]: template for variable, template in service.secret_files.items()}
    return SecretFiles(
        image=layers.settings.operations.image("postgres_image"),
        files=_read_from(layers, service, named, as_master=as_master),
    )


def _read_from(
    layers: _Layers, service: model.Service, wanted: Mapping[str, str], *, as_master: bool
) -> dict[str, pulumi.Input[str]]:
    arns = _arns(layers, service, as_master=as_master)
    # A login is JSON, of which the variable holds one part.
    read_from = {
        name: pulumi.Output.concat(arn, ":password::") if name.endswith(".password") else arn
        for name, arn in arns.items()
    }
    return {variable: read_from[references.references(template)[0]] for variable, template in wanted.items()}


def _secret_arns(layers: _Layers, service: model.Service, *, as_master: bool) -> list[pulumi.Input[str]]:
    arns = _arns(layers, service, as_master=as_master)
    wanted = dict.fromkeys(references.references(template)[0] for template in service.confidential.values())
    return [arns[name] for name in wanted]


def _arns(layers: _Layers, service: model.Service, *, as_master: bool) -> dict[str, pulumi.Output[str]]:
    """Every secret that a variable may name, by that name."""
    settings, data = layers.settings, layers.data
    arns = {f"secrets.{name}": secret.arn for name, secret in data.secrets.items()}
    for name in settings.caches:
        arns[f"caches.{name}.auth_token"] = data.cache_tokens[settings.cache_behind(name)].arn
    for name, login in data.broker_logins.items():
        arns[f"brokers.{name}.password"] = login.arn
    if data.database is not None:
        role = service.database.role if service.database and not as_master else None
        arns["database.password"] = data.role_secrets[role].arn if role else data.database.master_secret_arn
    return arns


def _route(layers: _Layers, service: model.Service) -> Route | None:
    base, balancer = layers.base, layers.front.load_balancer
    if service.public is None or balancer is None:
        return None
    return Route(
        vpc_id=base.network.vpc_id,
        listener_arn=balancer.https_listener_arn,
        load_balancer_arn_suffix=balancer.arn_suffix,
        hosts=[layers.settings.hosts[service.public.host]],
        paths=service.public.paths,
        private_paths=service.public.private_paths,
        rewrites=service.public.rewrites,
        strip_prefix=service.public.strip_prefix,
        priority=service.public.priority,
        port=service.ports["http"],
        health=TargetHealth(
            path=service.health.path or "/",
            interval_s=service.health.interval_s,
            timeout_s=service.health.timeout_s,
            healthy_threshold=service.health.healthy_threshold,
            unhealthy_threshold=service.health.unhealthy_threshold,
        ),
        target_group_name=service.names.target_group,
    )


def _service(layers: _Layers, name: str, service: model.Service, definition: Task) -> Service:
    base = layers.base
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
            route=_route(layers, service),
            namespace_arn=layers.cluster.namespace_arn,
            service_name=service.names.service,
            connect_port=layers.settings.port_of(name),
            discovery_namespace_id=layers.cluster.namespace_id if name in layers.settings.scraped else None,
            health_check_grace_period_s=service.health.grace_period_s,
            enable_execute_command=True,
            cpu_alarm_percent=layers.settings.observability.alerts.service_cpu_percent,
            memory_alarm_percent=layers.settings.observability.alerts.service_memory_percent,
            storage_alarm_percent=layers.settings.observability.alerts.storage_used_percent,
            tags=base.tags,
        ),
    )


def _collector_part(layers: _Layers, gauges: Metrics) -> kubernetes.CollectorPart | None:
    """What scrapes the services into Prometheus; None where nothing is scraped."""
    settings = layers.settings
    wanted, prometheus = settings.observability.prometheus, gauges.prometheus
    if wanted is None or prometheus is None or not settings.scraped:
        return None
    configuration = _collector.configuration(
        [
            _collector.Job(
                name=name,
                dns_name=kubernetes.metrics_address(settings, name)
                if settings.cluster
                else f"{discovery_name(name)}.{layers.base.namespace_name}",
                port=port,
                path=settings.services[name].metrics_path,
            )
            for name, port in settings.scraped.items()
        ],
        scrape_interval_s=wanted.scrape_interval_s,
        region=settings.region,
        endpoint=prometheus.endpoint,
        labels={"system": settings.name, "environment": settings.environment},
    )
    return kubernetes.CollectorPart(
        container=Container(
            name=COLLECTOR,
            image=settings.operations.image("collector_image"),
            user=_collector.COLLECTOR_USER,
            environment={"AOT_CONFIG_CONTENT": configuration},
            health_command=_collector.HEALTH_COMMAND,
        ),
        statements=[_iam.statement("aps:RemoteWrite", prometheus.arn, sid="WriteMetrics")],
    )


def _collector_service(layers: _Layers, gauges: Metrics) -> Service | None:
    settings, base = layers.settings, layers.base
    part = _collector_part(layers, gauges)
    if part is None:
        return None
    task = Task(
        COLLECTOR,
        TaskArgs(
            family=f"{settings.name_prefix}-{COLLECTOR}",
            container=part.container,
            cpu=COLLECTOR_CPU,
            memory_mib=COLLECTOR_MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/{COLLECTOR}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            task_statements=part.statements,
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
    front = layers.front.load_balancer
    balancer = front.arn_suffix if front else None
    targets = running.target_group_arn_suffix
    match rule:
        case CpuScaling():
            return Cpu(target_percent=rule.target_percent, policy_name=rule.name)
        case MemoryScaling():
            return Memory(target_percent=rule.target_percent, policy_name=rule.name)
        case RequestScaling() if targets is not None and balancer is not None:
            return RequestsPerTarget(
                target_per_minute=rule.target_per_minute,
                load_balancer_arn_suffix=balancer,
                target_group_arn_suffix=targets,
                policy_name=rule.name,
            )
        case LatencyScaling() if targets is not None and balancer is not None:
            return Latency(
                above_s=rule.above_s,
                add_tasks=rule.add_tasks,
                load_balancer_arn_suffix=balancer,
                target_group_arn_suffix=targets,
                statistic="p95" if rule.metric == "latency_p95" else "Average",
                policy_name=rule.name,
            )
        case QueueScaling() if layers.queue_metrics is not None:
            length = layers.queue_metrics.metric(rule.queue, "QueueLength")
            return Queue(
                namespace=length.namespace,
                metric_name=length.metric_name,
                dimensions=length.dimensions,
                add_above=rule.add_above,
                remove_below=rule.remove_below,
                policy_name=rule.name,
            )
        case QueueWaitScaling() if layers.queue_metrics is not None:
            wait = layers.queue_metrics.metric(rule.queue, "QueueOldestWaitSeconds")
            return QueueWait(
                namespace=wait.namespace,
                metric_name=wait.metric_name,
                dimensions=wait.dimensions,
                above_s=rule.above_s,
                add_tasks=rule.add_tasks,
                policy_name=rule.name,
            )
    # The settings' rules refuse this before anything is made.
    raise ValueError(f"scaling by {rule.metric} needs a public service or a queue, and {running} has neither")


def _queue_metrics(settings: Settings, base: Foundation, data: Stores) -> QueueMetrics:
    behind = {name: settings.cache_behind(queue.cache) for name, queue in settings.queues.items()}
    alerts = settings.observability.alerts
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
                    max_wait_s=alerts.queue_oldest_wait_s,
                    max_waiting=alerts.queue_waiting,
                    rising_minutes=alerts.failed_jobs_rising_minutes,
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
