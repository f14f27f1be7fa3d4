"""What runs in the pods of Kubernetes, and with which rights."""

from clusters import WORKLOADS, Part, containers, pod
from containers import is_pinned
from credentials import holds_credential, is_secret
from rules import Findings, Props, Rule, at, given, given_at, is_set, literal, rule

SECRET = "kubernetes:core/v1:Secret"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"

SHARED_WITH_THE_MACHINE = ("hostNetwork", "hostPID", "hostIPC")
SECCOMP = {"RuntimeDefault", "Localhost"}

RULES: list[Rule] = []


@rule(
    RULES,
    "k8s-image-pinned",
    types=WORKLOADS,
    severity="high",
    why="A tag that moves makes two pods of one service run different code, and a rollback roll back to nothing.",
    remedy="Give a version tag or a digest (stack file: services.<name>.image_tag)",
    checklist=["C53"],
    frameworks=["CKV_K8S_14"],
)
def k8s_image_pinned(props: Props) -> Findings:
    """Pods name their images by version or digest."""
    for where, container in containers(props):
        image = literal(container, "image")
        if image is not None and not is_pinned(str(image)):
            yield f"{where}: {given(container, 'image')}"


@rule(
    RULES,
    "k8s-secrets-by-reference",
    types=[*WORKLOADS, SECRET, CONFIG_MAP],
    severity="critical",
    why="A Deployment shows its variables to whoever may look at it, and a Secret in a manifest stays in the state.",
    remedy="Read it from a Secret that is fetched from Secrets Manager (system file: services.<name>.secrets)",
    checklist=["C1", "C57"],
)
def k8s_secrets_by_reference(props: Props, resource_type: str) -> Findings:
    """Secrets reach a pod by reference, and no manifest holds a value of one."""
    if resource_type == SECRET:
        for key in ("data", "stringData"):
            if props.get(key):
                yield f"{key} holds values"
    elif resource_type == CONFIG_MAP:
        held = props.get("data") or {}
        yield from _said_openly("data", {key: literal(held, key) for key in held})
    else:
        for where, container in containers(props):
            said = {str(each.get("name", "")): literal(each, "value") for each in container.get("env") or []}
            yield from _said_openly(where, said)


def _said_openly(where: str, variables: Part) -> Findings:
    for name, value in variables.items():
        if not isinstance(value, str) or not value:
            continue
        if holds_credential(value):
            yield f"{where}: the value of {name} holds a credential"
        elif is_secret(name.upper()):
            yield f"{where}: {name} is a plain variable"


@rule(
    RULES,
    "k8s-non-root",
    types=WORKLOADS,
    severity="high",
    why="A process that breaks out of its container as root is root on the machine, with all that runs there.",
    remedy="Set runAsNonRoot to true and leave privileged and the host's namespaces out",
    checklist=["C50"],
    frameworks=[
        "CKV_K8S_16",
        "CKV_K8S_17",
        "CKV_K8S_18",
        "CKV_K8S_19",
        "CKV_K8S_20",
        "CKV_K8S_23",
        "CKV_K8S_27",
    ],
)
def k8s_non_root(props: Props) -> Findings:
    """Pods run as an unprivileged user and share nothing with their machine."""
    made = pod(props)
    for key in SHARED_WITH_THE_MACHINE:
        if made.get(key):
            yield given(made, key)
    for volume in made.get("volumes") or []:
        if volume.get("hostPath"):
            yield f"volume {volume.get('name', '?')}: hostPath is set"
    whole = made.get("securityContext") or {}
    for where, container in containers(props):
        own = container.get("securityContext") or {}
        if own.get("privileged"):
            yield f"{where}: {given(own, 'privileged')}"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{where}: {given(own, 'allowPrivilegeEscalation')}"
        user = own.get("runAsUser", whole.get("runAsUser"))
        if user == 0 or not own.get("runAsNonRoot", whole.get("runAsNonRoot")):
            yield f"{where}: runAsNonRoot is not true"


@rule(
    RULES,
    "k8s-few-capabilities",
    types=WORKLOADS,
    severity="medium",
    why="The usual ones let a process send forged packets and change the owner of files; few programs need any.",
    remedy="Set securityContext.capabilities.drop to ALL, and add NET_BIND_SERVICE at most",
    checklist=["C50"],
    frameworks=["CKV_K8S_25", "CKV_K8S_28", "CKV_K8S_37", "CKV_K8S_39"],
)
def k8s_few_capabilities(props: Props) -> Findings:
    """Containers give back the rights of root that Linux hands out one by one."""
    for where, container in containers(props):
        capabilities = at(container, "securityContext.capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or []):
            yield f"{where}: capabilities.drop lacks ALL"
        added = sorted(set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"})
        if added:
            yield f"{where}: capabilities.add holds {', '.join(added)}"


@rule(
    RULES,
    "k8s-seccomp",
    types=WORKLOADS,
    severity="medium",
    why="Most ways out of a container go through a system call that no ordinary program makes.",
    remedy="Set securityContext.seccompProfile.type of the pod to RuntimeDefault",
    checklist=["C50"],
    frameworks=["CKV_K8S_31"],
)
def k8s_seccomp(props: Props) -> Findings:
    """Containers may only make the system calls that programs need."""
    whole = at(pod(props), "securityContext.seccompProfile.type")
    for where, container in containers(props):
        kind = at(container, "securityContext.seccompProfile.type") or whole
        if kind not in SECCOMP:
            yield f"{where}: {given({'seccompProfile.type': kind}, 'seccompProfile.type')}"


@rule(
    RULES,
    "k8s-readonly-rootfs",
    types=WORKLOADS,
    severity="low",
    why="An intruder who cannot write cannot stay.",
    remedy="Set securityContext.readOnlyRootFilesystem to true and mount an emptyDir where the process must write "
    "(system file: services.<name>.writable_paths)",
    checklist=["C56"],
    frameworks=["CKV_K8S_22"],
    advisory=True,
)
def k8s_readonly_rootfs(props: Props) -> Findings:
    """Containers in pods cannot change their own files."""
    for where, container in containers(props):
        if at(container, "securityContext.readOnlyRootFilesystem") is not True:
            yield f"{where}: {given_at(container, 'securityContext.readOnlyRootFilesystem')}"


@rule(
    RULES,
    "k8s-no-host-ports",
    types=WORKLOADS,
    severity="medium",
    why="A port of the machine goes round every Service and NetworkPolicy, and only one pod of a machine can have it.",
    remedy="Leave hostPort out and declare a Service",
    checklist=["C28"],
    frameworks=["CKV_K8S_26"],
)
def k8s_no_host_ports(props: Props) -> Findings:
    """Pods listen on addresses of their own, not on their machine's."""
    for where, container in containers(props):
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                yield f"{where}: {given(port, 'hostPort')}"


@rule(
    RULES,
    "k8s-own-account",
    types=WORKLOADS,
    severity="low",
    why="With the token of the namespace's default account an intruder in one pod may do what any pod of it may.",
    remedy="Name a ServiceAccount of the workload's own in serviceAccountName, or set automountServiceAccountToken "
    "to false",
    checklist=["C11"],
    frameworks=["CKV_K8S_38", "CKV_K8S_41"],
)
def k8s_own_account(props: Props) -> Findings:
    """A pod has an account of its own, or no token at all."""
    made = pod(props)
    named = is_set(made, "serviceAccountName") and literal(made, "serviceAccountName") != "default"
    if not named and made.get("automountServiceAccountToken") is not False:
        yield f"{given(made, 'serviceAccountName')}, and automountServiceAccountToken is not false"


@rule(
    RULES,
    "k8s-probes-and-limits",
    types=WORKLOADS,
    severity="medium",
    why="Without limits one pod starves the others of its machine; without probes a pod that hangs gets requests.",
    remedy="Give requests and limits of cpu and memory, and what serves a port both probes "
    "(system file: services.<name>.health, stack file: services.<name>.kubernetes)",
    checklist=["C57"],
    frameworks=[
        "CKV_K8S_8",
        "CKV_K8S_9",
        "CKV_K8S_10",
        "CKV_K8S_11",
        "CKV_K8S_12",
        "CKV_K8S_13",
    ],
)
def k8s_probes_and_limits(props: Props) -> Findings:
    """Containers say what they need and at most get; those that serve a port are asked whether they are well."""
    for where, container in containers(props):
        resources = container.get("resources") or {}
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                if not (resources.get(kind) or {}).get(what):
                    yield f"{where}: {kind}.{what} is not set"
        if not container.get("ports"):
            continue
        if not container.get("livenessProbe"):
            yield f"{where}: livenessProbe is not set"
        names = {port.get("name") for port in container.get("ports") or []}
        if "http" in names and not container.get("readinessProbe"):
            yield f"{where}: readinessProbe is not set"
