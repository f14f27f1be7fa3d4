"""S42 to S58: network, data stores and the variables of the API."""

from tests.recorder import Recording
from tests.requirements.production import (
    INSTANCE,
    TARGET,
    cache,
    container,
    database,
    database_parameters,
    environment,
    openings,
    output,
    referred,
    role_password_of,
    secret_text,
    secrets,
)
from tests.requirements.sports_nutrition.support import API, leaves_by, rate_rule
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Environment preparation")


@CHAPTER.row(
    "S42",
    "L152-155",
    "The network is code; its block is 10.0.0.0/16",
    "declared",
    components=["network"],
    settings=["network.cidr_block"],
)
def network(stack: Recording) -> None:
    vpc = stack.one("aws:ec2/vpc:Vpc")
    assert (vpc["cidrBlock"], vpc["enableDnsHostnames"]) == ("10.0.0.0/16", True)


@CHAPTER.row(
    "S43",
    "L156-157",
    "Subnets 10.0.1.0/24 in us-east-1a and 10.0.2.0/24 in us-east-1b",
    "declared",
    note="they are the private pair; public and isolated ones are beside them",
    components=["network"],
    settings=["network.zones", "network.subnets.private"],
)
def subnets(stack: Recording) -> None:
    found = {
        each["cidrBlock"]: (each.name, each["availabilityZone"])
        for each in stack.all("aws:ec2/subnet:Subnet")
    }
    assert len(found) == 6
    assert found["10.0.1.0/24"] == ("network-private-a", "us-east-1a")
    assert found["10.0.2.0/24"] == ("network-private-b", "us-east-1b")


@CHAPTER.row(
    "S44",
    "L159-161",
    "A security group of the API lets one other group in, on port 3000",
    "declared",
    note="the load balancer's, and nobody else",
    missing="the name `api-sg`: the group has one that Pulumi makes",
    components=["firewall"],
    policies=["sg-no-open-ingress", "sg-least-edges"],
)
def api_group(stack: Recording) -> None:
    entries = {(source, port) for source, target, port in openings(stack) if target == API}
    assert entries == {("load-balancer", 3000)}
    assert referred(stack, stack.one("aws:lb/loadBalancer:LoadBalancer"), "securityGroups") == [
        "firewall-load-balancer"
    ]


@CHAPTER.row(
    "S45",
    "L163-171",
    "A db.t3.medium `prod-postgresql`, master `postgres` with a strong password, 100 GB, backups for 30 days",
    "declared",
    note="RDS makes and rotates the password; encrypted, private and with a standby, as the guide's command is not",
    components=["database"],
    settings=["database.identifier", "database.username", "database.backup_retention_days"],
    policies=["rds-encrypted", "rds-not-public"],
)
def instance(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["identifier"], primary["instanceClass"]) == ("prod-postgresql", "db.t3.medium")
    assert (primary["engine"], primary["username"]) == ("postgres", "postgres")
    assert (primary["allocatedStorage"], primary["backupRetentionPeriod"]) == (100, 30)
    assert primary["manageMasterUserPassword"] is True
    assert (primary["storageEncrypted"], primary["publiclyAccessible"]) == (True, False)
    assert stack.names(INSTANCE) == ["database"]


@CHAPTER.row(
    "S46",
    "L173-178",
    "A cache.t3.small `prod-redis` of one node",
    "declared",
    note="a replication group of two: a single node has neither password nor failover",
    components=["cache"],
    settings=["caches.cache.replication_group_id"],
    policies=["cache-auth-required"],
)
def replication_group(stack: Recording) -> None:
    group = cache(stack)
    assert (group["replicationGroupId"], group["engine"]) == ("prod-redis", "redis")
    assert (group["nodeType"], group["numCacheClusters"]) == ("cache.t3.small", 2)
    assert "authToken" in group.secrets


@CHAPTER.row(
    "S47",
    "L183",
    "`.env.production` is never committed",
    "declared",
    note="there is no such file: open values are plain variables, Secrets Manager fills the others when a task starts",
    components=["task", "secret"],
    settings=["services.api.environment", "services.api.secrets"],
    policies=["no-plaintext-secrets-in-env"],
)
def no_file(stack: Recording) -> None:
    assert {"NODE_ENV", "LOG_LEVEL"} <= set(environment(stack, API))
    assert {"DB_PASSWORD", "JWT_SECRET", "SMTP_PASSWORD"} <= set(secrets(stack, API))
    assert not container(stack, API).get("environmentFiles")


@CHAPTER.row(
    "S48",
    "L187-189",
    "`NODE_ENV=production`, `PORT=3000`, `API_VERSION=v1`",
    "declared",
    settings=[
        "services.api.environment.NODE_ENV",
        "services.api.environment.PORT",
        "services.api.environment.API_VERSION",
    ],
)
def server(stack: Recording) -> None:
    variables = environment(stack, API)
    assert [variables[name] for name in ("NODE_ENV", "PORT", "API_VERSION")] == ["production", "3000", "v1"]


@CHAPTER.row(
    "S49",
    "L192-193",
    "`DATABASE_URL` leads to `individual_sports_nutrition`; `DB_PASSWORD` is generated",
    "declared",
    note="as the role `nutrition_api` rather than the master, over TLS, through the proxy",
    components=["secret", "database_proxy"],
    settings=["secrets.database-url", "database.name", "database.roles.nutrition_api"],
    policies=["database-url-sslmode"],
)
def database_url(stack: Recording) -> None:
    role_password_of(stack, "nutrition_api")
    url = secret_text(stack, "database-url")
    assert url.startswith("postgresql://nutrition_api:<nutrition_api>@")
    assert url.endswith(":5432/individual_sports_nutrition?sslmode=require")
    proxy = output(stack, "database", "proxyAddress")
    assert f"@{proxy}:" in url
    role = output(stack, "database", "roleSecretArns", "nutrition_api")
    assert secrets(stack, API)["DATABASE_URL"] == output(stack, "secrets", "database-url")
    assert secrets(stack, API)["DB_PASSWORD"] == f"{role}:password::"


@CHAPTER.row(
    "S50",
    "L194-195",
    "Each server has 20 connections, and waits 30 s for one",
    "declared",
    note="settings refuse more than 80 percent of `max_connections` in the pools of all tasks",
    settings=["services.api.database.pool_max", "services.api.environment.DB_POOL_TIMEOUT"],
    policies=["connection-budget"],
)
def pool(stack: Recording) -> None:
    variables = environment(stack, API)
    assert (variables["DB_POOL_SIZE"], variables["DB_POOL_TIMEOUT"]) == ("20", "30000")
    most = 20 * stack.one(TARGET, API)["maxCapacity"]
    assert most <= 0.8 * int(database_parameters(stack)["max_connections"][0])


@CHAPTER.row(
    "S51",
    "L198-199",
    "`REDIS_URL` with a generated password, database 0",
    "declared",
    note="`rediss://`: ElastiCache knows a password over TLS only",
    components=["secret", "cache"],
    settings=["secrets.redis-url"],
    policies=["cache-transit-encryption"],
)
def redis_url(stack: Recording) -> None:
    token = cache(stack)["authToken"]
    endpoint = output(stack, "caches", "cache", "endpoint")
    assert secret_text(stack, "redis-url") == f"rediss://:{token}@{endpoint}:6379/0"
    assert len(token) == 64
    assert secrets(stack, API)["REDIS_URL"] == output(stack, "secrets", "redis-url")
    assert secrets(stack, API)["REDIS_PASSWORD"] == output(stack, "caches", "cache", "tokenSecretArn")


@CHAPTER.row(
    "S52",
    "L200",
    "`REDIS_TTL=3600`",
    "declared",
    settings=["services.api.environment.REDIS_TTL"],
)
def redis_ttl(stack: Recording) -> None:
    assert environment(stack, API)["REDIS_TTL"] == "3600"


@CHAPTER.row(
    "S53",
    "L203-204",
    "A random `JWT_SECRET` of 32 characters; tokens live 7 days",
    "declared",
    note="of 64",
    components=["secret"],
    settings=["secrets.jwt-secret", "services.api.environment.JWT_EXPIRES_IN"],
    policies=["jwt-secret-strength"],
)
def jwt(stack: Recording) -> None:
    assert environment(stack, API)["JWT_EXPIRES_IN"] == "7d"
    assert secrets(stack, API)["JWT_SECRET"] == output(stack, "secrets", "jwt-secret")
    assert len(secret_text(stack, "jwt-secret")) == 64


@CHAPTER.row(
    "S54",
    "L207",
    "`CORS_ORIGIN` is www.yourdomain.com and yourdomain.com",
    "declared",
    settings=["services.api.environment.CORS_ORIGIN", "ingress.cors.allow_origins"],
    policies=["cors-restricted"],
)
def cors_origin(stack: Recording) -> None:
    assert environment(stack, API)["CORS_ORIGIN"] == "https://www.yourdomain.com,https://yourdomain.com"


@CHAPTER.row(
    "S55",
    "L208-209",
    "100 requests in 15 minutes",
    "declared",
    note="the API counts, in Redis; outside it, 100 in 10 minutes from one address, as WAF has no longer window",
    components=["web_acl"],
    settings=[
        "services.api.environment.RATE_LIMIT_WINDOW",
        "services.api.environment.RATE_LIMIT_MAX_REQUESTS",
        "ingress.waf.rate_limit",
    ],
)
def rate_limit(stack: Recording) -> None:
    variables = environment(stack, API)
    assert (variables["RATE_LIMIT_WINDOW"], variables["RATE_LIMIT_MAX_REQUESTS"]) == ("15m", "100")
    limit = rate_rule(stack)["statement"]["rateBasedStatement"]
    assert (limit["limit"], limit["evaluationWindowSec"], limit["aggregateKeyType"]) == (100, 600, "IP")


@CHAPTER.row(
    "S56",
    "L212-213",
    "`SENTRY_DSN`, `LOG_LEVEL=info`",
    "declared",
    note="Sentry is reached over HTTPS",
    commands=["secrets put sentry-dsn"],
    components=["secret", "firewall"],
    settings=["secrets.sentry-dsn", "services.api.environment.LOG_LEVEL"],
)
def sentry(stack: Recording) -> None:
    assert environment(stack, API)["LOG_LEVEL"] == "info"
    assert secrets(stack, API)["SENTRY_DSN"] == output(stack, "secrets", "sentry-dsn")
    assert leaves_by(stack, 443)


@CHAPTER.row(
    "S57",
    "L215-219",
    "Mail through SendGrid on port 587, its API key as the password",
    "declared",
    note="port 587 is open on the way out",
    commands=["secrets put smtp-password"],
    components=["secret", "firewall"],
    settings=["services.api.outbound", "secrets.smtp-password", "services.api.environment.SMTP_HOST"],
)
def mail(stack: Recording) -> None:
    variables = environment(stack, API)
    names = ("SMTP_HOST", "SMTP_PORT", "SMTP_USER")
    assert [variables[name] for name in names] == ["smtp.sendgrid.net", "587", "apikey"]
    assert secrets(stack, API)["SMTP_PASSWORD"] == output(stack, "secrets", "smtp-password")
    assert leaves_by(stack, 587)


@CHAPTER.row(
    "S58",
    "L222-227",
    "All of them in one secret `prod/api-env` of Secrets Manager",
    "declared",
    note="each in a secret of its own under `sports-nutrition/prod/`, so that a value changes without the others; open "
    "values are in none",
    missing="the one secret of that name",
    components=["secret"],
    settings=["secrets"],
)
def stored(stack: Recording) -> None:
    kept = stack.all("aws:secretsmanager/secret:Secret")
    assert {each["namePrefix"] for each in kept} == {
        f"sports-nutrition/prod/{name}-"
        for name in (
            "cache/cache",
            "database/nutrition_api",
            "database-url",
            "jwt-secret",
            "redis-url",
            "sentry-dsn",
            "smtp-password",
            "test-login",
        )
    }
