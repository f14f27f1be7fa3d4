"""N35 to N48: builds, and the three ways to run: containers, PM2, Kubernetes."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import (
    BACKEND,
    BROKER,
    FILES,
    GATEWAY,
    KUBERNETES,
    PORTAL,
    SERVICES,
    TARGET_GROUP,
    WORKER,
    bounds,
    callers,
    deployment,
    pod,
    running,
)
from tests.requirements.production import (
    BUCKET,
    INSTANCE,
    REPLICATION_GROUP,
    REPOSITORY,
    SERVICE,
    TASK,
    environment,
    output,
    waits_for,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Build and deployment")
EXTERNAL_SECRET = "kubernetes:external-secrets.io/v1:ExternalSecret"


def started(stack: Recording, service: str, count: int) -> None:
    """So many tasks at the start, each one the process that the guide's PM2 file names."""
    assert stack.one(SERVICE, service)["desiredCount"] == count
    assert running(stack, service)["command"] == ["node", f"dist/apps/{service}/main.js"]
    assert environment(stack, service)["NODE_ENV"] == "production"


@CHAPTER.row(
    "N35",
    "L325-332",
    "Build all, or one application in its production configuration",
    "application",
    note="its own pipeline; each application has a registry for its image",
    components=["registry"],
)
def built(stack: Recording) -> None:
    assert set(output(stack, "repositories")) == set(SERVICES)
    for service in BACKEND:
        assert running(stack, service)["command"][1] == f"dist/apps/{service}/main.js"


@CHAPTER.row(
    "N36",
    "L338-341",
    "Images `nx-api` and `nx-web`, each from a Dockerfile of its own",
    "declared",
    note="`nx-file` and `nx-worker` beside them; a tag never moves, and a policy refuses the guide's `latest`",
    missing="the Dockerfiles of file service and worker, which the guide does not name: they are the product's",
    components=["registry"],
    settings=[f"services.{service}.names.repository" for service in SERVICES],
    policies=["container-image-pinned", "ecr-immutable-tags"],
)
def images(stack: Recording) -> None:
    names = {each.name: (each["name"], each["imageTagMutability"]) for each in stack.all(REPOSITORY)}
    assert names == {
        "registry-web-portal": ("nx-web", "IMMUTABLE"),
        "registry-api-gateway": ("nx-api", "IMMUTABLE"),
        "registry-file-service": ("nx-file", "IMMUTABLE"),
        "registry-worker-service": ("nx-worker", "IMMUTABLE"),
    }
    for service in SERVICES:
        assert running(stack, service)["image"].endswith(":1.0.0")


@CHAPTER.row(
    "N37",
    "L343-344",
    "One command starts the data stores",
    "declared",
    note="`pulumi up`, and with them everything else; a service waits for those that it speaks to",
    components=["database", "cache", "broker", "bucket"],
)
def one_command(stack: Recording) -> None:
    before = waits_for(stack, stack.one(SERVICE, GATEWAY))
    stores = {(INSTANCE, "database"), (REPLICATION_GROUP, "cache-cache"), (BROKER, "broker-events")}
    assert stores <= before
    assert (BUCKET, "bucket-files") in waits_for(stack, stack.one(SERVICE, FILES))


@CHAPTER.row(
    "N38",
    "L347-364",
    "PM2 starts gateway and portal, and starts them again with the machine",
    "declared",
    note="ECS does both; a task that ends or fails its health check is replaced",
    components=["service", "task"],
    settings=["services.api-gateway.command", "services.web-portal.command"],
    policies=["container-health-check"],
)
def kept_running(stack: Recording) -> None:
    assert running(stack, GATEWAY)["command"] == ["node", "dist/apps/api-gateway/main.js"]
    assert running(stack, PORTAL)["command"] == ["npm", "start"]
    for service in SERVICES:
        assert running(stack, service)["healthCheck"]["retries"] == 3
        assert stack.one(SERVICE, service)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}


@CHAPTER.row(
    "N39",
    "L372-381",
    "Four processes of the gateway, on port 3000",
    "declared",
    note="four tasks of one process each at the start, three at least; three pods on Kubernetes, as N43",
    components=["service", "autoscaling"],
    settings=["services.api-gateway.desired_count", "services.api-gateway.ports.http"],
)
def four_gateways(stack: Recording) -> None:
    started(stack, GATEWAY, 4)
    assert bounds(stack, GATEWAY) == (3, 7)
    assert environment(stack, GATEWAY)["PORT"] == "3000"
    assert ("load-balancer", 3000) in callers(stack, GATEWAY)


@CHAPTER.row(
    "N40",
    "L382-391",
    "Two processes of the file service, on port 3001",
    "declared",
    components=["service", "autoscaling"],
    settings=["services.file-service.desired_count", "services.file-service.ports.grpc"],
)
def two_file_services(stack: Recording) -> None:
    started(stack, FILES, 2)
    assert bounds(stack, FILES) == (2, 3)
    assert environment(stack, FILES)["PORT"] == "3001"
    assert (GATEWAY, 3001) in callers(stack, FILES)


@CHAPTER.row(
    "N41",
    "L392-400",
    "Two processes of the worker",
    "declared",
    note="on port 3002, where the gateway calls it",
    components=["service", "autoscaling"],
    settings=["services.worker-service.desired_count"],
)
def two_workers(stack: Recording) -> None:
    started(stack, WORKER, 2)
    assert bounds(stack, WORKER) == (2, 4)


@CHAPTER.row(
    "N42",
    "L356-357",
    "The portal is started with `npm start`",
    "declared",
    note="on Next.js's port 3000, two tasks at least; the guide has neither figure",
    missing="a route `/api/health` of the portal's own that answers 200, for the balancer: the guide names none",
    components=["service", "autoscaling"],
    settings=[
        "services.web-portal.command",
        "services.web-portal.ports.http",
        "services.web-portal.health.path",
    ],
)
def portal(stack: Recording) -> None:
    assert running(stack, PORTAL)["command"] == ["npm", "start"]
    assert (stack.one(SERVICE, PORTAL)["desiredCount"], bounds(stack, PORTAL)) == (2, (2, 4))
    group = stack.one(TARGET_GROUP, "web-portal-tg")
    assert (group["port"], group["healthCheck"]["path"]) == (3000, "/api/health")


@CHAPTER.row(
    "N43",
    "L407-422",
    "On Kubernetes: a Deployment `api-gateway` of three pods, labelled `app: api-gateway`",
    "declared",
    components=["kubernetes_workload", "kubernetes_cluster"],
    settings=["compute", "kubernetes", "services.api-gateway.kubernetes.replicas"],
    shape=KUBERNETES,
)
def gateway_on_kubernetes(stack: Recording) -> None:
    found = deployment(stack)
    assert (found["apiVersion"], found["metadata"]["name"]) == ("apps/v1", "api-gateway")
    assert (found["spec"]["replicas"], found["spec"]["selector"]) == (
        3,
        {"matchLabels": {"app": "api-gateway"}},
    )
    assert found["spec"]["template"]["metadata"]["labels"]["app"] == "api-gateway"


@CHAPTER.row(
    "N44",
    "L424-427",
    "Its image is `nx-api`, its port 3000",
    "declared",
    note="a tag that never moves, where the guide has `latest`",
    components=["kubernetes_workload", "registry"],
    settings=["services.api-gateway.image_tag"],
    policies=["k8s-image-pinned"],
    shape=KUBERNETES,
)
def image_on_kubernetes(stack: Recording) -> None:
    assert pod(stack)["image"] == f"{output(stack, 'repositories', 'api-gateway')}:1.0.0"
    assert output(stack, "repositories", "api-gateway").endswith("/nx-api")
    assert [port["containerPort"] for port in pod(stack)["ports"]] == [3000]


@CHAPTER.row(
    "N45",
    "L428-435",
    "`NODE_ENV` is plain, `DATABASE_HOST` the key `host` of the Secret `db-credentials`",
    "declared",
    note="the Secret is filled from Secrets Manager, the password beside the host",
    components=["kubernetes_workload", "kubernetes_namespace"],
    settings=["kubernetes.secrets.db-credentials"],
    policies=["k8s-secrets-by-reference"],
    shape=KUBERNETES,
)
def variables_on_kubernetes(stack: Recording) -> None:
    variables = {each["name"]: each for each in pod(stack)["env"]}
    assert variables["NODE_ENV"]["value"] == "production"
    for name, key in (("DATABASE_HOST", "host"), ("DATABASE_PASSWORD", "password")):
        assert variables[name]["valueFrom"] == {"secretKeyRef": {"name": "db-credentials", "key": key}}
    secret = stack.one(EXTERNAL_SECRET, "namespace-db-credentials")["spec"]
    assert secret["target"]["template"]["data"] == {"host": output(stack, "database", "address")}
    (password,) = secret["data"]
    role = output(stack, "database", "roleSecretArns", "nx_user")
    assert (password["secretKey"], password["remoteRef"]["key"]) == ("password", role)


@CHAPTER.row(
    "N46",
    "L436-442",
    "A pod is sure of half a core and 512 MiB, and gets one core and 1 GiB at most",
    "declared",
    note="Fargate has no task of one core and 1 GiB: there the profile `minimum` has 1 and 2, `recommended` 2 and 4",
    components=["kubernetes_workload"],
    settings=["services.api-gateway.kubernetes.requests", "services.api-gateway.kubernetes.limits"],
    policies=["k8s-probes-and-limits"],
    shape=KUBERNETES,
)
def resources(stack: Recording) -> None:
    assert pod(stack)["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1000m", "memory": "1Gi"},
    }
    assert not [each.name for each in stack.all(TASK) if each.name == GATEWAY]


@CHAPTER.row(
    "N47",
    "L443-448",
    "A pod that fails `/health` is started anew: asked every 10 s, from 30 s on",
    "declared",
    note="as the guide says, though `/health` fails with the database as well",
    components=["kubernetes_workload"],
    settings=["services.api-gateway.kubernetes.liveness"],
    policies=["k8s-probes-and-limits"],
    shape=KUBERNETES,
)
def liveness(stack: Recording) -> None:
    probe = pod(stack)["livenessProbe"]
    assert (probe["httpGet"]["path"], probe["httpGet"]["port"]) == ("/health", 3000)
    assert (probe["initialDelaySeconds"], probe["periodSeconds"]) == (30, 10)


@CHAPTER.row(
    "N48",
    "L449-454",
    "A pod gets requests while `/health/ready` answers: asked every 5 s, from 10 s on",
    "declared",
    note="the load balancer asks the same as often, on Kubernetes and on Fargate",
    components=["kubernetes_workload", "service"],
    settings=["services.api-gateway.kubernetes.readiness", "services.api-gateway.health"],
    policies=["k8s-probes-and-limits", "target-group-health-check"],
    shape=KUBERNETES,
)
def readiness(stack: Recording) -> None:
    probe = pod(stack)["readinessProbe"]
    assert (probe["httpGet"]["path"], probe["httpGet"]["port"]) == ("/health/ready", 3000)
    assert (probe["initialDelaySeconds"], probe["periodSeconds"]) == (10, 5)
    asked = stack.one(TARGET_GROUP, "api-gateway-tg")["healthCheck"]
    assert (asked["path"], asked["interval"], asked["timeout"]) == ("/health/ready", 5, 4)
