"""R52 to R65: accounts, API, TLS, input."""

from tests.recorder import Recording
from tests.requirements.production import (
    LISTENER,
    RECORD,
    bootstrap_sql,
    environment,
    output,
    referred,
    role_password_of,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Security hardening")
BOOTSTRAP = "again whenever this changes"
PASSWORD = "random:index/randomPassword:RandomPassword"


@CHAPTER.row(
    "R52",
    "L379-381",
    "An account `rentfix_app` of its own, with a strong password",
    "operator",
    note=f"{BOOTSTRAP}, which makes the password, 48 characters",
    commands=["db bootstrap"],
    components=["secret"],
    settings=["database.roles.rentfix_app", "services.core-matching.database.role"],
    policies=["app-uses-dedicated-db-user"],
)
def account(stack: Recording) -> None:
    sql = bootstrap_sql(stack)
    assert any(line.startswith("SELECT 'CREATE ROLE \"rentfix_app\" LOGIN'") for line in sql)
    assert any('ALTER ROLE "rentfix_app" LOGIN PASSWORD' in line for line in sql)
    role = output(stack, "database", "roleSecretArns", "rentfix_app")
    assert secrets(stack, "core-matching")["DB_PASSWORD"] == f"{role}:password::"
    role_password_of(stack, "rentfix_app")
    assert environment(stack, "core-matching")["DB_USER"] == "rentfix_app"


@CHAPTER.row(
    "R53",
    "L383-387",
    "It may connect, use `public`, read and write `contractors` but not delete, and read `contractor_ratings`",
    "operator",
    note=f"{BOOTSTRAP}; it takes other rights on these tables away",
    commands=["db bootstrap", "db check --only grants"],
    settings=["database.roles.rentfix_app.tables"],
)
def grants(stack: Recording) -> None:
    sql = bootstrap_sql(stack)
    assert [line for line in sql if line.startswith("GRANT") and line.endswith('TO "rentfix_app";')] == [
        'GRANT CONNECT ON DATABASE "rentfix" TO "rentfix_app";',
        'GRANT USAGE ON SCHEMA public TO "rentfix_app";',
        'GRANT SELECT, INSERT, UPDATE ON TABLE "contractors" TO "rentfix_app";',
        'GRANT SELECT ON TABLE "contractor_ratings" TO "rentfix_app";',
    ]
    assert 'REVOKE ALL ON TABLE "contractors" FROM "rentfix_app";' in sql


@CHAPTER.row(
    "R54",
    "L389-390",
    "`contractors` has row level security",
    "operator",
    note=BOOTSTRAP,
    commands=["db bootstrap", "db check --only row-level-security"],
    settings=["database.row_level_security.contractors"],
)
def row_level_security(stack: Recording) -> None:
    enabled = [line for line in bootstrap_sql(stack) if line.endswith("ENABLE ROW LEVEL SECURITY;")]
    assert enabled == ['ALTER TABLE "contractors" ENABLE ROW LEVEL SECURITY;']


@CHAPTER.row(
    "R55",
    "L392-395",
    "`contractor_access_policy` shows verified contractors that are not deleted",
    "operator",
    note=f"{BOOTSTRAP}; two more policies let the granted writes through, which this one alone would refuse",
    commands=["db bootstrap", "db check --only row-level-security"],
    settings=["database.row_level_security.contractors"],
)
def row_policy(stack: Recording) -> None:
    policies = [line for line in bootstrap_sql(stack) if line.startswith("CREATE POLICY")]
    assert policies == [
        'CREATE POLICY "contractor_access_policy" ON "contractors" FOR SELECT TO PUBLIC '
        "USING (deleted_at IS NULL AND status = 'verified');",
        'CREATE POLICY "contractor_insert_policy" ON "contractors" FOR INSERT TO "rentfix_app" WITH CHECK (true);',
        'CREATE POLICY "contractor_update_policy" ON "contractors" FOR UPDATE TO "rentfix_app" '
        "USING (deleted_at IS NULL) WITH CHECK (true);",
    ]


@CHAPTER.row(
    "R56",
    "L400-410",
    "Browsers may call from the sites in `CORS_ORIGIN` only, with GET and POST and two headers",
    "declared",
    note="methods, headers and credentials stand in the application's code",
    commands=["verify cors"],
    settings=["services.core-matching.environment.CORS_ORIGIN", "ingress.cors.allow_origins"],
    policies=["cors-restricted"],
)
def cors(stack: Recording) -> None:
    origins = environment(stack, "core-matching")["CORS_ORIGIN"].split(",")
    assert origins == ["https://rentfix.com", "https://app.rentfix.com"]


@CHAPTER.row(
    "R57",
    "L412-422",
    "Requests need an API key when `API_KEY_REQUIRED` says so",
    "declared",
    note="a generated key of 64 characters; the application compares it",
    components=["secret"],
    settings=["secrets.api-key", "services.core-matching.environment.API_KEY_REQUIRED"],
    policies=["required-env-present"],
)
def api_key(stack: Recording) -> None:
    assert environment(stack, "core-matching")["API_KEY_REQUIRED"] == "true"
    assert secrets(stack, "core-matching")["API_KEY"] == output(stack, "secrets", "api-key")
    assert stack.one(PASSWORD, "secret-api-key")["length"] == 64


@CHAPTER.row(
    "R58",
    "L430",
    "HTTPS on 443, with HTTP/2",
    "declared",
    note="port 80 only redirects",
    commands=["verify redirect"],
    components=["load_balancer"],
    policies=["alb-https-only"],
)
def https(stack: Recording) -> None:
    listener = stack.one(LISTENER, "ingress-https")
    assert (listener["port"], listener["protocol"]) == (443, "HTTPS")
    assert stack.one("aws:lb/loadBalancer:LoadBalancer")["enableHttp2"] is True
    (plain,) = stack.one(LISTENER, "ingress-http")["defaultActions"]
    assert plain["redirect"] == {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}


@CHAPTER.row(
    "R59",
    "L431",
    "The API answers as `api.rentfix.com`",
    "declared",
    commands=["verify dns"],
    components=["load_balancer", "service"],
    settings=["domain.name", "services.core-matching.public.host"],
    policies=["certificate-covers-hosts", "dns-record-for-public-host"],
)
def server_name(stack: Recording) -> None:
    record = stack.one(RECORD, "ingress-api.rentfix.com")
    assert (record["name"], record["type"]) == ("api.rentfix.com", "A")
    assert record["aliases"][0]["name"] == output(stack, "loadBalancer", "dnsName")
    rule = stack.one("aws:lb/listenerRule:ListenerRule", "core-matching-forward")
    assert rule["conditions"][0] == {"hostHeader": {"values": ["api.rentfix.com"]}}


@CHAPTER.row(
    "R60",
    "L433-434",
    "A certificate and its key",
    "declared",
    note="ACM issues and renews it, proved by DNS; nobody holds the key, and an alarm counts the days",
    commands=["verify tls"],
    components=["certificate"],
)
def certificate(stack: Recording) -> None:
    found = stack.one("aws:acm/certificate:Certificate")
    assert (found["domainName"], found["validationMethod"]) == ("api.rentfix.com", "DNS")
    listener = stack.one(LISTENER, "ingress-https")
    assert referred(stack, listener, "certificateArn") == ["certificate-validation"]


@CHAPTER.row(
    "R61",
    "L435-436",
    "TLS 1.2 and 1.3, strong ciphers",
    "declared",
    commands=["verify tls"],
    components=["load_balancer"],
    settings=["ingress.tls_policy"],
    policies=["alb-tls-min-1-2"],
)
def tls(stack: Recording) -> None:
    assert stack.one(LISTENER, "ingress-https")["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"


@CHAPTER.row(
    "R62",
    "L438-439",
    "Everything under `/` goes to port 4400",
    "declared",
    components=["service"],
    settings=["services.core-matching.public.paths", "services.core-matching.ports.http"],
)
def proxied(stack: Recording) -> None:
    group = stack.one("aws:lb/targetGroup:TargetGroup")
    assert (group["port"], group["targetType"], group["healthCheck"]["path"]) == (4400, "ip", "/health")
    rule = stack.one("aws:lb/listenerRule:ListenerRule", "core-matching-forward")
    assert rule["conditions"][1] == {"pathPattern": {"values": ["/*"]}}
    assert [(each["type"], each["targetGroupArn"]) for each in rule["actions"]] == [
        (
            "forward",
            stack.one("aws:ecs/service:Service", "core-matching")["loadBalancers"][0]["targetGroupArn"],
        )
    ]


@CHAPTER.row(
    "R63",
    "L440-443",
    "The application sees the host, the client's address and the protocol as they were",
    "declared",
    note="`Host`, `X-Forwarded-For` and `X-Forwarded-Proto`",
    missing="`X-Real-IP`, which an ALB does not set: the application takes the last address of `X-Forwarded-For`",
    components=["load_balancer"],
)
def headers(stack: Recording) -> None:
    balancer = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert (balancer["preserveHostHeader"], balancer["xffHeaderProcessingMode"]) == (True, "append")


@CHAPTER.row(
    "R64",
    "L446-449",
    "100 requests a minute for each address, 20 more at once",
    "declared",
    note="120 in any minute, then 429",
    missing="a burst and a zone of memory, which WAF does not have",
    commands=["verify rate-limit"],
    components=["web_acl"],
    settings=["ingress.waf.rate_limit"],
    policies=["waf-rate-limit-on-public-entry"],
)
def rate_limit(stack: Recording) -> None:
    first = stack.one("aws:wafv2/webAcl:WebAcl")["rules"][0]
    assert first["statement"]["rateBasedStatement"] == {
        "limit": 100 + 20,
        "evaluationWindowSec": 60,
        "aggregateKeyType": "IP",
    }
    assert first["action"]["block"]["customResponse"]["responseCode"] == 429


@CHAPTER.row(
    "R65",
    "L452-461",
    "Every request's body is validated",
    "application",
    note="its validation pipe; the web firewall turns known bad input away before",
    components=["web_acl"],
    settings=["ingress.waf.managed_rules"],
)
def input_validation(stack: Recording) -> None:
    rules = stack.one("aws:wafv2/webAcl:WebAcl")["rules"]
    managed = [each for each in rules if "managedRuleGroupStatement" in each["statement"]]
    assert [each["name"] for each in managed] == [
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesSQLiRuleSet",
    ]
    assert [each["overrideAction"] for each in managed] == [{"none": {}}] * 3
