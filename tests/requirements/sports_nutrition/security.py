"""S1 to S7: what is reviewed before a release."""

from tests.recorder import Declared, Recording
from tests.requirements.production import (
    alarm,
    condition,
    database,
    environment,
    output,
    referred,
    role_password_of,
    secrets,
)
from tests.requirements.sports_nutrition.support import API, HOST, rate_rule
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Pre-deployment checklist: security review")
PASSWORD = "random:index/randomPassword:RandomPassword"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"


def is_strong(password: Declared) -> bool:
    """A character of each kind at least."""
    return all(password[f"min{kind}"] >= 1 for kind in ("Lower", "Upper", "Numeric", "Special"))


@CHAPTER.row(
    "S1",
    "L21",
    "Secrets are in environment variables, none in the code",
    "policy",
    note="Secrets Manager fills the variables when a task starts; no plain variable holds one",
    components=["secret", "task"],
    settings=["services.api.secrets"],
    policies=["no-plaintext-secrets-in-env", "no-default-secrets"],
)
def secrets_in_variables(stack: Recording) -> None:
    filled = secrets(stack, API)
    assert set(filled) == {
        "DATABASE_URL",
        "DB_PASSWORD",
        "JWT_SECRET",
        "REDIS_PASSWORD",
        "REDIS_URL",
        "SENTRY_DSN",
        "SMTP_PASSWORD",
    }
    assert all(":secretsmanager:" in source for source in filled.values())
    assert not set(filled) & set(environment(stack, API))


@CHAPTER.row(
    "S2",
    "L22",
    "Database passwords have 16 characters or more, of all kinds",
    "policy",
    note="the API's role has 48, made by the task `bootstrap`; RDS makes the master's itself",
    components=["database", "secret"],
    policies=["secret-min-strength"],
)
def database_passwords(stack: Recording) -> None:
    role_password_of(stack, "nutrition_api")
    assert database(stack)["manageMasterUserPassword"] is True


@CHAPTER.row(
    "S3",
    "L23",
    "The JWT secret is unique, and has 32 characters or more",
    "policy",
    note="64, generated once for each stack; the command looks at its length, and that staging has another",
    commands=["secrets check --with staging"],
    components=["secret"],
    settings=["secrets.jwt-secret.generate"],
    policies=["jwt-secret-strength"],
)
def jwt_secret(stack: Recording) -> None:
    generated = stack.one(PASSWORD, "secret-jwt-secret")
    assert (generated["length"], is_strong(generated)) == (64, True)
    assert referred(stack, stack.one(VERSION, "secret-jwt-secret"), "secretString") == ["secret-jwt-secret"]
    assert secrets(stack, API)["JWT_SECRET"] == output(stack, "secrets", "jwt-secret")


@CHAPTER.row(
    "S4",
    "L24",
    "Certificates are valid for the domain",
    "declared",
    note="ACM renews them; an alarm counts the days, and another asks https://api.yourdomain.com/health from outside",
    commands=["verify tls"],
    components=["certificate", "uptime"],
    settings=["observability.alerts.certificate_days"],
    policies=["certificate-covers-hosts"],
)
def certificates(stack: Recording) -> None:
    certificate = stack.one("aws:acm/certificate:Certificate", "certificate")
    names = {certificate["domainName"], *certificate.get("subjectAlternativeNames", [])}
    assert {f"https://{name}" for name in names} == set(output(stack, "urls").values())
    assert condition(alarm(stack, "certificate-expiry")) == ("LessThanThreshold", 30, 1)
    assert stack.one("aws:route53/healthCheck:HealthCheck")["fqdn"] == HOST


@CHAPTER.row(
    "S5",
    "L25",
    "Only the front end's own sites may call from a browser",
    "policy",
    note="the API answers for it; the stack names the sites",
    commands=["verify cors"],
    settings=["ingress.cors.allow_origins", "services.api.environment.CORS_ORIGIN"],
    policies=["cors-restricted"],
)
def cors(stack: Recording) -> None:
    origins = environment(stack, API)["CORS_ORIGIN"].split(",")
    assert origins == ["https://www.yourdomain.com", "https://yourdomain.com"]


@CHAPTER.row(
    "S6",
    "L26",
    "Public endpoints are rate limited",
    "policy",
    note="the API counts exactly (S55), the web firewall is the outer limit",
    commands=["verify rate-limit"],
    components=["web_acl"],
    settings=["ingress.waf.rate_limit"],
    policies=["waf-rate-limit-on-public-entry"],
)
def rate_limited(stack: Recording) -> None:
    association = stack.one("aws:wafv2/webAclAssociation:WebAclAssociation")
    assert referred(stack, association, "resourceArn") == ["ingress"]
    assert referred(stack, association, "webAclArn") == ["waf"]
    assert rate_rule(stack)["action"]["block"]["customResponse"]["responseCode"] == 429
    assert {"RATE_LIMIT_WINDOW", "RATE_LIMIT_MAX_REQUESTS"} <= set(environment(stack, API))


@CHAPTER.row(
    "S7",
    "L27",
    "API keys are rotated, and those that are not production's revoked",
    "operator",
    note="a new key is made at its provider, then the first two put it and replace the tasks that read it; the "
    "others say how old each is, and whether staging has the same. RDS rotates the master's password by itself",
    missing="revoking the old key, which is done at its provider",
    commands=[
        "secrets rotate sentry-dsn",
        "secrets rotate smtp-password",
        "secrets age --max-age-days 90",
        "secrets check --with staging",
    ],
    components=["secret"],
    settings=["secrets.sentry-dsn", "secrets.smtp-password"],
)
def rotation(stack: Recording) -> None:
    written = stack.names(VERSION)
    for name, variable in (("sentry-dsn", "SENTRY_DSN"), ("smtp-password", "SMTP_PASSWORD")):
        arn = output(stack, "secrets", name)
        assert arn in output(stack, "secretsToFill")
        assert secrets(stack, API)[variable] == arn
        assert f"secret-{name}" not in written
    assert database(stack)["manageMasterUserPassword"] is True
