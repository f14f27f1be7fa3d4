"""Names that the guide fixes, and ways to look at this product's production stack."""

from collections.abc import Mapping
from typing import Any

from tests.recorder import Declared, Recording
from tests.requirements.production import REPOSITORY, SERVICE, alarm, output, secrets, ways_in

API = "api"
HOST = "api.yourdomain.com"
RECOMMENDED = {"profile": "recommended"}
# The third profile is for a new stack, in three zones.
FAST_FAILOVER = {
    "profile": "fast-failover",
    "network": {
        "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "subnets": {
            "private": ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
            "public": ["10.0.101.0/24", "10.0.102.0/24", "10.0.103.0/24"],
            "isolated": ["10.0.201.0/24", "10.0.202.0/24", "10.0.203.0/24"],
        },
    },
    "database": {"multi_az": False},
    "backups": {"copy_region": None},
}


def service(stack: Recording) -> Declared:
    return stack.one(SERVICE, API)


def repository(stack: Recording) -> Declared:
    return stack.one(REPOSITORY, f"registry-{API}")


def target_group(stack: Recording) -> Declared:
    return stack.one("aws:lb/targetGroup:TargetGroup")


def scaling(stack: Recording) -> dict[str, tuple[str, int]]:
    """Metric and target of each tracking policy, by the policy's logical name."""
    tracked = {
        each.name: each["targetTrackingScalingPolicyConfiguration"]
        for each in stack.all("aws:appautoscaling/policy:Policy")
    }
    return {
        name: (each["predefinedMetricSpecification"]["predefinedMetricType"], each["targetValue"])
        for name, each in tracked.items()
    }


def rate_rule(stack: Recording, web_acl: str = "waf") -> Mapping[str, Any]:
    """The rule that is asked first."""
    return stack.one("aws:wafv2/webAcl:WebAcl", web_acl)["rules"][0]


def page(stack: Recording, name: str) -> Declared:
    """An alarm that reaches whoever is on call."""
    found = alarm(stack, name)
    assert found["alarmActions"] == [output(stack, "topics", "critical")]
    return found


def leaves_by(stack: Recording, port: int) -> bool:
    """Whether the API may call the internet on the port."""
    kind = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    rule = stack.one(kind, f"firewall-{API}-to-internet-{port}-egress")
    return (rule["fromPort"], rule["toPort"], rule["cidrIpv4"]) == (port, port, "0.0.0.0/0")


def operator_asks_from_the_api(stack: Recording) -> None:
    """Its task may be entered, has the URL, and reaches the proxy, though not the database itself."""
    assert service(stack)["enableExecuteCommand"] is True
    assert secrets(stack, API)["DATABASE_URL"] == output(stack, "secrets", "database-url")
    assert ways_in(stack, "database-proxy", 5432) == [API]
    assert ways_in(stack, "database", 5432) == []
