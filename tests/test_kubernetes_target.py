"""The two targets side by side: whatever a system says about its services holds on ECS and on Kubernetes."""

import json

import pytest

from local.provider import manifests
from tests.kubernetes_stacks import (
    ALARM,
    CLUSTER,
    DEPLOYMENT,
    EXISTING,
    FETCHED,
    GROUP_POLICY,
    HPA,
    JOB,
    RULE,
    SCALED,
    SERVICE,
    STACKS,
    TARGET,
    TARGETS,
    TASK,
    VERSION,
    configured,
    configured_with_ingress,
    ingress,
    pods,
)
from tests.policy_stack import violations
from tests.program import declared, run

WAYS_IN = pytest.mark.parametrize("on_pods", [pods, ingress], ids=["target groups", "ingress"])


def services(stack, on_pods=pods):
    """By name, what ECS runs for the product: its task definition's container, and the pod's container."""
    found = {}
    for service in declared(stack).all(SERVICE):
        task = declared(stack).one(TASK, service.name)
        container = next(
            each for each in json.loads(task["containerDefinitions"]) if each["name"] == service.name
        )
        deployment = on_pods(stack).one(DEPLOYMENT, service.name)
        found[service.name] = (task, container, deployment)
    return found


def container_of(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_every_manifest_is_one_that_the_version_takes(stack, on_pods):
    objects = [each for each in on_pods(stack) if each.type.startswith("kubernetes:")]
    assert {each.type for each in objects} >= {DEPLOYMENT, FETCHED, GROUP_POLICY}
    assert [
        (each.name, found) for each in objects for found in manifests.problems(each.inputs, VERSION)
    ] == []


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_pods_run_what_tasks_run(stack, on_pods):
    for name, (_, task, deployment) in services(stack, on_pods).items():
        pod = container_of(deployment)
        assert pod["image"] == task["image"], name
        assert pod.get("args", []) == task.get("command", []), name
        user = task["user"].partition(":")[0]
        assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == int(user), name
        assert [mount["mountPath"] for mount in pod["volumeMounts"]] == [
            each["containerPath"]
            for each in task["linuxParameters"]["tmpfs"]
            if not each["containerPath"].endswith("/amazon")
        ], name


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_pods_have_the_variables_of_tasks_and_secrets_from_the_same_place(stack, on_pods):
    fetched = {each["metadata"]["name"]: each["spec"] for each in on_pods(stack).all(FETCHED)}
    for name, (_, task, deployment) in services(stack, on_pods).items():
        read: dict[str, str] = {}
        plain: dict[str, str] = {}
        for variable in container_of(deployment)["env"]:
            if "value" in variable:
                plain[variable["name"]] = variable["value"]
                continue
            reference = variable["valueFrom"]["secretKeyRef"]
            spec = fetched[reference["name"]]
            literal = spec["target"].get("template", {}).get("data", {})
            if reference["key"] in literal:
                plain[variable["name"]] = literal[reference["key"]]
                continue
            (remote,) = [e["remoteRef"] for e in spec["data"] if e["secretKey"] == reference["key"]]
            part = f":{remote['property']}::" if "property" in remote else ""
            read[variable["name"]] = remote["key"] + part
        if name != "collector":  # it finds pods by other names than tasks
            assert plain == {each["name"]: each["value"] for each in task["environment"]}, name
        assert read == {each["name"]: each["valueFrom"] for each in task["secrets"]}, name


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_pods_scale_between_the_same_bounds(stack, on_pods):
    bounds = {
        target.name: (target["minCapacity"], target["maxCapacity"]) for target in declared(stack).all(TARGET)
    }
    found = {
        each.name: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
        for each in on_pods(stack).all(HPA)
    }
    for scaled in on_pods(stack).all(SCALED):
        own = (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"])
        name = scaled.name.removesuffix("-scaler")
        assert found.setdefault(name, own) == own
    assert found == {name: each for name, each in bounds.items() if name in found}
    assert found


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_pods_are_probed_where_tasks_are(stack, on_pods):
    for name, (_, task, deployment) in services(stack, on_pods).items():
        pod, health = container_of(deployment), task["healthCheck"]
        liveness = pod["livenessProbe"]
        asked = " ".join(health["command"])
        if "httpGet" in liveness:
            assert asked.endswith(f":{liveness['httpGet']['port']}{liveness['httpGet']['path']}"), name
        else:
            assert liveness["exec"]["command"] == health["command"][1:], name
        for group in declared(stack).all(TARGETS):
            if group.name == f"{name}-tg":
                assert pod["readinessProbe"]["httpGet"]["path"] == group["healthCheck"]["path"]
                assert pod["readinessProbe"]["periodSeconds"] == group["healthCheck"]["interval"]


@pytest.mark.parametrize("stack", STACKS)
def test_what_the_load_balancer_sends_is_the_same(stack):
    for kind in (RULE, TARGETS):
        one, other = (
            {each.name: {**each.inputs} for each in recording.all(kind)}
            for recording in (declared(stack), pods(stack))
        )
        assert one == other


@pytest.mark.parametrize("stack", STACKS)
def test_the_same_alarms_are_raised(stack):
    def raised(recording):
        return {
            each.name
            for each in recording.all(ALARM)
            if (parent := recording.parent_of(each)) and parent.type.endswith(":Alarms")
        }

    on_ecs, on_pods = raised(declared(stack)), raised(pods(stack))
    # Pods keep what they write in memory; there is no disk of their own that could fill.
    assert {name for name in on_ecs - on_pods if not name.endswith("-storage")} == set()
    assert {name for name in on_pods - on_ecs if not name.startswith("alarms-kubernetes-")} == set()


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_pods_have_the_security_groups_of_tasks(stack, on_pods):
    groups = {
        service.name: service["networkConfiguration"]["securityGroups"]
        for service in declared(stack).all(SERVICE)
    }
    found = {
        each.name.removesuffix("-security-groups"): each["spec"]["securityGroups"]["groupIds"]
        for each in on_pods(stack).all(GROUP_POLICY)
    }
    assert found == groups


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_the_policies_find_nothing_that_matters(stack, on_pods):
    assert violations(on_pods(stack), {}) == []


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS)
def test_no_service_runs_twice_and_operators_tasks_stay(stack, on_pods):
    recording = on_pods(stack)
    assert recording.all(SERVICE) == recording.all(TARGET) == []
    names = {name for name in declared(stack).names(TASK) if name.startswith("task-")}
    assert names <= set(recording.names(TASK))


@pytest.mark.parametrize("stack", STACKS[:1])
def test_nothing_is_created_inside_apply(stack):
    for recorded, config in (
        (pods(stack), configured(stack, CLUSTER)),
        (ingress(stack), configured_with_ingress(stack)),
    ):
        assert run(stack, config, preview=True).names() == recorded.names()


@WAYS_IN
@pytest.mark.parametrize("stack", STACKS[:1])
def test_all_but_the_provider_hangs_from_a_component(stack, on_pods):
    assert set(on_pods(stack).orphans()) - set(declared(stack).orphans()) == {"kubernetes"}


@pytest.mark.parametrize("stack", STACKS)
def test_on_ecs_nothing_of_kubernetes_is_made(stack):
    kinds = {each.type for each in declared(stack)}
    assert not [kind for kind in kinds if kind.startswith(("kubernetes:", "aws:eks/", "pulumi:providers"))]


@pytest.mark.parametrize("stack", STACKS[:1])
def test_a_cluster_that_exists_is_used_and_only_pods_ends_are_opened(stack):
    recording = run(stack, configured(stack, EXISTING))
    kinds = {each.type for each in recording}
    assert "aws:eks/cluster:Cluster" not in kinds
    assert "pulumi:providers:kubernetes" not in kinds
    association = recording.all("aws:eks/podIdentityAssociation:PodIdentityAssociation")[0]
    assert association["clusterName"] == "shared"
    opened = [
        each
        for each in recording.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if each.get("referencedSecurityGroupId") == EXISTING["node_security_group_id"]
    ]
    assert opened
    assert recording.value["kubernetes"]["cluster"] == "shared"


# The documents' own figures.


@pytest.mark.parametrize("stack", ["fixrx/prod"])
def test_fixrx_names_its_autoscaler(stack):
    """FixRx guide L649-670."""
    hpa = pods(stack).one(HPA, "fixrx-api")
    assert hpa["metadata"]["name"] == "fixrx-api-hpa"
    assert hpa["spec"]["scaleTargetRef"]["name"] == "fixrx-api"
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (3, 10)
    assert hpa["spec"]["metrics"][0]["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 70},
    }


@pytest.mark.parametrize("stack", ["nx-monorepo/prod"])
def test_the_monorepos_gateway(stack):
    """Monorepo guide L407-454."""
    recording = pods(stack)
    deployment = recording.one(DEPLOYMENT, "api-gateway")
    assert deployment["metadata"]["name"] == "api-gateway"
    assert deployment["spec"]["replicas"] == 3
    pod = container_of(deployment)
    assert pod["ports"][0]["containerPort"] == 3000
    host = next(each for each in pod["env"] if each["name"] == "DATABASE_HOST")
    assert host["valueFrom"] == {"secretKeyRef": {"name": "db-credentials", "key": "host"}}
    assert {"name": "NODE_ENV", "value": "production"} in pod["env"]
    assert pod["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1000m", "memory": "1Gi"},
    }
    for probe, path, delay, period in (
        ("livenessProbe", "/health", 30, 10),
        ("readinessProbe", "/health/ready", 10, 5),
    ):
        assert pod[probe]["httpGet"]["path"] == path
        assert (pod[probe]["initialDelaySeconds"], pod[probe]["periodSeconds"]) == (delay, period)


@pytest.mark.parametrize("stack", ["ts-service/prod"])
def test_the_templates_autoscaler_secret_and_migration(stack):
    """Template L355-365, L382-383, L594-615."""
    recording = pods(stack)
    hpa = recording.one(HPA, "api")["spec"]
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (2, 10)
    assert hpa["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    secret = recording.one(FETCHED, "namespace-app-secrets")["spec"]
    assert {"jwt-secret", "database-url"} <= {each["secretKey"] for each in secret["data"]}
    job = recording.one(JOB)
    assert job["metadata"]["name"].startswith("db-migrate-")
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["args"] == ["npx", "prisma", "migrate", "deploy"]
    url = next(each for each in container["env"] if each["name"] == "DATABASE_URL")
    assert url["valueFrom"] == {"secretKeyRef": {"name": "app-secrets", "key": "database-url"}}
    assert recording.one(DEPLOYMENT, "api").depends_on(job)
    assert job.depends_on(recording.one(FETCHED, "namespace-app-secrets"))
