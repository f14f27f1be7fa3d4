"""A task definition on Fargate with its log group and its two roles; a service or an operator runs it.

The execution role starts the container: it pulls from the given repositories, writes to this one log group and
reads the given secrets. The task role is what the code in the container may do: nothing that is not in
`task_statements`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from components import _containers, _fargate, _iam, _json, _log_router, _secret_files
from components._containers import Container
from components._log_router import LogRouter
from components._secret_files import SecretFiles
from components._watch import Metric, Watch

MIN_EPHEMERAL_STORAGE_GIB, MAX_EPHEMERAL_STORAGE_GIB = 21, 200  # ECS API, EphemeralStorage
# The agent of a shell session writes here, and the root filesystem is read-only.
EXEC_PATHS = ("/var/lib/amazon", "/var/log/amazon")
SHARED_VOLUME = "shared"


@dataclass(frozen=True, kw_only=True)
class TaskArgs:
    """`cpu` in units (1024 is one vCPU); `family` and `log_group_name` are physical names. The task's own disk,
    images included, has `ephemeral_storage_gib`, or without it the 20 GiB that Fargate gives.

    `secret_arns` are the secrets that the execution role may read, `secret_key_arns` the KMS keys they are
    encrypted with. With `allow_exec` shell sessions are possible, logged to `exec_log_group_arn`.

    `before` are containers that run first, one after the other, and must each end well; all see the task's own disk
    at `shared_path`. The folder's owner is that of the image of the first, if its Dockerfile declares a volume there;
    otherwise root. `report` runs when `container` has ended, well or not, and ends the task; `limit` runs beside all
    of them from the start, and when it ends, so does the task.

    With `log_router` a sidecar copies the container's log lines elsewhere too; its secrets count as `secret_arns`.
    With `secret_files` a container writes them first, and `container` finds them in /run/secrets.
    """

    family: str
    container: Container
    cpu: int
    memory_mib: int
    cpu_architecture: Literal["X86_64", "ARM64"] = "X86_64"
    account_id: pulumi.Input[str]
    region: str
    log_group_name: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    repository_arns: Sequence[pulumi.Input[str]]
    secret_arns: Sequence[pulumi.Input[str]] = ()
    secret_key_arns: Sequence[pulumi.Input[str]] = ()
    task_statements: Sequence[_iam.Statement] = ()
    ephemeral_storage_gib: int | None = None
    allow_exec: bool = False
    exec_log_group_arn: pulumi.Input[str] | None = None
    before: Sequence[Container] = ()
    shared_path: str | None = None
    report: Container | None = None
    limit: Container | None = None
    log_router: LogRouter | None = None
    secret_files: SecretFiles | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"task {self.family}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        size = _fargate.problem(self.cpu, self.memory_mib)
        if size:
            yield size
        disk_gib = self.ephemeral_storage_gib
        if disk_gib is not None and not MIN_EPHEMERAL_STORAGE_GIB <= disk_gib <= MAX_EPHEMERAL_STORAGE_GIB:
            yield (
                f"ephemeral_storage_gib must be {MIN_EPHEMERAL_STORAGE_GIB} to {MAX_EPHEMERAL_STORAGE_GIB}, or be "
                f"left out for Fargate's own 20, got {disk_gib}"
            )
        for each in self.containers:
            yield from _containers.problems(each)
        if bool(self.before) != (self.shared_path is not None):
            yield "before and shared_path go together: the second container works on what the first one left"
        names = [each.name for each in self.containers]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"two containers are called {name!r}; give each its own name"
        if self.log_router is not None:
            yield from _log_router.problems(self.log_router)
            if len(self.containers) > 1:
                yield "log_router goes with one container only: the sidecar would outlive a task that ends"
        tmpfs_mib = sum(len(each.writable_paths) * each.writable_path_mib for each in self.containers)
        if tmpfs_mib * 2 > self.memory_mib:
            yield (
                f"writable_paths take {tmpfs_mib} MiB of memory, more than half of memory_mib {self.memory_mib}: "
                "lower writable_path_mib or raise memory_mib"
            )
        if self.secret_files is not None:
            yield from _secret_files.problems(self.secret_files, self.container.user)
        has_secrets = self.secret_files is not None or any(each.secrets for each in self.containers)
        if has_secrets and not self.secret_arns:
            yield "a container's secrets need secret_arns: the execution role may read only what they list"
        if self.allow_exec and self.exec_log_group_arn is None:
            yield "allow_exec needs exec_log_group_arn: a shell session that is not logged is not allowed"

    @property
    def containers(self) -> list[Container]:
        """In the order in which they run; the limit beside the others."""
        others = [each for each in (self.report, self.limit) if each is not None]
        return [*self.before, self.container, *others]


class Task(pulumi.ComponentResource):
    arn: pulumi.Output[str]
    family: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    task_role_arn: pulumi.Output[str]
    execution_role_arn: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: TaskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:compute:Task", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": args.family}
        trust = _iam.assume_role(
            "ecs-tasks.amazonaws.com",
            account_id=args.account_id,
            source_arn=pulumi.Output.format("arn:aws:ecs:{0}:{1}:*", args.region, args.account_id),
        )

        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        router_log_group = self._router_log_group(name, args)
        execution_role = aws.iam.Role(
            f"{name}-execution",
            description=f"Starts the container of {args.family}",
            assume_role_policy=trust,
            tags=tags,
            opts=child,
        )
        policies = [
            aws.iam.RolePolicy(
                f"{name}-execution",
                role=execution_role.name,
                policy=_iam.document(*_execution_statements(args, (router_log_group or log_group).arn)),
                opts=child,
            )
        ]
        task_role = aws.iam.Role(
            f"{name}-task",
            description=f"What the code of {args.family} may do",
            assume_role_policy=trust,
            tags=tags,
            opts=child,
        )
        task_statements = [
            *args.task_statements,
            *_exec_statements(args),
            *_router_statements(args, log_group.arn),
        ]
        if task_statements:
            policies.append(
                aws.iam.RolePolicy(
                    f"{name}-task",
                    role=task_role.name,
                    policy=_iam.document(*task_statements),
                    opts=child,
                )
            )
        definition = aws.ecs.TaskDefinition(
            name,
            family=args.family,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.cpu),
            memory=str(args.memory_mib),
            runtime_platform={
                "cpu_architecture": args.cpu_architecture,
                "operating_system_family": "LINUX",
            },
            execution_role_arn=execution_role.arn,
            task_role_arn=task_role.arn,
            container_definitions=_json.dumps(
                _definitions(args, log_group.name, router_log_group.name if router_log_group else None)
            ),
            volumes=_volumes(args) or None,
            ephemeral_storage={"size_in_gib": args.ephemeral_storage_gib}
            if args.ephemeral_storage_gib is not None
            else None,
            # A rollback goes back to the revision before: it must still be there.
            skip_destroy=True,
            tags=tags,
            # Whoever starts this task knows only the definition; its roles must have their rights by then.
            opts=pulumi.ResourceOptions(parent=self, depends_on=policies),
        )

        self.arn = definition.arn
        self.family = definition.family
        self.log_group_name = log_group.name
        self.task_role_arn = task_role.arn
        self.execution_role_arn = execution_role.arn
        self.watches = list(_router_watches(name, args))
        self.register_outputs(
            {
                "arn": self.arn,
                "family": self.family,
                "log_group_name": self.log_group_name,
                "task_role_arn": self.task_role_arn,
                "execution_role_arn": self.execution_role_arn,
            }
        )

    def _router_log_group(self, name: str, args: TaskArgs) -> aws.cloudwatch.LogGroup | None:
        """The sidecar's own words: among the service's, its complaints would count as errors of the service."""
        if args.log_router is None:
            return None
        child = pulumi.ResourceOptions(parent=self)
        group_name = f"{args.log_group_name}/{_log_router.NAME}"
        group = aws.cloudwatch.LogGroup(
            f"{name}-router-logs",
            name=group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": group_name},
            opts=child,
        )
        aws.cloudwatch.LogMetricFilter(
            f"{name}-router-gave-up",
            name=_gave_up(name),
            log_group_name=group.name,
            pattern=_log_router.GIVEN_UP_PATTERN,
            metric_transformation={
                "name": _gave_up(name),
                "namespace": args.log_router.namespace,
                "value": "1",
                "unit": "Count",
            },
            opts=child,
        )
        return group


def _gave_up(name: str) -> str:
    return f"{name}-log-router-gave-up"


def _router_watches(name: str, args: TaskArgs) -> Iterator[Watch]:
    if args.log_router is not None:
        yield Watch(
            name=_gave_up(name),
            description=f"Batches of log lines of {name} that one of the log router's receivers did not take",
            severity="warning",
            threshold=0,
            metrics=[
                Metric(
                    id="lost",
                    namespace=args.log_router.namespace,
                    metric_name=_gave_up(name),
                    stat="Sum",
                )
            ],
        )


def _volumes(args: TaskArgs) -> list[aws.ecs.TaskDefinitionVolumeArgsDict]:
    wanted = {
        SHARED_VOLUME: args.shared_path is not None,
        _secret_files.NAME: args.secret_files is not None,
    }
    return [{"name": name} for name, is_wanted in wanted.items() if is_wanted]


def _definitions(
    args: TaskArgs, log_group_name: pulumi.Input[str], router_log_group_name: pulumi.Input[str] | None
) -> list[dict[str, Any]]:
    made = _working(args, log_group_name, router_log_group_name)
    if args.secret_files is None:
        return made
    writer = _containers.definition(
        _secret_files.writer(args.secret_files, args.container.user),
        log_group_name=log_group_name,
        region=args.region,
        essential=False,
    )
    return _secret_files.beside(made, writer, reader=args.container.name)


def _working(
    args: TaskArgs, log_group_name: pulumi.Input[str], router_log_group_name: pulumi.Input[str] | None
) -> list[dict[str, Any]]:
    container = args.container
    if args.allow_exec:
        container = replace(container, writable_paths=[*container.writable_paths, *EXEC_PATHS])
    common: dict[str, Any] = {"log_group_name": log_group_name, "region": args.region}
    if args.log_router is not None and router_log_group_name is not None:
        made = _containers.definition(container, **common)
        made["logConfiguration"] = _log_router.log_configuration()
        return [
            made,
            _log_router.definition(
                args.log_router, container=container.name, own_log_group_name=router_log_group_name, **common
            ),
        ]
    if args.shared_path is not None:
        common["volumes"] = {SHARED_VOLUME: args.shared_path}
    made = []
    previous: str | None = None
    for step in args.before:
        made.append(_containers.definition(step, essential=False, after=previous, **common))
        previous = step.name
    made.append(_containers.definition(container, essential=args.report is None, after=previous, **common))
    if args.report is not None:
        made.append(
            _containers.definition(args.report, after=container.name, after_condition="COMPLETE", **common)
        )
    if args.limit is not None:
        made.append(_containers.definition(args.limit, **common))
    return made


def _execution_statements(args: TaskArgs, log_group_arn: pulumi.Output[str]) -> Iterator[_iam.Statement]:
    # The token belongs to the account's registry as a whole: IAM knows no narrower resource for it.
    yield _iam.statement("ecr:GetAuthorizationToken", "*", sid="RegistryToken")
    if args.repository_arns:
        yield _iam.statement(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            args.repository_arns,
            sid="PullImage",
        )
    yield _iam.statement(
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        pulumi.Output.concat(log_group_arn, ":*"),
        sid="WriteLogs",
    )
    router_secrets = args.log_router.secrets.values() if args.log_router else ()
    if args.secret_arns or router_secrets:
        yield _iam.statement(
            "secretsmanager:GetSecretValue", [*args.secret_arns, *router_secrets], sid="ReadSecrets"
        )
    if args.secret_key_arns:
        yield _iam.statement(
            "kms:Decrypt",
            args.secret_key_arns,
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{args.region}.amazonaws.com"}},
            sid="DecryptSecrets",
        )


def _router_statements(args: TaskArgs, log_group_arn: pulumi.Output[str]) -> Iterator[_iam.Statement]:
    """The sidecar writes with the task's own role; awslogs does it with the execution role."""
    if args.log_router is not None:
        yield _iam.statement(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            pulumi.Output.concat(log_group_arn, ":*"),
            sid="RouteLogs",
        )


def _exec_statements(args: TaskArgs) -> Iterator[_iam.Statement]:
    if not args.allow_exec or args.exec_log_group_arn is None:
        return
    yield _iam.statement(
        [
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        "*",
        sid="ShellSession",
    )
    yield _iam.statement("logs:DescribeLogGroups", "*", sid="FindSessionLog")
    yield _iam.statement(
        ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        pulumi.Output.concat(args.exec_log_group_arn, ":*"),
        sid="LogSession",
    )
    yield _iam.statement("kms:Decrypt", args.log_key_arn, sid="EncryptSession")
