"""A service as pods: each object, each rule of a pod, what scales it, who reaches it, and what is refused."""

import dataclasses
import json

import pytest

from components._containers import Container
from components._pods import Pod, Probe, SecretKey, Size
from components._scalers import CloudWatch, Scaling, Utilization
from components.kubernetes_workload import Job, KubernetesWorkload, KubernetesWorkloadArgs, Peer
from local.provider import manifests
from settings.data.kubernetes import VERSIONS
from tests.recorder import record

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"
ACCOUNT = "kubernetes:core/v1:ServiceAccount"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
GROUP_POLICY = "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy"
BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
JOB = "kubernetes:batch/v1:Job"
IDENTITY = "aws:eks/podIdentityAssociation:PodIdentityAssociation"

# N43 to N48: the gateway of the monorepo's guide (L407-454).
GATEWAY = Pod(
    container=Container(
        name="api-gateway",
        image="111122223333.dkr.ecr.us-east-1.amazonaws.com/nx-api:1.4.2",
        user="1000",
        command=["node", "dist/main.js"],
        ports={"http": 3000},
        environment={"NODE_ENV": "production"},
        writable_paths=["/tmp"],
    ),
    size=Size(cpu_request="500m", memory_request="512Mi", cpu_limit="1000m", memory_limit="1Gi"),
    secrets={"DATABASE_HOST": SecretKey(secret="db-credentials", key="host")},
    liveness=Probe(path="/health", port=3000, initial_delay_s=30, period_s=10),
    readiness=Probe(path="/health/ready", port=3000, initial_delay_s=10, period_s=5),
)
MIGRATE = Pod(
    container=Container(
        name="migrate",
        image="111122223333.dkr.ecr.us-east-1.amazonaws.com/myapp-api:1.2.3",
        user="1000",
        command=["npx", "prisma", "migrate", "deploy"],
    ),
    size=GATEWAY.size,
    secrets={"DATABASE_URL": SecretKey(secret="app-secrets", key="database-url")},
)
CPU = Utilization(resource="cpu", target_percent=70)
REQUESTS = CloudWatch(
    name="requests",
    namespace="AWS/ApplicationELB",
    metric_name="RequestCountPerTarget",
    dimensions={"LoadBalancer": "app/ingress/1", "TargetGroup": "targetgroup/api/2"},
    stat="Sum",
    target=6000,
)
GOOD = KubernetesWorkloadArgs(
    cluster_name="shop-prod",
    cluster_arn="arn:aws:eks:us-east-1:111122223333:cluster/shop-prod",
    namespace="shop",
    service_name="gateway",
    deployment_name="api-gateway",
    pod=GATEWAY,
    replicas=3,
    scaling=Scaling(name="api-gateway-hpa", min_count=3, max_count=10, rules=[CPU]),
    target_group_arn="arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/gateway/1",
    target_port=3000,
    metrics_port=3000,
    security_group_ids=["sg-gateway"],
    ways_in=[Peer(block="10.20.0.0/16", port=3000), Peer(service="web", port=3000)],
    ways_out=[
        Peer(service="files", port=3001),
        Peer(block="10.20.0.0/16", port=5432),
        Peer(block="0.0.0.0/0", but=("10.20.0.0/16",), port=443),
    ],
    account_id="111122223333",
    region="us-east-1",
    log_group_name="/shop/prod/gateway",
    log_key_arn="arn:aws:kms:us-east-1:111122223333:key/logs",
    log_retention_days=30,
    tags={"owner": "platform"},
)


def declare(**changes):
    return record(lambda: KubernetesWorkload("gateway", dataclasses.replace(GOOD, **changes)))


def watches(**changes):
    kept = []
    record(lambda: kept.append(KubernetesWorkload("gateway", dataclasses.replace(GOOD, **changes))))
    return {watch.name: watch for watch in kept[0].watches}


def pod_of(deployment):
    return deployment["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def declared():
    return declare()


@pytest.fixture(scope="module")
def objects():
    declared = declare(
        jobs=[Job(name="db-migrate-1-2-3", pod=MIGRATE)],
        scaling=Scaling(name="hpa", min_count=1, max_count=4, rules=[CPU, REQUESTS]),
    )
    return [each for each in declared if each.type.startswith("kubernetes:")]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_one_that_kubernetes_takes(objects, version):
    assert len(objects) == 11
    assert [found for each in objects for found in manifests.problems(each.inputs, version)] == []


def test_the_deployment_is_the_documents(declared):
    deployment = declared.one(DEPLOYMENT)
    assert deployment["metadata"]["name"] == "api-gateway"
    assert deployment["metadata"]["labels"]["app"] == "api-gateway"
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["selector"] == {"matchLabels": {"app": "api-gateway"}}
    (container,) = pod_of(deployment)["containers"]
    assert container["image"].endswith("/nx-api:1.4.2")
    assert container["ports"] == [{"name": "http", "containerPort": 3000, "protocol": "TCP"}]
    assert container["env"] == [
        {"name": "NODE_ENV", "value": "production"},
        {
            "name": "DATABASE_HOST",
            "valueFrom": {"secretKeyRef": {"name": "db-credentials", "key": "host"}},
        },
    ]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1000m", "memory": "1Gi"},
    }
    for probe, path, delay, period in (
        ("livenessProbe", "/health", 30, 10),
        ("readinessProbe", "/health/ready", 10, 5),
    ):
        assert container[probe]["httpGet"] == {"path": path, "port": 3000, "scheme": "HTTP"}
        assert container[probe]["initialDelaySeconds"] == delay
        assert container[probe]["periodSeconds"] == period


def test_pods_are_nobody_special_and_write_nowhere_else(declared):
    pod = pod_of(declared.one(DEPLOYMENT))
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["volumes"] == [{"name": "writable-0", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]
    assert pod["containers"][0]["volumeMounts"] == [{"name": "writable-0", "mountPath": "/tmp"}]
    assert pod["automountServiceAccountToken"] is False


def test_a_user_with_a_group_has_both():
    container = dataclasses.replace(GATEWAY.container, user="1000:2000")
    context = pod_of(declare(pod=dataclasses.replace(GATEWAY, container=container)).one(DEPLOYMENT))[
        "securityContext"
    ]
    assert (context["runAsUser"], context["runAsGroup"]) == (1000, 2000)


def test_pods_are_replaced_without_a_gap(declared):
    deployment = declared.one(DEPLOYMENT)
    assert deployment["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }
    pod = pod_of(deployment)
    assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    assert pod["terminationGracePeriodSeconds"] == 45
    assert [each["topologyKey"] for each in pod["topologySpreadConstraints"]] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert declared.one(BUDGET)["spec"]["maxUnavailable"] == 1


def test_the_autoscaler_owns_the_number(declared):
    assert declared.one(DEPLOYMENT).ignore_changes == ("spec.replicas",)
    hpa = declared.one(HPA)
    assert hpa["metadata"]["name"] == "api-gateway-hpa"
    assert hpa["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "api-gateway",
    }
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (3, 10)
    assert hpa["spec"]["metrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
        }
    ]
    assert declared.all(SCALED) == []


def test_without_rules_the_number_stays():
    declared = declare(scaling=Scaling(name="hpa", min_count=1, max_count=1))
    assert declared.all(HPA) == declared.all(SCALED) == []
    assert declared.one(DEPLOYMENT).ignore_changes == ()


def test_figures_of_cloudwatch_are_asked_by_keda_which_takes_the_autoscaler_over():
    declared = declare(scaling=Scaling(name="hpa", min_count=2, max_count=7, rules=[CPU, REQUESTS]))
    hpa, scaled = declared.one(HPA), declared.one(SCALED)
    assert hpa.ignore_changes == ("spec.metrics",)
    assert scaled["metadata"]["annotations"] == {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
    assert scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"] == hpa["metadata"]["name"]
    assert (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]) == (2, 7)
    cpu, requests = scaled["spec"]["triggers"]
    assert cpu == {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}
    assert requests["metadata"]["metricName"] == "RequestCountPerTarget"
    assert requests["metadata"]["dimensionValue"] == "app/ingress/1;targetgroup/api/2"
    assert requests["metadata"]["targetMetricValue"] == "6000"
    assert scaled.depends_on(hpa)


def test_a_service_that_only_follows_a_queue_has_its_autoscaler_from_keda():
    declared = declare(scaling=Scaling(name="hpa", min_count=1, max_count=7, rules=[REQUESTS]))
    assert declared.all(HPA) == []
    assert "annotations" not in declared.one(SCALED)["metadata"]


def test_targets_are_registered_with_the_group_that_exists(declared):
    binding = declared.one(BINDING)
    assert binding["spec"] == {
        "serviceRef": {"name": "gateway", "port": 3000},
        "targetGroupARN": GOOD.target_group_arn,
        "targetType": "ip",
    }
    assert declared.one(SERVICE, "gateway")["spec"]["selector"] == {"app": "api-gateway"}
    assert declared.one(SERVICE, "gateway-metrics")["spec"]["clusterIP"] == "None"


def test_a_worker_has_no_service_and_no_targets():
    container = dataclasses.replace(GATEWAY.container, ports={})
    pod = dataclasses.replace(GATEWAY, container=container, readiness=None)
    declared = declare(pod=pod, target_group_arn=None, target_port=None, metrics_port=None)
    assert declared.all(SERVICE) == declared.all(BINDING) == []
    assert "lifecycle" not in pod_of(declared.one(DEPLOYMENT))["containers"][0]


def test_only_the_named_ways_are_open(declared):
    spec = declared.one(NETWORK_POLICY)["spec"]
    assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "gateway"}}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"][0]["port"] for rule in spec["ingress"]] == [3000, 3000]
    assert spec["ingress"][1]["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "web"}}}]
    assert [rule["ports"][0]["port"] for rule in spec["egress"]] == [53, 80, 3001, 5432, 443]
    assert spec["egress"][-1]["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.20.0.0/16"]}}]
    assert declared.one(GROUP_POLICY)["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}},
        "securityGroups": {"groupIds": ["sg-gateway"]},
    }


def test_pods_hold_the_rights_that_are_given_and_start_after_them():
    declared = declare(statements=[{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:a"]}])
    role = declared.one("aws:iam/role:Role")
    trust = role.json("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trust["Condition"]["ArnEquals"] == {"aws:SourceArn": GOOD.cluster_arn}
    identity = declared.one(IDENTITY)
    assert identity["serviceAccount"] == declared.one(ACCOUNT)["metadata"]["name"] == "api-gateway"
    rights = declared.one("aws:iam/rolePolicy:RolePolicy")
    assert json.loads(rights["policy"])["Statement"][0]["Action"] == ["s3:GetObject"]
    deployment = declared.one(DEPLOYMENT)
    first = [identity, rights, *map(declared.one, (NETWORK_POLICY, GROUP_POLICY, ACCOUNT))]
    assert all(deployment.depends_on(other) for other in first)


def test_without_rights_there_is_a_role_without_a_policy(declared):
    assert declared.all("aws:iam/rolePolicy:RolePolicy") == []


def test_the_migration_runs_before_the_deployment_is_touched():
    declared = declare(jobs=[Job(name="db-migrate-1-2-3", pod=MIGRATE)])
    job = declared.one(JOB)
    assert job.name == "gateway-migrate"  # the version is not in it, or each one would leave an orphan
    assert job["metadata"]["name"] == "db-migrate-1-2-3"
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["args"] == ["npx", "prisma", "migrate", "deploy"]
    assert container["env"] == [
        {
            "name": "DATABASE_URL",
            "valueFrom": {"secretKeyRef": {"name": "app-secrets", "key": "database-url"}},
        }
    ]
    assert declared.one(DEPLOYMENT).depends_on(job)
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "db-migrate-1-2-3", "app.kubernetes.io/name": "gateway"}


def test_what_pods_write_goes_to_the_log_group(declared):
    assert declared.one("aws:cloudwatch/logGroup:LogGroup")["name"] == "/shop/prod/gateway"
    annotations = declared.one(DEPLOYMENT)["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"groundwork.dev/log-group": "/shop/prod/gateway"}


def test_a_command_may_ask_instead_of_a_path():
    probe = Probe(command=["true"])
    pod = dataclasses.replace(GATEWAY, liveness=probe)
    container = pod_of(declare(pod=pod).one(DEPLOYMENT))["containers"][0]
    assert container["livenessProbe"]["exec"] == {"command": ["true"]}


def test_the_watches_are_those_of_a_fargate_service():
    found = watches()
    assert list(found) == ["gateway-running", "gateway-cpu", "gateway-memory"]
    assert [metric.metric_name for metric in found["gateway-running"].metrics] == [
        "replicas_desired",
        "replicas_ready",
    ]
    assert (found["gateway-cpu"].threshold, found["gateway-cpu"].evaluation_periods) == (90, 3)
    own = watches(cpu_alarm_percent=80)["gateway-cpu"]
    assert (own.threshold, own.evaluation_periods) == (80, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicas": -1}, "replicas must be 0 or more, got -1"),
        (
            {"scaling": Scaling(name="hpa", min_count=0, max_count=4)},
            "scaling.min_count must be 1 or more (Kubernetes does not scale to none) and at most max_count, "
            "got 0 and 4",
        ),
        (
            {"scaling": Scaling(name="hpa", min_count=1, max_count=4, rules=[CPU, CPU])},
            "scaling.rules has 2 rules cpu: keep one",
        ),
        (
            {
                "scaling": Scaling(
                    name="hpa", min_count=1, max_count=4, rules=[dataclasses.replace(CPU, target_percent=0)]
                )
            },
            "scaling.rules: a target must be above 0, got 0",
        ),
        (
            {"target_port": None},
            "target_group_arn and target_port go together: the group's targets are asked on that port",
        ),
        (
            {"pod": dataclasses.replace(GATEWAY, readiness=None)},
            "target_port needs pod.readiness: a pod that is not ready must get no requests",
        ),
        (
            {"security_group_ids": []},
            "security_group_ids is empty: the pods would have the security groups of their machine",
        ),
        (
            {
                "pod": dataclasses.replace(
                    GATEWAY, container=dataclasses.replace(GATEWAY.container, user="node")
                )
            },
            "user must be a number such as 1000, got 'node': Kubernetes cannot tell whether another name means root",
        ),
        (
            {
                "pod": dataclasses.replace(
                    GATEWAY, container=dataclasses.replace(GATEWAY.container, secrets={"A": "arn:a"})
                )
            },
            "container.secrets is for ECS: name the Secret and its key in secrets",
        ),
        (
            {"pod": dataclasses.replace(GATEWAY, liveness=Probe())},
            "liveness must have either a path or a command",
        ),
        (
            {"pod": dataclasses.replace(GATEWAY, liveness=Probe(path="/health"))},
            "liveness asks /health and must say on which port",
        ),
        (
            {"pod": dataclasses.replace(GATEWAY, liveness=Probe(command=["true"], period_s=0))},
            "liveness must have an initial delay of 0 or more and a period of 1 or more seconds, got 0 and 0",
        ),
        (
            {
                "jobs": [
                    Job(
                        name="migrate",
                        pod=dataclasses.replace(
                            MIGRATE, container=dataclasses.replace(MIGRATE.container, image="api:latest")
                        ),
                    )
                ]
            },
            "job migrate: image must name a version",
        ),
    ],
)
def test_what_is_refused(changes, said):
    with pytest.raises(ValueError, match="kubernetes workload api-gateway: ") as error:
        dataclasses.replace(GOOD, **changes)
    assert said in str(error.value)
