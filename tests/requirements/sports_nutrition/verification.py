"""S78 to S86: what is looked at after a release, in four phases."""

from tests.recorder import Recording
from tests.requirements.production import LOG_GROUP, RECORD, alarm, asked_outside, condition, metric, output
from tests.requirements.sports_nutrition.support import API, HOST, service, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Post-deployment verification")
URL = f"https://{HOST}"


def is_public(stack: Recording) -> None:
    """The name leads to the load balancer, and every path of it to the API."""
    assert output(stack, "urls", API) == URL
    assert stack.one(RECORD, f"ingress-{HOST}")["aliases"][0]["name"] == output(
        stack, "loadBalancer", "dnsName"
    )
    assert asked_outside(stack, API)["host"] == HOST
    rule = stack.one("aws:lb/listenerRule:ListenerRule", "api-forward")
    assert rule["conditions"][1] == {"pathPattern": {"values": ["/*"]}}


@CHAPTER.row(
    "S78",
    "L439-444",
    "In the first 5 minutes: `/health` answers with 200",
    "operator",
    note="several times in a row with GET, and with HEAD; Route 53 asks it every 30 s",
    commands=["verify --phase 1"],
    components=["uptime"],
)
def answers(stack: Recording) -> None:
    is_public(stack)
    check = stack.one("aws:route53/healthCheck:HealthCheck")
    assert (check["fqdn"], check["resourcePath"], check["requestInterval"]) == (HOST, "/health", 30)
    assert condition(alarm(stack, "uptime-api-down")) == ("LessThanThreshold", 1, 2)


@CHAPTER.row(
    "S79",
    "L446-448",
    "The log says that the server started on port 3000",
    "operator",
    note="in the hour after the deployment; the API writes the line",
    commands=["verify logs", "logs api --filter '\"Server started on port 3000\"'"],
    components=["task"],
    settings=["services.api.checks.start_text"],
)
def started(stack: Recording) -> None:
    assert stack.one(LOG_GROUP, "api-logs")["name"] == output(stack, "services", API, "logGroup")
    assert output(stack, "services", API, "logGroup") == "/ecs/api-production"
    assert output(stack, "services", API, "startText") == "Server started on port 3000"


@CHAPTER.row(
    "S80",
    "L450-452",
    "`/api/health` says that database and Redis are connected",
    "operator",
    note="the command wants those three answers; the API gives them",
    commands=["verify readiness"],
    settings=["services.api.checks.answers"],
)
def connected(stack: Recording) -> None:
    is_public(stack)
    said = asked_outside(stack, API)["answers"]["/api/health"]
    assert said == {"status": "healthy", "database": "connected", "redis": "connected"}


@CHAPTER.row(
    "S81",
    "L454-456",
    "All targets are healthy",
    "operator",
    note="`pulumi up` waits until the service is steady, and targets that stay unhealthy are an alarm",
    commands=["targets"],
    components=["service"],
)
def healthy(stack: Recording) -> None:
    assert target_group(stack)["name"] == "api-targets"
    assert service(stack)["waitForSteadyState"] is True
    assert output(stack, "loadBalancer", "arn")
    assert metric(alarm(stack, "api-unhealthy-targets"))[0] == "UnHealthyHostCount"
    assert condition(alarm(stack, "api-unhealthy-targets"))[:2] == ("GreaterThanThreshold", 0)


@CHAPTER.row(
    "S82",
    "L459-473",
    "In half an hour: end-to-end tests, a login, a profile read with its token",
    "operator",
    note="the first logs in, reads the profile with the token, and sees that nobody gets it without; the test "
    "user's login is the secret `test-login`, which the operator fills",
    missing="the end-to-end tests, which are the product's: `npm run test:e2e -- --baseURL=https://api.yourdomain.com`",
    commands=["verify auth", "verify --phase 2"],
    components=["secret"],
    settings=["secrets.test-login", "services.api.checks.auth"],
)
def functional(stack: Recording) -> None:
    is_public(stack)
    assert output(stack, "secrets", "test-login") in output(stack, "secretsToFill")
    way = asked_outside(stack, API)["auth"]
    assert (way["loginPath"], way["path"], way["token"]) == ("/api/auth/login", "/api/profile", "token")
    assert way["loginSecretArn"] == output(stack, "secrets", "test-login")


@CHAPTER.row(
    "S83",
    "L475-487",
    "After half an hour: k6 with 50 users for 5 minutes; p95 below 500 ms, fewer than 1 percent errors",
    "operator",
    note="with Locust in k6's place; the dashboard has p95",
    missing="such a run from one address as the stacks stand: the web firewall answers 429 above 100 requests in "
    "10 minutes, and the API counts as well. `ingress.waf.rate_limit` of staging can be raised for it, or "
    "`--requests-per-s 0.16` stays below. The guide's own script is the product's",
    commands=["perf --vus 50 --duration 5m --p95-ms 500 --error-rate-percent 1"],
    components=["dashboard"],
)
def load(stack: Recording) -> None:
    is_public(stack)
    assert output(stack, "edge", "rateLimit") == {"requests": 100, "burst": 0, "windowS": 600}
    assert condition(alarm(stack, "error-rate")) == ("GreaterThanThreshold", 1, 1)
    assert metric(alarm(stack, "response-time"))[1] == "p95"


@CHAPTER.row(
    "S84",
    "L489-500",
    "CloudWatch has the CPU of `api` in `production`",
    "operator",
    note="average and maximum of the last 5 minutes, period 60",
    commands=["verify --phase 4"],
    components=["cluster", "service"],
    settings=["names.cluster", "services.api.names.service"],
)
def measured(stack: Recording) -> None:
    assert alarm(stack, "api-cpu")["dimensions"] == {"ClusterName": "production", "ServiceName": "api"}
    assert (output(stack, "cluster"), service(stack)["name"]) == ("production", "api")


@CHAPTER.row(
    "S85",
    "L502-503",
    "The alarms `api-high-cpu` and `api-high-errors` are there",
    "operator",
    note="each alarm of the stack: it is there, its actions are on, and it tells somebody",
    commands=["verify capacity"],
    components=["alarms"],
    settings=["observability.alarm_names"],
)
def alarms(stack: Recording) -> None:
    for name, physical in (("api-cpu", "api-high-cpu"), ("error-rate", "api-high-errors")):
        assert alarm(stack, name)["name"] == physical
        assert alarm(stack, name).get("actionsEnabled", True)
        assert physical in output(stack, "alarms")


@CHAPTER.row(
    "S86",
    "L505-506",
    "Follow the log `/ecs/api-production`",
    "operator",
    commands=["logs api --follow"],
    components=["task"],
)
def follow(stack: Recording) -> None:
    assert output(stack, "services", API, "logGroup") == "/ecs/api-production"
