"""S78 to S86: what is looked at after a release, in four phases."""

from tests.recorder import Recording
from tests.requirements.production import LOG_GROUP, RECORD, alarm, condition, metric, output
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
    rule = stack.one("aws:lb/listenerRule:ListenerRule", "api-forward")
    assert rule["conditions"][1] == {"pathPattern": {"values": ["/*"]}}


@CHAPTER.row(
    "S78",
    "L439-444",
    "In the first 5 minutes: `/health` answers with 200",
    "operator",
    note=f"`curl --fail --head {URL}/health`; Route 53 asks it every 30 s",
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
    note="`aws logs filter-log-events --log-group-name /ecs/api-production` with the filter pattern "
    '`"Server started on port 3000"`; the API writes the line',
    components=["task"],
)
def started(stack: Recording) -> None:
    assert stack.one(LOG_GROUP, "api-logs")["name"] == output(stack, "services", API, "logGroup")
    assert output(stack, "services", API, "logGroup") == "/ecs/api-production"


@CHAPTER.row(
    "S80",
    "L450-452",
    "`/api/health` says that database and Redis are connected",
    "operator",
    note=f"`curl --fail {URL}/api/health`; the API answers it",
)
def connected(stack: Recording) -> None:
    is_public(stack)


@CHAPTER.row(
    "S81",
    "L454-456",
    "All targets are healthy",
    "operator",
    note="`aws elbv2 describe-target-health`, with the ARN of `api-targets`; `pulumi up` waits until the service is "
    "steady, and targets that stay unhealthy are an alarm",
    components=["service"],
)
def healthy(stack: Recording) -> None:
    assert target_group(stack)["name"] == "api-targets"
    assert service(stack)["waitForSteadyState"] is True
    assert metric(alarm(stack, "api-unhealthy-targets"))[0] == "UnHealthyHostCount"
    assert condition(alarm(stack, "api-unhealthy-targets"))[:2] == ("GreaterThanThreshold", 0)


@CHAPTER.row(
    "S82",
    "L459-473",
    "In half an hour: end-to-end tests, a login, a profile read with its token",
    "operator",
    note=f"`npm run test:e2e -- --baseURL={URL}`, and two calls of `curl`; the test user's login is the secret "
    "`test-login`, which the operator fills",
    components=["secret"],
    settings=["secrets.test-login"],
)
def functional(stack: Recording) -> None:
    is_public(stack)
    assert output(stack, "secrets", "test-login") in output(stack, "secretsToFill")


@CHAPTER.row(
    "S83",
    "L475-487",
    "After half an hour: k6 with 50 users for 5 minutes; p95 below 500 ms, fewer than 1 percent errors",
    "operator",
    note="`k6 run`, against staging's URL or from many addresses; the dashboard has p95",
    missing="from one address against production: the web firewall answers 429 above 100 requests in 10 minutes, and "
    "the API counts as well",
    components=["dashboard"],
)
def load(stack: Recording) -> None:
    is_public(stack)
    assert condition(alarm(stack, "error-rate")) == ("GreaterThanThreshold", 1, 1)
    assert metric(alarm(stack, "response-time"))[1] == "p95"


@CHAPTER.row(
    "S84",
    "L489-500",
    "CloudWatch has the CPU of `api` in `production`",
    "operator",
    note="`aws cloudwatch get-metric-statistics`, word for word",
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
    note="`aws cloudwatch describe-alarms`, word for word",
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
    note="`aws logs tail /ecs/api-production --follow`",
    components=["task"],
)
def follow(stack: Recording) -> None:
    assert output(stack, "services", API, "logGroup") == "/ecs/api-production"
