"""Containers on ECS, and how they are rolled out."""

import re

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given, given_at, literal, rule
from task_definitions import FUNCTION, TASK_DEFINITION, containers

CLUSTER = "aws:ecs/cluster:Cluster"
SERVICE = "aws:ecs/service:Service"

# What turns a container into its machine's master (capabilities(7)); Fargate allows SYS_PTRACE at most.
MIGHTY = {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"}

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")

RULES: list[Rule] = []


@rule(
    RULES,
    "container-non-root",
    types=[TASK_DEFINITION],
    severity="high",
    why="A process that breaks out of its container as root is root on what it finds there.",
    remedy='Set user to the number of an unprivileged user, "1000" for Node images (system file: services.<name>.user)',
    checklist=["C50"],
    frameworks=["FSBP ECS.4", "Security Hub ECS.20", "CKV_AWS_334"],
)
def container_non_root(props: Props) -> Findings:
    """Containers run as an unprivileged user; AWS makes an exception of log routers (FireLens)."""
    for where, container in containers(props):
        user = str(container.get("user") or "")
        # The socket of a log router stands in a folder of root's (aws/containers-roadmap #2122).
        is_log_router = bool(container.get("firelensConfiguration"))
        if not is_log_router and user.partition(":")[0] in {"", "root", "0"}:
            yield f"{where}: {given(container, 'user')}"
        if container.get("privileged"):
            yield f"{where}: {given(container, 'privileged')}"


def is_pinned(image: str) -> bool:
    """By a digest, or by a tag that names a version: not missing, not `latest`, not a bare word such as `stable`."""
    if DIGEST.search(image):
        return True
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return bool(colon) and any(map(str.isdigit, tag)) and "latest" not in tag


@rule(
    RULES,
    "task-isolated",
    types=[TASK_DEFINITION],
    severity="high",
    why="What it shares with its machine, an intruder in the container shares with every other container on it.",
    remedy="Set networkMode to awsvpc and leave pidMode, ipcMode, hostPath and added capabilities out",
    checklist=["C50"],
    frameworks=[
        "FSBP ECS.1",
        "FSBP ECS.3",
        "Security Hub ECS.17",
        "CKV_AWS_335",
    ],
)
def task_isolated(props: Props) -> Findings:
    """A task has a network, processes and files of its own."""
    for name in ("networkMode", "pidMode", "ipcMode"):
        if props.get(name) == "host":
            yield given(props, name)
    for volume in props.get("volumes") or []:
        if volume.get("hostPath"):
            yield f"volume {volume.get('name', '?')}: {given(volume, 'hostPath')}"
    for where, container in containers(props):
        added = set(at(container, "linuxParameters.capabilities.add") or []) & MIGHTY
        if added:
            yield f"{where}: capabilities.add holds {', '.join(sorted(added))}"


@rule(
    RULES,
    "task-files-encrypted",
    types=[TASK_DEFINITION],
    severity="high",
    why="NFS has no encryption of its own: the files would cross the network in the clear.",
    remedy="Set transitEncryption of efsVolumeConfiguration to ENABLED",
    checklist=["C67"],
    frameworks=["Security Hub ECS.18", "CKV_AWS_97"],
)
def task_files_encrypted(props: Props) -> Findings:
    """A task speaks TLS with the file systems that it mounts."""
    for volume in props.get("volumes") or []:
        mounted = volume.get("efsVolumeConfiguration")
        if mounted and mounted.get("transitEncryption") != "ENABLED":
            yield f"volume {volume.get('name', '?')}: {given(mounted, 'transitEncryption')}"


@rule(
    RULES,
    "task-role-of-its-own",
    types=[TASK_DEFINITION],
    severity="medium",
    why="The execution role reads every secret and pulls every image before the code runs; the code should not.",
    remedy="Give taskRoleArn a role of its own, with what the code itself calls",
    checklist=["C11"],
    frameworks=["CKV_AWS_249"],
    whole_stack=True,
)
def task_role_of_its_own(task: PolicyResource, _stack: Stack) -> Findings:
    """What starts a task and what runs in it have different roles."""
    own, starts = (
        {role.urn for role in task.property_dependencies.get(name, [])}
        for name in ("taskRoleArn", "executionRoleArn")
    )
    named = literal(task.props, "taskRoleArn")
    if (own and own == starts) or (named and named == literal(task.props, "executionRoleArn")):
        yield "taskRoleArn and executionRoleArn are the same role"


@rule(
    RULES,
    "container-image-pinned",
    types=[TASK_DEFINITION, FUNCTION],
    severity="high",
    why="A tag that moves makes two tasks of one service run different code, and a rollback roll back to nothing.",
    remedy="Give a version tag or a digest (stack file: services.<name>.image_tag)",
    checklist=["C53"],
)
def container_image_pinned(props: Props, resource_type: str) -> Findings:
    """Images are named by version or digest."""
    if resource_type == FUNCTION:
        image = props.get("imageUri")
        if image and not is_pinned(image):
            yield given(props, "imageUri")
        return
    for where, container in containers(props):
        if not is_pinned(str(container.get("image") or "")):
            yield f"{where}: {given(container, 'image')}"


@rule(
    RULES,
    "container-logging",
    types=[TASK_DEFINITION],
    severity="medium",
    why="What a container without a log driver writes is gone with its task.",
    remedy="Give the container a logConfiguration",
    checklist=["C60"],
    frameworks=["FSBP ECS.9"],
)
def container_logging(props: Props) -> Findings:
    """Every container's output is kept."""
    for where, container in containers(props):
        if not (container.get("logConfiguration") or {}).get("logDriver"):
            yield f"{where}: logConfiguration is not set"


@rule(
    RULES,
    "container-health-check",
    types=[TASK_DEFINITION],
    severity="medium",
    why="Without it ECS only notices a process that ends, not one that hangs.",
    remedy="Give the container a healthCheck (system file: services.<name>.health)",
    checklist=["C63"],
)
def container_health_check(props: Props) -> Findings:
    """An essential container that serves a port says how its health is checked; one-off tasks serve none."""
    for where, container in containers(props):
        serves = container.get("essential", True) and container.get("portMappings")
        if serves and not (container.get("healthCheck") or {}).get("command"):
            yield f"{where}: healthCheck is not set"


@rule(
    RULES,
    "container-readonly-rootfs",
    types=[TASK_DEFINITION],
    severity="low",
    why="An intruder who cannot write cannot stay.",
    remedy="Set readonlyRootFilesystem to true and mount a volume where the process must write "
    "(system file: services.<name>.writable_paths)",
    checklist=["C56"],
    frameworks=["FSBP ECS.5", "CKV_AWS_336"],
    advisory=True,
)
def container_readonly_rootfs(props: Props) -> Findings:
    """Containers cannot change their own files."""
    for where, container in containers(props):
        if container.get("readonlyRootFilesystem") is not True:
            yield f"{where}: {given(container, 'readonlyRootFilesystem')}"


@rule(
    RULES,
    "container-insights",
    types=[CLUSTER],
    severity="medium",
    why="Without it CloudWatch knows neither how many tasks run nor what each of them uses.",
    remedy='Add the setting containerInsights with the value "enhanced"',
    checklist=["C64"],
    frameworks=["FSBP ECS.12", "CKV_AWS_65"],
)
def container_insights(props: Props) -> Findings:
    """A cluster measures its tasks."""
    values = {setting["name"]: setting["value"] for setting in props.get("settings") or []}
    if values.get("containerInsights") not in {"enabled", "enhanced"}:
        yield f"the setting {given(values, 'containerInsights')}"


@rule(
    RULES,
    "ecs-exec-logged",
    types=[CLUSTER],
    severity="medium",
    why="Whoever opens a shell in a container sees what the service sees; afterwards only the log knows what they did.",
    remedy="Set configuration.executeCommandConfiguration.logging to OVERRIDE, with a log group and a key",
    checklist=["C60"],
    frameworks=["CKV_AWS_223"],
    must_know=True,
)
def ecs_exec_logged(props: Props) -> Findings:
    """What people type into containers is written down."""
    if at(props, "configuration.executeCommandConfiguration.logging") == "NONE":
        yield given_at(props, "configuration.executeCommandConfiguration.logging")


@rule(
    RULES,
    "ecs-platform-current",
    types=[SERVICE],
    severity="medium",
    why="The kernel and the container runtime under Fargate are patched in the newest platform version.",
    remedy="Set platformVersion to LATEST, or leave it out",
    checklist=["C79"],
    frameworks=["FSBP ECS.10", "CKV_AWS_332"],
    must_know=True,
)
def ecs_platform_current(props: Props) -> Findings:
    """Fargate runs tasks on its newest platform."""
    if props.get("platformVersion") not in {None, "LATEST"}:
        yield given(props, "platformVersion")


@rule(
    RULES,
    "deployment-rollback-enabled",
    types=[SERVICE],
    severity="high",
    why="A release that does not start is otherwise retried for ever, while the service stays half updated.",
    remedy="Set enable and rollback of deploymentCircuitBreaker to true",
    checklist=["C70"],
    must_know=True,
    remediates={SERVICE: {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}},
)
def deployment_rollback_enabled(props: Props) -> Findings:
    """A deployment that fails is taken back."""
    if (props.get("deploymentController") or {}).get("type", "ECS") != "ECS":
        return  # CodeDeploy and external controllers roll back on their own
    breaker = props.get("deploymentCircuitBreaker") or {}
    for name in ("enable", "rollback"):
        if breaker.get(name) is not True:
            yield f"deploymentCircuitBreaker.{given(breaker, name)}"
