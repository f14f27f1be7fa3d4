"""Kubernetes: what runs in pods, and the cluster of EKS under them."""

from collections.abc import Iterator, Mapping
from typing import Any

from containers import is_pinned
from credentials import CREDENTIALS_IN_URL, WELL_KNOWN_TOKEN, is_secret
from rules import Findings, Props, Rule, given, literal, rule

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
JOB = "kubernetes:batch/v1:Job"
CRON_JOB = "kubernetes:batch/v1:CronJob"
SECRET = "kubernetes:core/v1:Secret"
WORKLOADS = [DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB]
CLUSTER = "aws:eks/cluster:Cluster"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"

SHARED_WITH_THE_MACHINE = ("hostNetwork", "hostPID", "hostIPC")
RULES: list[Rule] = []

Part = Mapping[str, Any]


def pod(props: Props) -> Part:
    """The pod that a workload makes, whichever kind of workload it is."""
    spec = props.get("spec") or {}
    template = (spec.get("jobTemplate") or {}).get("spec") or spec
    return (template.get("template") or {}).get("spec") or {}


def containers(props: Props) -> Iterator[tuple[str, Part]]:
    made = pod(props)
    for kind in ("initContainers", "containers"):
        for container in made.get(kind) or []:
            yield f"container {container.get('name', '?')}", container


@rule(
    RULES,
    "k8s-image-pinned",
    types=WORKLOADS,
    severity="high",
    why="A tag that moves makes two pods of one service run different code, and a rollback roll back to nothing.",
    remedy="Give a version tag or a digest (stack file: services.<name>.image_tag)",
    checklist=["C53"],
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
    types=[*WORKLOADS, SECRET],
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
        return
    for where, container in containers(props):
        for variable in container.get("env") or []:
            name, value = str(variable.get("name", "")), literal(variable, "value")
            if not isinstance(value, str) or not value:
                continue
            if CREDENTIALS_IN_URL.search(value) or WELL_KNOWN_TOKEN.search(value):
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
    "k8s-probes-and-limits",
    types=WORKLOADS,
    severity="medium",
    why="Without limits one pod starves the others of its machine; without probes a pod that hangs gets requests.",
    remedy="Give requests and limits of cpu and memory, and what serves a port both probes "
    "(system file: services.<name>.health, stack file: services.<name>.kubernetes)",
    checklist=["C57"],
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


@rule(
    RULES,
    "eks-cluster-closed",
    types=[CLUSTER],
    severity="high",
    why="Whoever gets into the API of Kubernetes runs what they like, beside the data.",
    remedy="Set endpointPublicAccess to false, encryptionConfig to a key, and enabledClusterLogTypes to at least audit",
    checklist=["C28", "C60"],
    frameworks=["FSBP EKS.1", "FSBP EKS.3", "FSBP EKS.8", "CKV_AWS_39", "CKV_AWS_58", "CKV_AWS_37"],
)
def eks_cluster_closed(props: Props) -> Findings:
    """A cluster's API is private, its secrets are encrypted with a key, and what is done to it is logged."""
    network = props.get("vpcConfig") or {}
    if network.get("endpointPublicAccess") is not False:
        yield f"vpcConfig: {given(network, 'endpointPublicAccess')}"
    if "secrets" not in ((props.get("encryptionConfig") or {}).get("resources") or []):
        yield "encryptionConfig does not name secrets"
    if "audit" not in (props.get("enabledClusterLogTypes") or []):
        yield "enabledClusterLogTypes lacks audit"


@rule(
    RULES,
    "ec2-machine-closed",
    types=[LAUNCH_TEMPLATE],
    severity="high",
    why="Without a token, a request that a program is tricked into sending reads the machine's credentials.",
    remedy="Set metadataOptions.httpTokens to required, and encrypted on each disk",
    checklist=["C1"],
    frameworks=["FSBP EC2.170", "CKV_AWS_79"],
)
def ec2_machine_closed(props: Props) -> Findings:
    """Machines give credentials to token holders only, and their disks are encrypted."""
    options = props.get("metadataOptions") or {}
    if options.get("httpTokens") != "required":
        yield f"metadataOptions: {given(options, 'httpTokens')}"
    for mapping in props.get("blockDeviceMappings") or []:
        disk = mapping.get("ebs") or {}
        if str(disk.get("encrypted", "")).lower() != "true":
            yield f"disk {mapping.get('deviceName', '?')}: {given(disk, 'encrypted')}"
