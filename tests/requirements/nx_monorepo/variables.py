"""N16 to N22: the variables of the guide's `.env`."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import (
    DATABASE,
    FILES,
    GATEWAY,
    PASSWORD,
    SERVICES,
    WITH_DATABASE,
    WORKER,
    running,
)
from tests.requirements.production import LOG_GROUP, TASK, environment, output, secrets, statements
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Environment variables")
LOKI = {
    "observability": {"log_router": {"loki": {"host": "logs.example.com"}}},
    "operations": {"log_router_image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.34.0"},
}


@CHAPTER.row(
    "N16",
    "L162-164",
    "`NODE_ENV=production`, `PORT=3000`",
    "declared",
    note="3001 for the file service, as N40; 3002 for the worker, whose port is ours",
    settings=["services.api-gateway.environment.NODE_ENV", "services.api-gateway.environment.PORT"],
)
def application(stack: Recording) -> None:
    given = {service: environment(stack, service) for service in SERVICES}
    assert {each["NODE_ENV"] for each in given.values()} == {"production"}
    assert [given[service]["PORT"] for service in SERVICES] == ["3000", "3000", "3001", "3002"]


@CHAPTER.row(
    "N17",
    "L166-171",
    "Host, port 5432, name `nx_production`, user and password of the database",
    "declared",
    note="the user is `nx_user`, which the guide makes later on, and not its `postgres`; the password is a secret",
    components=["database", "secret"],
    settings=[
        "services.api-gateway.environment.DATABASE_HOST",
        "services.api-gateway.secrets.DATABASE_PASSWORD",
    ],
)
def database_variables(stack: Recording) -> None:
    role = output(stack, "database", "roleSecretArns", "nx_user")
    for service in WITH_DATABASE:
        variables = environment(stack, service)
        assert variables["DATABASE_HOST"] == output(stack, "database", "address")
        parts = [variables[f"DATABASE_{part}"] for part in ("PORT", "NAME", "USER")]
        assert parts == ["5432", DATABASE, "nx_user"]
        assert secrets(stack, service)["DATABASE_PASSWORD"] == f"{role}:password::"


@CHAPTER.row(
    "N18",
    "L173-176",
    "Host, port 6379 and password of Redis",
    "declared",
    note="the gateway's, and nobody else's; `REDIS_TLS` beside them, as the cache speaks TLS only",
    components=["cache", "secret"],
    settings=["services.api-gateway.environment.REDIS_HOST", "services.api-gateway.secrets.REDIS_PASSWORD"],
)
def redis_variables(stack: Recording) -> None:
    variables = environment(stack, GATEWAY)
    assert variables["REDIS_HOST"] == output(stack, "caches", "cache", "endpoint")
    assert (variables["REDIS_PORT"], variables["REDIS_TLS"]) == ("6379", "true")
    assert secrets(stack, GATEWAY)["REDIS_PASSWORD"] == output(stack, "caches", "cache", "tokenSecretArn")


@CHAPTER.row(
    "N19",
    "L178-182",
    "Host, port, user `admin` and password of RabbitMQ",
    "declared",
    note="port 5671 with TLS, as Amazon MQ has no 5672; `RABBITMQ_TLS` beside them",
    components=["broker", "secret"],
    settings=["brokers.events.username", "services.api-gateway.environment.RABBITMQ_PORT"],
)
def broker_variables(stack: Recording) -> None:
    login = output(stack, "brokers", "events", "loginSecretArn")
    for service in (GATEWAY, WORKER):
        variables = environment(stack, service)
        assert variables["RABBITMQ_HOST"] == output(stack, "brokers", "events", "host")
        parts = [variables[f"RABBITMQ_{part}"] for part in ("PORT", "USER", "TLS")]
        assert parts == ["5671", "admin", "true"]
        assert secrets(stack, service)["RABBITMQ_PASSWORD"] == f"{login}:password::"


@CHAPTER.row(
    "N20",
    "L184-188",
    "Endpoint, port and keys of MinIO",
    "declared",
    note="S3 speaks its protocol, on 443 with TLS, in the bucket of `MINIO_BUCKET`",
    missing="`MINIO_ACCESS_KEY` and `MINIO_SECRET_KEY`: there are no lasting keys, and the client has to take those of "
    "the task's role",
    components=["bucket"],
    settings=["services.file-service.environment.MINIO_ENDPOINT", "buckets.files.access"],
    policies=["iam-least-privilege"],
)
def storage_variables(stack: Recording) -> None:
    variables = environment(stack, FILES)
    assert variables["MINIO_ENDPOINT"] == "s3.us-east-1.amazonaws.com"
    assert (variables["MINIO_PORT"], variables["MINIO_USE_SSL"]) == ("443", "true")
    assert variables["MINIO_BUCKET"] == output(stack, "buckets", "files")
    assert not [name for name in {**variables, **secrets(stack, FILES)} if name.endswith("_KEY")]
    assert statements(stack, "file-service-task")["FilesWrite"]["Effect"] == "Allow"
    assert not stack.all("aws:iam/accessKey:AccessKey")


@CHAPTER.row(
    "N21",
    "L190-192",
    "`JWT_SECRET` of one's own, `JWT_EXPIRES_IN=7d`",
    "declared",
    note="64 characters, generated once for each stack",
    components=["secret"],
    settings=["secrets.jwt-secret.generate", "services.api-gateway.environment.JWT_EXPIRES_IN"],
    policies=["jwt-secret-strength", "no-default-secrets"],
)
def jwt(stack: Recording) -> None:
    assert secrets(stack, GATEWAY)["JWT_SECRET"] == output(stack, "secrets", "jwt-secret")
    assert stack.one(PASSWORD, "secret-jwt-secret")["length"] == 64
    assert environment(stack, GATEWAY)["JWT_EXPIRES_IN"] == "7d"


@CHAPTER.row(
    "N22",
    "L194-196",
    "`LOG_LEVEL=info`, and Loki's address in `LOKI_URL`",
    "declared",
    note="there is no `LOKI_URL`: what the services print goes to CloudWatch, and a log router beside each sends Loki "
    "a copy where one is named. Production names none",
    missing="a Loki of the stack's own",
    components=["task"],
    settings=[
        "services.api-gateway.environment.LOG_LEVEL",
        "observability.log_router",
        "operations.log_router_image",
    ],
    shape=LOKI,
)
def logging(stack: Recording) -> None:
    for service in ("api-gateway", "file-service", "worker-service"):
        assert {each["name"]: each["value"] for each in running(stack, service)["environment"]}[
            "LOG_LEVEL"
        ] == "info"
    for service in SERVICES:
        assert running(stack, service)["logConfiguration"]["logDriver"] == "awsfirelens"
        containers = stack.one(TASK, service).json("containerDefinitions")
        (router,) = [each for each in containers if each["name"] == "log-router"]
        configuration = next(
            each["value"] for each in router["environment"] if each["name"] == "CONFIGURATION"
        )
        assert "Name loki\n    Match *\n    host logs.example.com\n    port 443\n" in configuration
        assert "Name cloudwatch_logs\n    Match *\n" in configuration
        assert stack.one(LOG_GROUP, f"{service}-logs")["name"] == f"/nx-monorepo/prod/{service}"
