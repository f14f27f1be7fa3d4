"""Clusters of Kubernetes on EKS, and what their namespaces let in and allow."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given, is_set, literal, rule, version

POD = "kubernetes:core/v1:Pod"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
REPLICA_SET = "kubernetes:apps/v1:ReplicaSet"
JOB = "kubernetes:batch/v1:Job"
CRON_JOB = "kubernetes:batch/v1:CronJob"
WORKLOADS = [POD, DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, JOB, CRON_JOB]

CLUSTER = "aws:eks/cluster:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
SERVICE = "kubernetes:core/v1:Service"
NETWORK_POLICIES = [
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy",  # security groups for pods do the same
]
DISRUPTION_BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
ROLES = [
    "kubernetes:rbac.authorization.k8s.io/v1:Role",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
]
BINDINGS = [
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
]

LOAD_BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"
STRANGERS = {"system:anonymous", "system:unauthenticated", "system:authenticated"}

RULES: list[Rule] = []

Part = Mapping[str, Any]


def pod(props: Props) -> Part:
    """The pod that a workload makes, or is, whichever kind of workload it is."""
    spec = props.get("spec") or {}
    template = (spec.get("jobTemplate") or {}).get("spec") or spec
    return (template.get("template") or {}).get("spec") or (spec if spec.get("containers") else {})


def containers(props: Props) -> Iterator[tuple[str, Part]]:
    made = pod(props)
    for kind in ("initContainers", "containers"):
        for container in made.get(kind) or []:
            yield f"container {container.get('name', '?')}", container


@rule(
    RULES,
    "eks-cluster-closed",
    types=[CLUSTER],
    severity="high",
    why="Whoever gets into the API of Kubernetes runs what they like, beside the data.",
    remedy="Set endpointPublicAccess to false, encryptionConfig to a key, and enabledClusterLogTypes to at least audit",
    checklist=["C28", "C60"],
    frameworks=[
        "FSBP EKS.1",
        "FSBP EKS.3",
        "FSBP EKS.8",
        "CKV_AWS_37",
        "CKV_AWS_38",
        "CKV_AWS_39",
        "CKV_AWS_58",
    ],
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
    "eks-version-supported",
    types=[CLUSTER],
    severity="high",
    why="A version past its extended support is upgraded by AWS on a day of AWS's choice, whatever then breaks.",
    remedy="Set version (stack file: kubernetes.version)",
    checklist=["C79"],
    frameworks=["FSBP EKS.2", "CKV_AWS_339"],
    must_know=True,
)
def eks_version_supported(props: Props, *, minimum: str = "1.32") -> Findings:
    """A cluster runs a version of Kubernetes that AWS supports (1.32: until March 2027)."""
    said = props.get("version")
    if said is not None and version(str(said)) < version(minimum):  # without one, the newest
        yield f"{given(props, 'version')}, at least {minimum} is asked for"


@rule(
    RULES,
    "eks-nodes-without-ssh",
    types=[NODE_GROUP],
    severity="high",
    why="A key without security groups opens port 22 of every machine to the whole internet.",
    remedy="Leave remoteAccess out and use Session Manager, or name sourceSecurityGroupIds",
    checklist=["C34"],
    frameworks=["CKV_AWS_100"],
)
def eks_nodes_without_ssh(props: Props) -> Findings:
    """Nobody logs in to the machines of a cluster from the internet."""
    access = props.get("remoteAccess") or {}
    if is_set(access, "ec2SshKey") and not is_set(access, "sourceSecurityGroupIds"):
        yield "remoteAccess has a key and no sourceSecurityGroupIds"


@rule(
    RULES,
    "k8s-service-not-public",
    types=[SERVICE],
    severity="high",
    why="A load balancer of a Service's own goes round the WAF, the redirects and the headers of the Ingress.",
    remedy=f'Use an Ingress (system file: services.<name>.public), or set {LOAD_BALANCER}scheme to "internal"',
    checklist=["C28", "C30"],
)
def k8s_service_not_public(props: Props) -> Findings:
    """Services are reached through the Ingress, not from the internet or on a port of every machine."""
    kind = at(props, "spec.type")
    said = at(props, "metadata.annotations") or {}
    internal = (
        literal(said, f"{LOAD_BALANCER}scheme") == "internal"
        or str(literal(said, f"{LOAD_BALANCER}internal")).lower() == "true"
    )
    if kind == "NodePort" or (kind == "LoadBalancer" and not internal):
        yield f"spec.{given({'type': kind}, 'type')}"


@rule(
    RULES,
    "k8s-namespace-of-its-own",
    types=WORKLOADS,
    severity="low",
    why="In the default namespace everybody's accounts, secrets and policies lie on one heap.",
    remedy="Declare a Namespace and name it in metadata.namespace",
    checklist=["C28"],
    frameworks=["CKV_K8S_21"],
)
def k8s_namespace_of_its_own(props: Props) -> Findings:
    """Workloads stand in a namespace of their own."""
    metadata = props.get("metadata") or {}
    if literal(metadata, "namespace") == "default":
        yield f"metadata.{given(metadata, 'namespace')}"


@rule(
    RULES,
    "k8s-network-policy",
    types=WORKLOADS,
    severity="medium",
    why="Without one every pod of the cluster may connect to every other, and to the internet.",
    remedy="Declare a NetworkPolicy for the namespace that lets through what the services need",
    checklist=["C28"],
    frameworks=["CKV2_K8S_6"],
    whole_stack=True,
)
def k8s_network_policy(workload: PolicyResource, stack: Stack) -> Findings:
    """A NetworkPolicy stands in every namespace that has pods."""
    if not any(in_same_namespace(policy, workload) for policy in stack.of(NETWORK_POLICIES)):
        yield "no NetworkPolicy is declared for its namespace"


def in_same_namespace(one: PolicyResource, other: PolicyResource) -> bool:
    """A namespace that is not known yet may be the same."""
    names = {namespace(one), namespace(other)}
    return len(names) == 1 or None in names


def namespace(resource: PolicyResource) -> Any:
    metadata = literal(resource.props, "metadata")
    if metadata is None:
        return None if is_set(resource.props, "metadata") else "default"
    return literal(metadata, "namespace") if is_set(metadata, "namespace") else "default"


@rule(
    RULES,
    "k8s-disruption-budget",
    types=[DEPLOYMENT, STATEFUL_SET],
    severity="low",
    why="An upgrade of the machines may otherwise take all pods of a service away at once.",
    remedy="Declare a PodDisruptionBudget whose selector matches the workload's",
    checklist=["C71"],
    advisory=True,
    whole_stack=True,
)
def k8s_disruption_budget(workload: PolicyResource, stack: Stack) -> Findings:
    """A workload of several pods says how many may be away."""
    if (at(workload.props, "spec.replicas") or 1) < 2:
        return
    labels = dict(at(workload.props, "spec.template.metadata.labels") or {})
    for budget in stack.of([DISRUPTION_BUDGET]):
        wanted = dict(at(budget.props, "spec.selector.matchLabels") or {})
        if wanted.items() <= labels.items() and in_same_namespace(budget, workload):
            return
    yield "no PodDisruptionBudget selects it"


@rule(
    RULES,
    "k8s-rbac-least-privilege",
    types=[*ROLES, *BINDINGS],
    severity="high",
    why="Whoever takes over a pod whose account may do everything has the cluster, and with it the pods' data.",
    remedy="Name the verbs and the resources that the account needs, and bind it to a Role of its namespace",
    checklist=["C11"],
    frameworks=["CKV_K8S_49"],
)
def k8s_rbac_least_privilege(props: Props, resource_type: str) -> Findings:
    """Accounts of a cluster may do what they need."""
    if resource_type in ROLES:
        for number, allowed in enumerate(props.get("rules") or [], 1):
            for name in ("verbs", "resources"):
                if "*" in (allowed.get(name) or []):
                    yield f"rule {number}: {name} holds *"
        return
    if at(props, "roleRef.name") == "cluster-admin":
        yield 'roleRef.name is "cluster-admin"'
    for subject in props.get("subjects") or []:
        if subject.get("name") in STRANGERS:
            yield f"subjects holds {subject.get('name')}"
