"""What the checks of several chapters look at."""

from collections.abc import Mapping, Sequence
from typing import Any

from settings import loader
from settings.model import Settings
from tests.program import configuration
from tests.recorder import Declared, Recording
from tests.requirements.production import SERVICE, TARGET, TASK, openings

PORTAL, GATEWAY, FILES, WORKER = SERVICES = ("web-portal", "api-gateway", "file-service", "worker-service")
BACKEND = (GATEWAY, FILES, WORKER)
WITH_DATABASE = BACKEND
HOST = "api.yourdomain.com"
DATABASE = "nx_production"

ACL = "aws:wafv2/webAcl:WebAcl"
BROKER = "aws:mq/broker:Broker"
LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
PASSWORD = "random:index/randomPassword:RandomPassword"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"

BOOTSTRAP = "again whenever this changes"
# Production on a cluster of EKS that the stack makes.
KUBERNETES: Mapping[str, Any] = {
    "compute": "kubernetes",
    "kubernetes": {
        "nodes": {"instance_types": ["m7i.large"], "min_count": 3, "max_count": 6},
        "admin_role_arns": ["arn:aws:iam::333344445555:role/platform-admin"],
    },
}


def settled(changes: Mapping[str, Mapping[str, Any]] | None = None, **keys: Any) -> Settings:
    """Production's settings with keys of the stack file set, or entries of its blocks: {"database": {...}}."""
    config = configuration("nx-monorepo/prod")
    for block, more in (changes or {}).items():
        known = config.get(f"groundwork:{block}", {})
        config[f"groundwork:{block}"] = {
            key: {**known.get(key, {}), **more[key]} if isinstance(more.get(key), Mapping) else value
            for key, value in {**known, **more}.items()
        }
    config |= {f"groundwork:{key}": value for key, value in keys.items()}
    return loader.load("prod", loader.as_engine_config(config))


def refused(changes: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """What the person who typed the changes is told."""
    try:
        settled(changes)
    except loader.SettingsError as error:
        return error.lines
    raise AssertionError("these settings were accepted")


def running(stack: Recording, service: str) -> Mapping[str, Any]:
    """The service's own container, whatever runs beside it."""
    found = {each["name"]: each for each in stack.one(TASK, service).json("containerDefinitions")}
    assert service in found, f"{service} has no container of its own"
    return found[service]


def bounds(stack: Recording, service: str) -> tuple[int, int]:
    """How many tasks there are at least and at most."""
    target = stack.one(TARGET, service)
    return target["minCapacity"], target["maxCapacity"]


def served(stack: Recording, service: str) -> tuple[int, Sequence[str]]:
    """The place of the service's rule on the listener, and the paths that it forwards."""
    rule = stack.one(LISTENER_RULE, f"{service}-forward")
    hosts, paths = rule["conditions"]
    assert hosts == {"hostHeader": {"values": [HOST]}}
    (action,) = rule["actions"]
    (behind,) = stack.one(SERVICE, service)["loadBalancers"]
    assert (action["type"], action["targetGroupArn"]) == ("forward", behind["targetGroupArn"])
    return rule["priority"], paths["pathPattern"]["values"]


def callers(stack: Recording, target: str) -> set[tuple[str, int]]:
    """Who may connect to it, and to which port."""
    return {(source, port) for source, to, port in openings(stack) if to == target}


def web_rule(stack: Recording, name: str) -> Mapping[str, Any]:
    """The web firewall's rule of that name."""
    rules = {each["name"]: each for each in stack.one(ACL)["rules"]}
    assert name in rules, f"the web firewall has no rule {name}"
    return rules[name]


def deployment(stack: Recording) -> Declared:
    """The gateway's Deployment."""
    return stack.one("kubernetes:apps/v1:Deployment", GATEWAY)


def pod(stack: Recording) -> Mapping[str, Any]:
    """The container of the gateway's pods."""
    (found,) = deployment(stack)["spec"]["template"]["spec"]["containers"]
    return found
