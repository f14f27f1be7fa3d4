"""N1 to N11: who calls whom."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import (
    BACKEND,
    BROKER,
    FILES,
    GATEWAY,
    PORTAL,
    SERVICES,
    WORKER,
    bounds,
    callers,
    running,
    served,
    web_rule,
)
from tests.requirements.production import (
    REPOSITORY,
    SERVICE,
    alarm,
    condition,
    environment,
    openings,
    output,
    referred,
    secrets,
    statements,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Architecture")


@CHAPTER.row(
    "N1",
    "L51, L54-55",
    "One load balancer takes users' HTTPS; `/api` goes to the gateway and the rest to the portal",
    "declared",
    note="`/health*` is the gateway's as well; another host gets 404",
    components=["load_balancer", "service"],
    settings=["services.web-portal.public", "services.api-gateway.public"],
)
def routes(stack: Recording) -> None:
    assert len(stack.all("aws:lb/loadBalancer:LoadBalancer")) == 1
    assert served(stack, GATEWAY) == (100, ["/api", "/api/*", "/health*"])
    assert served(stack, PORTAL) == (400, ["/*"])
    assert callers(stack, "load-balancer") == {("internet", 80), ("internet", 443)}
    (default,) = stack.one("aws:lb/listener:Listener", "ingress-https")["defaultActions"]
    assert default["fixedResponse"]["statusCode"] == "404"


@CHAPTER.row(
    "N2",
    "L54-58, L76",
    "The portal calls `/api/*` through the same load balancer",
    "declared",
    note="in `NEXT_PUBLIC_API_URL`, as the guide names no variable; the gateway sees the path with its `/api`, which "
    "`public.strip_prefix` could take off",
    missing="the bundle in the browser: Next.js writes the variable into it when the image is built, so the product's "
    "build has to give the same value",
    settings=["services.web-portal.environment.NEXT_PUBLIC_API_URL"],
)
def calls_through_the_balancer(stack: Recording) -> None:
    assert output(stack, "urls") == {"api": "https://api.yourdomain.com"}
    assert environment(stack, PORTAL)["NEXT_PUBLIC_API_URL"] == "https://api.yourdomain.com/api"
    assert "/api/*" in served(stack, GATEWAY)[1]
    assert not [target for source, target, _ in openings(stack) if source == PORTAL and target in BACKEND]


@CHAPTER.row(
    "N3",
    "L34, L75-77",
    "The portal is a Next.js application that users reach directly",
    "declared",
    components=["service"],
    settings=["services.web-portal.command", "services.web-portal.public.paths"],
)
def portal(stack: Recording) -> None:
    container = running(stack, PORTAL)
    assert container["command"] == ["npm", "start"]
    assert container["image"].endswith("/nx-web:1.0.0")
    assert callers(stack, PORTAL) == {("load-balancer", 3000)}


@CHAPTER.row(
    "N4",
    "L38, L79-81",
    "The gateway is the only way to the API: it authenticates, limits rates, validates and routes",
    "declared",
    note="the web firewall limits rates before it; the rest is the gateway's own code, which gets the JWT secret",
    components=["service", "web_acl"],
    settings=["services.api-gateway.public", "services.api-gateway.connects_to"],
    policies=["waf-rate-limit-on-public-entry", "internal-services-not-public"],
)
def single_entry(stack: Recording) -> None:
    behind = {target for source, target, _ in openings(stack) if source == "load-balancer"}
    assert behind & set(BACKEND) == {GATEWAY}
    assert secrets(stack, GATEWAY)["JWT_SECRET"] == output(stack, "secrets", "jwt-secret")
    assert "rateBasedStatement" in web_rule(stack, "rate-limit")["statement"]
    assert {(GATEWAY, FILES, 3001), (GATEWAY, WORKER, 3002)} <= openings(stack)


@CHAPTER.row(
    "N5",
    "L39, L84",
    "The file service takes uploads, gives downloads and stores files",
    "declared",
    note="in a bucket instead of MinIO; its role may read, write and delete there",
    components=["service", "bucket"],
    settings=["services.file-service", "buckets.files.access"],
)
def file_service(stack: Recording) -> None:
    assert output(stack, "buckets", "files") == "nx-files-prod"
    allowed = statements(stack, "file-service-task")
    files = [allowed[sid]["Action"][0] for sid in ("FilesRead", "FilesWrite", "FilesDelete")]
    assert files == ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    for sid in ("FilesRead", "FilesWrite", "FilesDelete"):
        assert allowed[sid]["Resource"] == ["arn:aws:s3:::nx-files-prod/*"]
    assert running(stack, FILES)["command"][-1] == "dist/apps/file-service/main.js"


@CHAPTER.row(
    "N6",
    "L40, L85",
    "The worker does what takes long: PDF, CSV imports, jobs in the background",
    "declared",
    note="it scales by CPU; a backlog in the broker is an alarm",
    components=["service", "autoscaling", "broker"],
    settings=["services.worker-service.scaling"],
)
def worker_service(stack: Recording) -> None:
    assert "loadBalancers" not in stack.one(SERVICE, WORKER)
    assert bounds(stack, WORKER) == (2, 4)
    policy = stack.one("aws:appautoscaling/policy:Policy", "worker-service-cpu")
    assert policy["targetTrackingScalingPolicyConfiguration"]["targetValue"] == 70
    assert condition(alarm(stack, "broker-events-backlog")) == ("GreaterThanThreshold", 1000, 3)


@CHAPTER.row(
    "N7",
    "L59-60",
    "The gateway calls file service and worker over gRPC or TCP",
    "declared",
    note="by name, through Service Connect; the worker's port is ours, as the guide has none",
    components=["service", "cluster", "firewall"],
    settings=["services.file-service.ports.grpc", "services.worker-service.ports.grpc"],
)
def internal_calls(stack: Recording) -> None:
    for service, port in ((FILES, 3001), (WORKER, 3002)):
        (reached,) = stack.one(SERVICE, service)["serviceConnectConfiguration"]["services"]
        assert (reached["portName"], reached["clientAlias"]) == ("grpc", [{"dnsName": service, "port": port}])
        assert callers(stack, service) == {(GATEWAY, port)}
    variables = environment(stack, GATEWAY)
    assert variables["FILE_SERVICE_URL"] == "file-service:3001"
    assert variables["WORKER_SERVICE_URL"] == "worker-service:3002"


@CHAPTER.row(
    "N8",
    "L63-64",
    "The gateway publishes events to RabbitMQ, which hands jobs to the worker",
    "declared",
    note="Amazon MQ; operators reach its console only",
    components=["broker", "firewall"],
    settings=["brokers.events", "services.worker-service.connects_to"],
)
def events(stack: Recording) -> None:
    assert stack.one(BROKER, "broker-events")["engineType"] == "RabbitMQ"
    assert callers(stack, "broker-events") == {(GATEWAY, 5671), (WORKER, 5671), ("operations", 443)}
    for service in (GATEWAY, WORKER):
        assert environment(stack, service)["RABBITMQ_HOST"] == output(stack, "brokers", "events", "host")


@CHAPTER.row(
    "N9",
    "L67-70",
    "File service to storage and database, worker to the database, gateway to Redis, and nothing beside",
    "declared",
    note="the gateway reaches the database too: its health check and the guide's manifest need what the diagram lacks; "
    "S3 is reached inside the network",
    components=["firewall", "network", "bucket"],
    settings=[f"services.{service}.connects_to" for service in BACKEND],
)
def data_access(stack: Recording) -> None:
    assert callers(stack, "database") == {(each, 5432) for each in (*BACKEND, "operations")}
    assert callers(stack, "cache-cache") == {(GATEWAY, 6379), ("operations", 6379)}
    endpoint = stack.one("aws:ec2/vpcEndpoint:VpcEndpoint", "network-s3")
    assert (endpoint["vpcEndpointType"], endpoint["serviceName"].endswith(".s3")) == ("Gateway", True)
    with_files = [each for each in SERVICES if "FilesRead" in statements(stack, f"{each}-task")]
    assert with_files == [FILES]


@CHAPTER.row(
    "N10",
    "L86",
    "Nobody outside reaches file service and worker: only calls inside and the queue do",
    "declared",
    components=["firewall", "service"],
    settings=["services.file-service.ports", "services.worker-service.ports"],
    policies=["ecs-no-public-ip", "sg-no-open-ingress", "internal-services-not-public"],
)
def isolated(stack: Recording) -> None:
    for service, port in ((FILES, 3001), (WORKER, 3002)):
        declared = stack.one(SERVICE, service)
        assert "loadBalancers" not in declared
        assert declared["networkConfiguration"]["assignPublicIp"] is False
        subnets = referred(stack, declared, "networkConfiguration")
        assert {each for each in subnets if each.startswith("network-")} == {
            "network-private-a",
            "network-private-b",
            "network-private-c",
        }
        assert callers(stack, service) == {(GATEWAY, port)}


@CHAPTER.row(
    "N11",
    "L88-89",
    "Front end and back end share libraries",
    "application",
    note="its own pipeline finds by `nx affected` which images a change needs; each has its own repository and tag",
    components=["registry"],
    settings=[f"services.{service}.image_tag" for service in SERVICES],
)
def libraries(stack: Recording) -> None:
    assert len(stack.all(REPOSITORY)) == len(SERVICES)
    assert set(output(stack, "repositories")) == set(SERVICES)
    for service in SERVICES:
        assert running(stack, service)["image"] == f"{output(stack, 'repositories', service)}:1.0.0"
