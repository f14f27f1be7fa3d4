"""S64 to S74: image, task, service, scaling, and what the guide's compose file says beside."""

from tests.recorder import Recording
from tests.requirements.production import (
    LOG_GROUP,
    REPLICATION_GROUP,
    TARGET,
    TASK,
    container,
    database,
    environment,
    output,
    referred,
    secrets,
    statements,
)
from tests.requirements.sports_nutrition.support import API, repository, scaling, service, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Application deployment")


@CHAPTER.row(
    "S64",
    "L273-284",
    "An image `individual-sports-nutrition:1.0.0` is built in `backend-api`, tagged and pushed to ECR",
    "application",
    note="its own pipeline, or the command after `docker build`; the repository takes each tag once and scans it",
    commands=["images push api individual-sports-nutrition:1.0.0 --tag 1.0.0"],
    components=["registry"],
    settings=["services.api.names.repository", "services.api.image_tag"],
    policies=["ecr-scan-on-push", "ecr-immutable-tags", "container-image-pinned"],
)
def image(stack: Recording) -> None:
    found = repository(stack)
    assert (found["name"], found["imageTagMutability"]) == ("individual-sports-nutrition", "IMMUTABLE")
    registry = output(stack, "repositories", API)
    assert registry.endswith(".dkr.ecr.us-east-1.amazonaws.com/individual-sports-nutrition")
    assert container(stack, API)["image"] == f"{registry}:1.0.0"


@CHAPTER.row(
    "S65",
    "L290-298, L325-326",
    "A task definition `api-production` for Fargate, 512 CPU units and 1024 MiB",
    "declared",
    note="with a role to start it and one to run as, which the guide's lacks",
    components=["task"],
    settings=["services.api.names.family", "profiles.small.services.api.cpu"],
)
def task(stack: Recording) -> None:
    found = stack.one(TASK, API)
    assert (found["family"], found["networkMode"]) == ("api-production", "awsvpc")
    assert found["requiresCompatibilities"] == ["FARGATE"]
    assert (found["cpu"], found["memory"]) == ("512", "1024")
    assert referred(stack, found, "executionRoleArn") == ["api-execution"]
    assert referred(stack, found, "taskRoleArn") == ["api-task"]


@CHAPTER.row(
    "S66",
    "L299-307",
    "A container `api` on port 3000, with `NODE_ENV` and `PORT`",
    "declared",
    components=["task"],
    settings=["services.api.ports.http"],
    policies=["container-non-root"],
)
def one_container(stack: Recording) -> None:
    (found,) = stack.one(TASK, API).json("containerDefinitions")
    assert found["name"] == API
    assert [each["containerPort"] for each in found["portMappings"]] == [3000]
    variables = environment(stack, API)
    assert (variables["NODE_ENV"], variables["PORT"]) == ("production", "3000")


@CHAPTER.row(
    "S67",
    "L308-311",
    "`DATABASE_URL` and `JWT_SECRET` come from Secrets Manager",
    "declared",
    note="so do five more; the role that starts the task reads these and no others",
    components=["task", "secret"],
    settings=["services.api.secrets"],
    policies=["iam-least-privilege"],
)
def from_secrets_manager(stack: Recording) -> None:
    sources = secrets(stack, API)
    assert {"DATABASE_URL", "JWT_SECRET"} <= set(sources)
    allowed = [
        statement
        for statement in statements(stack, "api-execution").values()
        if "secretsmanager:GetSecretValue" in statement["Action"]
    ]
    assert len(allowed) == 1
    assert set(allowed[0]["Resource"]) == {source.removesuffix(":password::") for source in sources.values()}


@CHAPTER.row(
    "S68",
    "L312-319",
    "Logs go to `/ecs/api-production` in us-east-1",
    "declared",
    note="kept 30 days, encrypted",
    missing="the prefix `ecs` of its streams: they begin with the container's name",
    components=["task"],
    settings=["services.api.names.log_group", "observability.log_retention_days"],
    policies=["container-logging", "log-retention-set"],
)
def logs(stack: Recording) -> None:
    configuration = container(stack, API)["logConfiguration"]
    assert configuration["logDriver"] == "awslogs"
    assert configuration["options"]["awslogs-group"] == "/ecs/api-production"
    assert configuration["options"]["awslogs-region"] == "us-east-1"
    group = stack.one(LOG_GROUP, "api-logs")
    assert (group["name"], group["retentionInDays"]) == ("/ecs/api-production", 30)


@CHAPTER.row(
    "S69",
    "L328-335",
    "A service `api` of two tasks in the cluster `production`, in two subnets, without public addresses",
    "declared",
    note="behind the load balancer, which the guide's command leaves out",
    components=["service", "cluster"],
    settings=["names.cluster", "services.api.names.service"],
    policies=["ecs-no-public-ip"],
)
def running(stack: Recording) -> None:
    found = service(stack)
    assert (found["name"], found["desiredCount"], found["launchType"]) == (API, 2, "FARGATE")
    assert stack.one("aws:ecs/cluster:Cluster")["name"] == output(stack, "cluster") == "production"
    network = found["networkConfiguration"]
    assert (len(network["subnets"]), network["assignPublicIp"]) == (2, False)
    assert referred(stack, found, "loadBalancers") == [target_group(stack).name]
    assert "desiredCount" in found.ignore_changes


@CHAPTER.row(
    "S70",
    "L337-343",
    "`service/production/api` has two tasks at least, ten at most",
    "declared",
    components=["autoscaling"],
    settings=["profiles.small.services.api.min_count", "profiles.small.services.api.max_count"],
)
def bounds(stack: Recording) -> None:
    target = stack.one(TARGET, API)
    assert (target["resourceId"], target["scalableDimension"]) == (
        "service/production/api",
        "ecs:service:DesiredCount",
    )
    assert (target["minCapacity"], target["maxCapacity"]) == (2, 10)


@CHAPTER.row(
    "S71",
    "L345-351",
    "A policy `api-scaling` keeps CPU at 70 percent",
    "declared",
    note="a second one keeps memory, as L124 wants",
    components=["autoscaling"],
    settings=["services.api.scaling"],
)
def tracking(stack: Recording) -> None:
    policy = stack.one("aws:appautoscaling/policy:Policy", "api-api-scaling")
    assert (policy["name"], policy["policyType"]) == ("api-scaling", "TargetTrackingScaling")
    assert scaling(stack)["api-api-scaling"] == ("ECSServiceAverageCPUUtilization", 70)


@CHAPTER.row(
    "S72",
    "L354-380, L398-402",
    "On a single server: port 3000, restarted always, checked with `curl` every 30 s, 10 s long, three times",
    "declared",
    note="the task has the same check, and ECS replaces one that fails it; `curl` is in the image",
    components=["task"],
    settings=["services.api.health"],
    policies=["container-health-check"],
)
def health_check(stack: Recording) -> None:
    check = container(stack, API)["healthCheck"]
    assert check["command"] == ["CMD", "curl", "-f", "http://localhost:3000/health"]
    assert (check["interval"], check["timeout"], check["retries"]) == (30, 10, 3)


@CHAPTER.row(
    "S73",
    "L382-388",
    "PostgreSQL 15",
    "declared",
    note="RDS brings its minor versions by itself",
    components=["database"],
    settings=["database.engine_version", "database.minimum_version"],
    policies=["rds-engine-version-min"],
)
def postgresql(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["engineVersion"], primary["autoMinorVersionUpgrade"]) == ("15", True)
    assert stack.one("aws:rds/parameterGroup:ParameterGroup")["family"] == "postgres15"


@CHAPTER.row(
    "S74",
    "L390-392",
    "Redis 7",
    "declared",
    components=["cache"],
    settings=["caches.cache.engine_version"],
    policies=["cache-engine-version-min"],
)
def redis(stack: Recording) -> None:
    group = stack.one(REPLICATION_GROUP)
    assert (group["engine"], group["engineVersion"]) == ("redis", "7.1")
