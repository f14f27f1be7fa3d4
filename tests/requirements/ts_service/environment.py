"""T26 to T35: production's variables, and where secrets are kept."""

import base64

from tests.recorder import Recording
from tests.requirements.production import (
    TASK,
    cache,
    database,
    database_parameters,
    environment,
    openings,
    output,
    role_password_of,
    secrets,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import (
    DEPLOYMENT,
    EXTERNAL_SECRET,
    KUBERNETES,
    SECRET_FILES,
    SERVICES,
    comes_from,
    password,
    pod_variables,
    url,
    value,
)

CHAPTER = Chapter(title="Production environment")
BYTES = "random:index/randomBytes:RandomBytes"


@CHAPTER.row(
    "T26",
    "L298",
    "`DATABASE_URL` with `sslmode=require`",
    "declared",
    note="the database refuses anything else, too; it is called `production` (T10)",
    components=["secret", "database"],
    settings=["secrets.database-url.url"],
    policies=["rds-force-ssl", "database-url-sslmode"],
)
def database_url(stack: Recording) -> None:
    parts, query = url(stack, "database-url")
    assert (parts.scheme, parts.username, parts.port) == ("postgresql", "app", 5432)
    assert (parts.hostname, parts.path) == (output(stack, "database", "address"), "/production")
    assert password(parts) == "<app>"
    role_password_of(stack, "app")
    assert query["sslmode"] == ["require"]
    assert database(stack)["dbName"] == "production"
    assert database_parameters(stack)["rds.force_ssl"][0] == "1"


@CHAPTER.row(
    "T27",
    "L299",
    "`REDIS_URL` with the user `default` and a password",
    "declared",
    note="`rediss://`: the checklist wants TLS, and the cache refuses anything else",
    components=["secret", "cache"],
    settings=["secrets.redis-url.url"],
    policies=["cache-auth-required"],
)
def redis_url(stack: Recording) -> None:
    parts, _ = url(stack, "redis-url")
    assert (parts.scheme, parts.username, parts.port) == ("rediss", "default", 6379)
    assert parts.hostname == output(stack, "caches", "cache", "endpoint")
    assert password(parts) == cache(stack)["authToken"]
    assert cache(stack)["transitEncryptionMode"] == "required"


@CHAPTER.row(
    "T28",
    "L304, L332-336",
    "`JWT_SECRET` from 64 random bytes in base64, kept in Secrets Manager as `myapp/jwt-secret`",
    "declared",
    note="88 characters on one line; `openssl` would put a line break among them",
    components=["secret"],
    settings=["secrets.jwt-secret.generate.bytes", "secrets.jwt-secret.name"],
    policies=["jwt-secret-strength"],
)
def jwt_secret(stack: Recording) -> None:
    assert stack.one(BYTES, "secret-jwt-secret")["length"] == 64
    assert len(base64.b64decode(value(stack, "jwt-secret"), validate=True)) == 64
    assert len(value(stack, "jwt-secret")) == 88
    assert stack.one("aws:secretsmanager/secret:Secret", "secret-jwt-secret")["name"] == "myapp/jwt-secret"
    comes_from(stack, "api", "JWT_SECRET", "jwt-secret")


@CHAPTER.row(
    "T29",
    "L305",
    "`CORS_ORIGIN` names the two sites that may call",
    "declared",
    settings=["ingress.cors.allow_origins", "services.api.environment.CORS_ORIGIN"],
    policies=["cors-restricted"],
)
def cors(stack: Recording) -> None:
    origins = environment(stack, "api")["CORS_ORIGIN"].split(",")
    assert origins == ["https://app.example.com", "https://admin.example.com"]


@CHAPTER.row(
    "T30",
    "L310-311",
    "`MODE` says which of the two an instance is",
    "declared",
    settings=["services.api.environment.MODE", "services.worker.environment.MODE"],
    policies=["mode-env-valid"],
)
def mode(stack: Recording) -> None:
    assert [environment(stack, service)["MODE"] for service in SERVICES] == ["api", "worker"]


@CHAPTER.row(
    "T31",
    "L316-318",
    "Ten jobs at once; 100 that are done and 1000 that failed are kept",
    "declared",
    settings=[
        "services.worker.environment.QUEUE_CONCURRENCY",
        "services.worker.environment.QUEUE_REMOVE_ON_COMPLETE",
        "services.worker.environment.QUEUE_REMOVE_ON_FAIL",
    ],
)
def queue_settings(stack: Recording) -> None:
    variables = environment(stack, "worker")
    kept = [variables[f"QUEUE_{part}"] for part in ("CONCURRENCY", "REMOVE_ON_COMPLETE", "REMOVE_ON_FAIL")]
    assert kept == ["10", "100", "1000"]


@CHAPTER.row(
    "T32",
    "L323-324",
    "Keys for Replicate and OpenAI",
    "declared",
    note="the worker's; their values come from outside, so the operator puts them into Secrets Manager",
    commands=["secrets put replicate-api-key", "secrets put openai-api-key"],
    components=["secret", "firewall"],
    settings=["secrets.replicate-api-key", "secrets.openai-api-key"],
)
def external_keys(stack: Recording) -> None:
    for variable, secret in (
        ("REPLICATE_API_KEY", "replicate-api-key"),
        ("OPENAI_API_KEY", "openai-api-key"),
    ):
        comes_from(stack, "worker", variable, secret)
        assert output(stack, "secrets", secret) in output(stack, "secretsToFill")
        assert variable not in secrets(stack, "api")
    out = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    assert stack.one(out, "firewall-worker-to-internet-443-egress")["toPort"] == 443
    assert not [opening for opening in openings(stack) if opening[1] == "worker"]


@CHAPTER.row(
    "T33",
    "L327-329",
    "No secret is written down in code or configuration",
    "policy",
    note="settings refuse encrypted values as well: a secret is only named there",
    components=["secret"],
    policies=["no-plaintext-secrets-in-env", "no-default-secrets"],
)
def nothing_written_down(stack: Recording) -> None:
    for service in SERVICES:
        assert secrets(stack, service)
        assert all(":secretsmanager:" in source for source in secrets(stack, service).values())
        assert not set(secrets(stack, service)) & set(environment(stack, service))


@CHAPTER.row(
    "T34",
    "L338-353",
    "With Docker: secrets as files, and `JWT_SECRET_FILE` says where",
    "declared",
    note="the profile `secret-files`, for an application that reads them: a container that runs first writes both, and "
    "only the service's user may read them. `DATABASE_URL` stays beside them, for Prisma reads nothing else",
    components=["task", "secret"],
    settings=["profiles.secret-files.services.api.secret_files"],
    shape=SECRET_FILES,
)
def secret_files(stack: Recording) -> None:
    writer, api = stack.one(TASK, "api").json("containerDefinitions")
    (command,) = writer["command"]
    source = {each["name"]: each["valueFrom"] for each in writer["secrets"]}
    for variable, file, secret in (
        ("CONTENT_0", "database_url", "database-url"),
        ("CONTENT_1", "jwt_secret", "jwt-secret"),
    ):
        assert source[variable] == output(stack, "secrets", secret)
        assert f'"${variable}" > /var/lib/postgresql/data/{file}' in command
    assert command.startswith("umask 0377; ")
    assert writer["user"] == api["user"] != "0"
    assert api["dependsOn"] == [{"containerName": writer["name"], "condition": "SUCCESS"}]
    (mount,) = api["mountPoints"]
    assert (mount["containerPath"], mount["readOnly"]) == ("/run/secrets", True)
    assert environment(stack, "api")["JWT_SECRET_FILE"] == "/run/secrets/jwt_secret"
    assert environment(stack, "api")["DATABASE_URL_FILE"] == "/run/secrets/database_url"
    assert "JWT_SECRET" not in secrets(stack, "api")


@CHAPTER.row(
    "T35",
    "L355-365",
    "With Kubernetes: a Secret `app-secrets` with `jwt-secret` and `database-url`",
    "declared",
    note="fetched from Secrets Manager into the cluster, so that no manifest holds a value; `redis-url` is a third key",
    components=["kubernetes_namespace", "kubernetes_workload"],
    settings=["kubernetes.secrets.app-secrets"],
    shape=KUBERNETES,
)
def kubernetes_secret(stack: Recording) -> None:
    spec = stack.one(EXTERNAL_SECRET, "namespace-app-secrets")["spec"]
    assert spec["target"]["name"] == "app-secrets"
    fetched = {each["secretKey"]: each["remoteRef"]["key"] for each in spec["data"]}
    assert fetched == {
        each: output(stack, "secrets", each) for each in ("database-url", "jwt-secret", "redis-url")
    }
    variables = pod_variables(stack.one(DEPLOYMENT, "api"))
    assert variables["JWT_SECRET"] == ("app-secrets", "jwt-secret")
    assert variables["DATABASE_URL"] == ("app-secrets", "database-url")
