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

from components import _containers, _fargate, _iam, _json
from components._containers import Container

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

    `before` is a container that runs first and must end well; both see the task's own disk at `shared_path`. The
    folder's owner is that of the image of `before`, if its Dockerfile declares a volume there; otherwise root.
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
    before: Container | None = None
    shared_path: str | None = None
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
        yield from _containers.problems(self.container)
        if self.before is not None:
            yield from _containers.problems(self.before)
        if (self.before is None) != (self.shared_path is None):
            yield "before and shared_path go together: the second container works on what the first one left"
        tmpfs_mib = sum(len(each.writable_paths) * each.writable_path_mib for each in self.containers)
        if tmpfs_mib * 2 > self.memory_mib:
            yield (
                f"writable_paths take {tmpfs_mib} MiB of memory, more than half of memory_mib {self.memory_mib}: "
                "lower writable_path_mib or raise memory_mib"
            )
        if any(each.secrets for each in self.containers) and not self.secret_arns:
            yield "a container's secrets need secret_arns: the execution role may read only what they list"
        if self.allow_exec and self.exec_log_group_arn is None:
            yield "allow_exec needs exec_log_group_arn: a shell session that is not logged is not allowed"

    @property
    def containers(self) -> list[Container]:
        """In the order in which they run."""
        return [self.container] if self.before is None else [self.before, self.container]


class Task(pulumi.ComponentResource):
    arn: pulumi.Output[str]
    family: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    task_role_arn: pulumi.Output[str]
    execution_role_arn: pulumi.Output[str]

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
                policy=_iam.document(*_execution_statements(args, log_group.arn)),
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
        task_statements = [*args.task_statements, *_exec_statements(args)]
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
            container_definitions=_json.dumps(_definitions(args, log_group.name)),
            volumes=[{"name": SHARED_VOLUME}] if args.shared_path is not None else None,
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
        self.register_outputs(
            {
                "arn": self.arn,
                "family": self.family,
                "log_group_name": self.log_group_name,
                "task_role_arn": self.task_role_arn,
                "execution_role_arn": self.execution_role_arn,
            }
        )


def _definitions(args: TaskArgs, log_group_name: pulumi.Input[str]) -> list[dict[str, Any]]:
    container = args.container
    if args.allow_exec:
        container = replace(container, writable_paths=[*container.writable_paths, *EXEC_PATHS])
    common: dict[str, Any] = {"log_group_name": log_group_name, "region": args.region}
    if args.before is None or args.shared_path is None:
        return [_containers.definition(container, **common)]
    common["volumes"] = {SHARED_VOLUME: args.shared_path}
    return [
        _containers.definition(args.before, essential=False, **common),
        _containers.definition(container, after=args.before.name, **common),
    ]


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
    if args.secret_arns:
        yield _iam.statement("secretsmanager:GetSecretValue", args.secret_arns, sid="ReadSecrets")
    if args.secret_key_arns:
        yield _iam.statement(
            "kms:Decrypt",
            args.secret_key_arns,
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{args.region}.amazonaws.com"}},
            sid="DecryptSecrets",
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
