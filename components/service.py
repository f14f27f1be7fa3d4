"""A Fargate service that replaces its tasks without a gap and goes back by itself when a deployment fails.

With a `Route` it stands behind a load balancer's listener; without one it is a worker. `desired_count` is only
where it starts: afterwards its autoscaling owns the number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components._entry import (
    Rewrite,
    TargetHealth,
    rewrite,
    rewrite_problems,
    with_children,
    without_prefix,
)
from components._watch import Metric, Watch

MAX_CONDITION_VALUES = 5  # Application Load Balancer quotas, condition values per rule
MAX_PRIORITY = 50_000  # ELB API, CreateRule
MAX_TARGET_GROUP_NAME = 32  # ELB API, CreateTargetGroup
MAX_NAME = 21  # a target group's name has 32 characters, of which "-tg" and the engine's suffix take 11


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a listener sends to the service: these hosts and paths, to `port` of its container.

    `private_paths` answer 404 to everybody outside, each with everything below it. `rewrites` are paths that the
    service knows by another one, and are asked first. `strip_prefix` is taken off the other requests' paths before
    the service sees them. A route takes one rule priority for each: `priority`, `priority` - 1 for the private
    paths, and those below for the rewrites in their order. `target_group_name` is a physical name; None lets the
    engine choose one. A deployment that answers more than
    `rollback_error_percent` of the requests with 5xx is rolled back. `latency_p95_s` (seconds) and
    `error_rate_percent` are watched when given.
    """

    vpc_id: pulumi.Input[str]
    listener_arn: pulumi.Input[str]
    load_balancer_arn_suffix: pulumi.Input[str]
    hosts: Sequence[str]
    paths: Sequence[str] = ("/*",)
    private_paths: Sequence[str] = ()
    rewrites: Mapping[str, str] = field(default_factory=dict)
    strip_prefix: str | None = None
    priority: int
    port: int
    health: TargetHealth
    target_group_name: str | None = None
    deregistration_delay_s: int = 30
    rollback_error_percent: float = 5
    latency_p95_s: float | None = None
    error_rate_percent: float | None = None

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the route, a sentence each."""
        if not self.hosts:
            yield "route.hosts is empty: name the host that the service answers for"
        for key, paths in (("paths", self.paths), ("private_paths", with_children(self.private_paths))):
            if len(self.hosts) + len(paths) > MAX_CONDITION_VALUES:
                yield (
                    f"route.hosts and route.{key} make {len(self.hosts) + len(paths)} conditions, and a listener "
                    f"rule has room for {MAX_CONDITION_VALUES} (a private path takes two): split the route"
                )
        if not self.paths:
            yield 'route.paths is empty: use ["/*"] for all of them'
        lowest = 2 + len(self.rewrites)
        if not lowest <= self.priority <= MAX_PRIORITY:
            yield f"route.priority must be {lowest} to {MAX_PRIORITY}, got {self.priority}"
        yield from rewrite_problems(self.paths, self.rewrites, self.strip_prefix)
        yield from self.health.problems()
        if self.target_group_name is not None and len(self.target_group_name) > MAX_TARGET_GROUP_NAME:
            yield (
                f"route.target_group_name has at most {MAX_TARGET_GROUP_NAME} characters, "
                f"got {len(self.target_group_name)}"
            )


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """`discovery_namespace_id` gives the tasks a private DNS name, `<name>-metrics`, for whoever scrapes them.

    `namespace_arn` joins Service Connect, where other services call this one as `<name>:<port>` if `connect_port`
    names a port of its container and its number. `rollback_alarm_names` stop a deployment besides the route's own.
    The `..._alarm_percent` are a product's own thresholds, looked at for 5 minutes; None leaves CPU and memory at 90
    for 15 minutes, and a task's own storage unwatched.
    """

    cluster_arn: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    service_name: str | None = None  # its physical name; None: the engine makes one
    task_definition_arn: pulumi.Input[str]
    container_name: str
    desired_count: int
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_ids: Sequence[pulumi.Input[str]]
    route: Route | None = None
    namespace_arn: pulumi.Input[str] | None = None
    connect_port: tuple[str, int] | None = None
    discovery_namespace_id: pulumi.Input[str] | None = None
    rollback_alarm_names: Sequence[pulumi.Input[str]] = ()
    health_check_grace_period_s: int = 60
    enable_execute_command: bool = False
    wait_for_steady_state: bool = True
    cpu_alarm_percent: float | None = None
    memory_alarm_percent: float | None = None
    storage_alarm_percent: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"service {self.container_name}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if self.desired_count < 0:
            yield f"desired_count must be 0 or more, got {self.desired_count}"
        if self.connect_port is not None and self.namespace_arn is None:
            yield "connect_port needs namespace_arn: name the namespace in which others find the service"
        for key in ("cpu_alarm_percent", "memory_alarm_percent", "storage_alarm_percent"):
            percent = getattr(self, key)
            if percent is not None and not 0 < percent <= 100:
                yield f"{key} must be above 0 and at most 100, got {percent:g}"
        if self.route is not None:
            yield from self.route.problems()


class Service(pulumi.ComponentResource):
    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    target_group_arn_suffix: pulumi.Output[str] | None
    discovery_name: str | None
    watches: Sequence[Watch]

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        named_after = args.route is not None and args.route.target_group_name is None
        if named_after and len(name) > MAX_NAME:
            raise ValueError(
                f"service {name}: a name of a service with a route has at most {MAX_NAME} characters, "
                f"got {len(name)}, since its target group is named after it"
            )
        super().__init__("groundwork:compute:Service", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": name}

        target_group: aws.lb.TargetGroup | None = None
        rules: list[pulumi.Resource] = []
        rollback_alarm_names = list(args.rollback_alarm_names)
        if args.route is not None:
            target_group = _target_group(name, args.route, tags, child)
            rules = _listener_rules(name, args.route, target_group, tags, child)
            alarm = _rollback_alarm(name, args.route, target_group, tags, child)
            rollback_alarm_names.append(alarm.name)
        discovery = _discovery(name, args.discovery_namespace_id, tags, child)

        service = aws.ecs.Service(
            name,
            name=args.service_name,
            cluster=args.cluster_arn,
            task_definition=args.task_definition_arn,
            desired_count=args.desired_count,
            launch_type="FARGATE",
            platform_version="LATEST",
            network_configuration={
                "subnets": args.subnet_ids,
                "security_groups": args.security_group_ids,
                "assign_public_ip": False,
            },
            load_balancers=[
                {
                    "target_group_arn": target_group.arn,
                    "container_name": args.container_name,
                    "container_port": args.route.port,
                }
            ]
            if args.route is not None and target_group is not None
            else None,
            health_check_grace_period_seconds=args.health_check_grace_period_s if args.route else None,
            service_registries={"registry_arn": discovery.arn} if discovery is not None else None,
            service_connect_configuration=_service_connect(name, args),
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker={"enable": True, "rollback": True},
            alarms={"alarm_names": rollback_alarm_names, "enable": True, "rollback": True}
            if rollback_alarm_names
            else None,
            availability_zone_rebalancing="ENABLED",
            enable_execute_command=args.enable_execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=args.wait_for_steady_state,
            tags=tags,
            # ECS refuses a target group that no listener uses yet.
            opts=pulumi.ResourceOptions(parent=self, depends_on=rules, ignore_changes=["desiredCount"]),
        )

        self.name = service.name
        self.arn = service.arn
        self.target_group_arn_suffix = target_group.arn_suffix if target_group is not None else None
        self.discovery_name = discovery_name(name) if discovery is not None else None
        self.watches = [
            *_task_watches(name, args, service.name),
            *_route_watches(name, args.route, target_group),
        ]
        self.register_outputs(
            {
                "name": self.name,
                "arn": self.arn,
                "target_group_arn_suffix": self.target_group_arn_suffix,
                "discovery_name": self.discovery_name,
            }
        )


@dataclass(frozen=True, kw_only=True)
class PublicRouteArgs:
    route: Route
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self.route.problems())
        if problems:
            raise ValueError("public route: " + "; ".join(problems))


class PublicRoute(pulumi.ComponentResource):
    """What a `Service` has at the load balancer, where something else than ECS runs it and registers its targets."""

    target_group_arn: pulumi.Output[str]
    target_group_arn_suffix: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: PublicRouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:compute:PublicRoute", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": name}
        target_group = _target_group(name, args.route, tags, child)
        _listener_rules(name, args.route, target_group, tags, child)
        self.target_group_arn = target_group.arn
        self.target_group_arn_suffix = target_group.arn_suffix
        self.watches = list(_route_watches(name, args.route, target_group))
        self.register_outputs({
            "target_group_arn": self.target_group_arn,
            "target_group_arn_suffix": self.target_group_arn_suffix,
        })  # fmt: skip


def _target_group(
    name: str, route: Route, tags: Mapping[str, str], opts: pulumi.ResourceOptions
) -> aws.lb.TargetGroup:
    return aws.lb.TargetGroup(
        f"{name}-tg",
        name=route.target_group_name,
        vpc_id=route.vpc_id,
        target_type="ip",
        protocol="HTTP",
        port=route.port,
        load_balancing_algorithm_type="least_outstanding_requests",
        deregistration_delay=route.deregistration_delay_s,
        health_check={
            "path": route.health.path,
            "protocol": "HTTP",
            "port": "traffic-port",
            "matcher": "200",
            "interval": route.health.interval_s,
            "timeout": route.health.timeout_s,
            "healthy_threshold": route.health.healthy_threshold,
            "unhealthy_threshold": route.health.unhealthy_threshold,
        },
        tags=tags,
        opts=opts,
    )


def _listener_rules(
    name: str,
    route: Route,
    target_group: aws.lb.TargetGroup,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    forward = aws.lb.ListenerRule(
        f"{name}-forward",
        listener_arn=route.listener_arn,
        priority=route.priority,
        conditions=[
            {"host_header": {"values": list(route.hosts)}},
            {"path_pattern": {"values": list(route.paths)}},
        ],
        actions=[{"type": "forward", "target_group_arn": target_group.arn}],
        transforms=_transforms(without_prefix(route.strip_prefix)) if route.strip_prefix else None,
        tags=tags,
        opts=opts,
    )
    rewrites = [
        aws.lb.ListenerRule(
            f"{name}-rewrite-{path.strip('/').replace('/', '-')}",
            listener_arn=route.listener_arn,
            priority=route.priority - 2 - index,
            conditions=[
                {"host_header": {"values": list(route.hosts)}},
                {"path_pattern": {"values": [path]}},
            ],
            actions=[{"type": "forward", "target_group_arn": target_group.arn}],
            transforms=_transforms(rewrite(path, target)),
            tags=tags,
            opts=opts,
        )
        for index, (path, target) in enumerate(route.rewrites.items())
    ]
    if not route.private_paths:
        return [*rewrites, forward]
    private = aws.lb.ListenerRule(
        f"{name}-private",
        listener_arn=route.listener_arn,
        priority=route.priority - 1,
        conditions=[
            {"host_header": {"values": list(route.hosts)}},
            {"path_pattern": {"values": with_children(route.private_paths)}},
        ],
        actions=[
            {
                "type": "fixed-response",
                "fixed_response": {
                    "content_type": "text/plain",
                    "message_body": "not found",
                    "status_code": "404",
                },
            }
        ],
        tags=tags,
        opts=opts,
    )
    return [*rewrites, private, forward]


def _transforms(wanted: Rewrite) -> list[aws.lb.ListenerRuleTransformArgsDict]:
    return [
        {
            "type": "url-rewrite",
            "url_rewrite_config": {"rewrite": {"regex": wanted.regex, "replace": wanted.replace}},
        }
    ]


def _rollback_alarm(
    name: str,
    route: Route,
    target_group: aws.lb.TargetGroup,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.cloudwatch.MetricAlarm:
    dimensions = _target_dimensions(route, target_group)
    return aws.cloudwatch.MetricAlarm(
        f"{name}-rollback",
        alarm_description=(
            f"More than {route.rollback_error_percent:g} percent of the answers of {name} are 5xx: "
            "a deployment that is under way is rolled back"
        ),
        comparison_operator="GreaterThanThreshold",
        threshold=route.rollback_error_percent,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        treat_missing_data="notBreaching",
        metric_queries=[
            {
                "id": "percent",
                # A handful of requests says nothing about a deployment.
                "expression": "IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)",
                "label": "5xx answers, percent",
                "return_data": True,
            },
            _query("errors", "HTTPCode_Target_5XX_Count", dimensions),
            _query("requests", "RequestCount", dimensions),
        ],
        tags=tags,
        opts=opts,
    )


def _query(
    query_id: str, metric_name: str, dimensions: Mapping[str, pulumi.Input[str]]
) -> aws.cloudwatch.MetricAlarmMetricQueryArgsDict:
    return {
        "id": query_id,
        "metric": {
            "namespace": "AWS/ApplicationELB",
            "metric_name": metric_name,
            "dimensions": dimensions,
            "stat": "Sum",
            "period": 60,
        },
    }


def _discovery(
    name: str,
    namespace_id: pulumi.Input[str] | None,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.servicediscovery.Service | None:
    if namespace_id is None:
        return None
    return aws.servicediscovery.Service(
        discovery_name(name),
        name=discovery_name(name),
        description=f"The tasks of {name}, one address each",
        dns_config={
            "namespace_id": namespace_id,
            "dns_records": [{"type": "A", "ttl": 15}],
            "routing_policy": "MULTIVALUE",
        },
        health_check_custom_config={"failure_threshold": 1},
        tags=tags,
        opts=opts,
    )


def discovery_name(name: str) -> str:
    """The private DNS label of a service's tasks; not `name` itself, which Service Connect registers."""
    return f"{name}-metrics"


def _service_connect(
    name: str, args: ServiceArgs
) -> aws.ecs.ServiceServiceConnectConfigurationArgsDict | None:
    if args.namespace_arn is None:
        return None
    if args.connect_port is None:
        return {"enabled": True, "namespace": args.namespace_arn}
    port_name, port = args.connect_port
    return {
        "enabled": True,
        "namespace": args.namespace_arn,
        "services": [
            {
                "port_name": port_name,
                "discovery_name": name,
                "client_alias": [{"dns_name": name, "port": port}],
            }
        ],
    }


def _target_dimensions(route: Route, target_group: aws.lb.TargetGroup) -> dict[str, pulumi.Input[str]]:
    return {"LoadBalancer": route.load_balancer_arn_suffix, "TargetGroup": target_group.arn_suffix}


def _task_watches(name: str, args: ServiceArgs, service_name: pulumi.Output[str]) -> Iterator[Watch]:
    dimensions = {"ClusterName": args.cluster_name, "ServiceName": service_name}

    def container_metric(metric_id: str, metric_name: str) -> Metric:
        return Metric(
            id=metric_id,
            namespace="ECS/ContainerInsights",
            metric_name=metric_name,
            stat="Average",
            dimensions=dimensions,
        )

    yield Watch(
        name=f"{name}-running",
        description=f"Tasks of {name} that should run and do not, for ten minutes: it cannot start or dies again",
        severity="critical",
        threshold=0,
        metrics=[
            container_metric("desired", "DesiredTaskCount"),
            container_metric("running", "RunningTaskCount"),
        ],
        expression="desired - running",
        period_s=60,
        evaluation_periods=10,
        treat_missing_data="missing",
    )
    if args.storage_alarm_percent is not None:
        yield Watch(
            name=f"{name}-storage",
            description=f"Percent of their own storage that the tasks of {name} use, above "
            f"{args.storage_alarm_percent:g} for 5 minutes: when it is full, a task cannot write any more",
            severity="warning",
            threshold=args.storage_alarm_percent,
            metrics=[
                container_metric("used", "EphemeralStorageUtilized"),
                container_metric("reserved", "EphemeralStorageReserved"),
            ],
            expression="100 * used / reserved",
        )
    for part, metric_name, percent in (
        ("cpu", "CPUUtilization", args.cpu_alarm_percent),
        ("memory", "MemoryUtilization", args.memory_alarm_percent),
    ):
        minutes = 15 if percent is None else 5
        yield Watch(
            name=f"{name}-{part}",
            description=(
                f"Percent of its {part} that {name} uses, averaged over its tasks, above {percent or 90:g} for "
                f"{minutes} minutes: scaling out did not help or has reached its maximum"
            ),
            severity="warning",
            threshold=percent or 90,
            metrics=[
                Metric(
                    id=part,
                    namespace="AWS/ECS",
                    metric_name=metric_name,
                    stat="Average",
                    dimensions=dimensions,
                )
            ],
            period_s=300,
            evaluation_periods=minutes // 5,
        )


def _route_watches(
    name: str, route: Route | None, target_group: aws.lb.TargetGroup | None
) -> Iterator[Watch]:
    if route is None or target_group is None:
        return

    def metric(metric_id: str, metric_name: str, stat: str) -> Metric:
        return Metric(
            id=metric_id,
            namespace="AWS/ApplicationELB",
            metric_name=metric_name,
            stat=stat,
            dimensions=_target_dimensions(route, target_group),
        )

    yield Watch(
        name=f"{name}-no-healthy-target",
        description=f"Healthy tasks of {name} behind the load balancer, fewer than 1: nobody is served",
        severity="critical",
        threshold=1,
        comparison="LessThanThreshold",
        metrics=[metric("healthy", "HealthyHostCount", "Minimum")],
        period_s=60,
        evaluation_periods=3,
        treat_missing_data="breaching",
    )
    yield Watch(
        name=f"{name}-unhealthy-targets",
        description=f"Tasks of {name} that fail {route.health.path}, at least one for ten minutes",
        severity="warning",
        threshold=0,
        metrics=[metric("unhealthy", "UnHealthyHostCount", "Maximum")],
        period_s=60,
        evaluation_periods=10,
    )
    if route.error_rate_percent is not None:
        yield Watch(
            name=f"{name}-errors",
            description=f"Percent of the requests to {name} answered with 5xx, over five minutes",
            severity="critical",
            threshold=route.error_rate_percent,
            metrics=[
                metric("errors", "HTTPCode_Target_5XX_Count", "Sum"),
                metric("requests", "RequestCount", "Sum"),
            ],
            expression="100 * FILL(errors, 0) / requests",
        )
    if route.latency_p95_s is not None:
        yield Watch(
            name=f"{name}-latency",
            description=f"Seconds that the slowest twentieth of the answers of {name} takes at least (p95)",
            severity="warning",
            threshold=route.latency_p95_s,
            metrics=[metric("latency", "TargetResponseTime", "p95")],
            evaluation_periods=3,
        )
