"""Names that the guide fixes, and ways to look at this product's production stack."""

from collections.abc import Mapping
from typing import Any

from tests.recorder import Declared, Recording
from tests.requirements import production
from tests.requirements.production import SCHEDULE, SERVICE, TASK, alarm, output, referred, secrets

API = "fixrx-api"
HOST = "api.fixrx.com"
HEALTH = "/api/v1/system/health"
METRICS = "/api/v1/system/metrics"
OPS = "ops@fixrx.com"

LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"


def service(stack: Recording) -> Declared:
    return stack.one(SERVICE, API)


def balancer(stack: Recording) -> Declared:
    return stack.one("aws:lb/loadBalancer:LoadBalancer")


def https(stack: Recording) -> Declared:
    return stack.one("aws:lb/listener:Listener", "ingress-https")


def target_group(stack: Recording) -> Declared:
    return stack.one("aws:lb/targetGroup:TargetGroup")


def web_rules(stack: Recording) -> list[Mapping[str, Any]]:
    """What the API's web firewall asks, in this order."""
    return stack.one("aws:wafv2/webAcl:WebAcl", "waf")["rules"]


def distribution(stack: Recording) -> Declared:
    return stack.one("aws:cloudfront/distribution:Distribution")


def headers_of_cdn(stack: Recording) -> Mapping[str, Any]:
    """The security headers that the CDN adds to every answer."""
    policy = stack.one("aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy", "cdn")
    assert referred(stack, distribution(stack), "defaultCacheBehavior")
    assert distribution(stack)["defaultCacheBehavior"]["responseHeadersPolicyId"].startswith("cdn-")
    return policy["securityHeadersConfig"]


def secret_text(stack: Recording, name: str) -> str:
    """What the stack writes into a secret of its own."""
    return production.secret_text(stack, name)


def from_outside(stack: Recording, variable: str, secret: str) -> bool:
    """Whether the service reads the variable from a secret that somebody fills, and the outputs say so."""
    arn = output(stack, "secrets", secret)
    written = f"secret-{secret}" in stack.names(SECRET_VERSION)
    return secrets(stack, API)[variable] == arn and arn in output(stack, "secretsToFill") and not written


def containers(stack: Recording, task: str) -> dict[str, Mapping[str, Any]]:
    """By name: what works, what prepares it, what reports how it ended, what ends it when it takes too long."""
    return {each["name"]: each for each in stack.one(TASK, task).json("containerDefinitions")}


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


def runs_at(stack: Recording, task: str) -> str:
    """When the scheduler starts the task, in UTC; that it could not is an alarm."""
    schedule = stack.one(SCHEDULE, f"schedule-{task}")
    definition = schedule["target"]["ecsParameters"]["taskDefinitionArn"]
    assert definition == output(stack, "tasks", task, "taskDefinition")
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    alarm(stack, f"schedule-{task}-not-started")
    return schedule["scheduleExpression"]


def statements_of(stack: Recording, task: str) -> str:
    """The SQL that a task runs as the master user in the product's database; that it failed is an alarm."""
    works = variables(containers(stack, f"task-{task}")[task])
    assert (works["PGDATABASE"], works["PGUSER"]) == ("fixrx_production", "postgres")
    alarm(stack, f"task-{task}-failed")
    return works["STATEMENTS"]


def ends_after(stack: Recording, task: str) -> int:
    """Seconds after which a container beside the work ends it."""
    script = containers(stack, f"task-{task}")["limit"]["command"][-1]
    return int(script.split("sleep ", 1)[1].split(maxsplit=1)[0].strip('";'))


def page(stack: Recording, name: str) -> Declared:
    """A critical alarm."""
    found = alarm(stack, name)
    assert found["alarmActions"] == [output(stack, "topics", "critical")]
    return found


def warning(stack: Recording, name: str) -> Declared:
    found = alarm(stack, name)
    assert found["alarmActions"] == [output(stack, "topics", "warning")]
    return found


def operator_can_ask(stack: Recording) -> None:
    production.operator_can_ask(stack, "fixrx_production")
