"""What has to be known to carry the examples' offences over to what is really declared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.mutations.judging import Resource
from tests.policy_builders import (
    BYTES,
    DEFAULT_GROUP,
    DEPLOYMENT,
    GROUP,
    INGRESS_RULE,
    JOB,
    LISTENER,
    PASSWORD,
    pod,
    workload,
)
from tests.policy_examples import OFFENCES

Offence = tuple[Mapping[str, Any], str]
TOKEN = "its pods get the token of the default account"

# Rules that go by the resource's name, too.
BY_NAME = {"backup-retention-30d", "jwt-secret-strength"}

# Offences that the examples' table cannot have: it knows no names, and no pod that is closed twice.
MORE: Mapping[str, Mapping[str, Sequence[Offence]]] = {
    "jwt-secret-strength": {
        PASSWORD: [({"length": 32}, "length is 32")],
        BYTES: [({"length": 32}, "length is 32")],
    },
    "k8s-own-account": {
        kind: [(workload(kind, pod(serviceAccountName="default", automountServiceAccountToken=True)), TOKEN)]
        for kind in (DEPLOYMENT, JOB)
    },
}


def offences(rule_id: str, type_: str) -> Sequence[Offence]:
    return [*OFFENCES.get(rule_id, {}).get(type_, ()), *MORE.get(rule_id, {}).get(type_, ())]


MANAGED = {"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"}

# A resource, and it or an item of a list in it.
Place = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class NoOffence:
    """Where an offence of the example is none; `found` is how its finding begins after the container's name."""

    rules: Sequence[str]
    because: str
    when: Callable[[Resource, Place], bool]
    found: str = ""


def _is_replica(_resource: Resource, place: Place) -> bool:
    return "replicateSourceDb" in place


def _serves_nothing(_resource: Resource, place: Place) -> bool:
    return "image" in place and not place.get("portMappings") and not place.get("ports")


def _is_plain(_resource: Resource, place: Place) -> bool:
    return place.get("protocol") == "HTTP"


NO_OFFENCES: Sequence[NoOffence] = (
    NoOffence(
        rules=[
            "rds-encrypted",
            "rds-force-ssl",
            "rds-backup-retention",
            "rds-multi-az",
            "rds-deletion-protection",
            "rds-engine-version-min",
            "rds-iam-logins",
            "store-names-its-subnets",
        ],
        because="a read replica has it from its source, and may go",
        when=_is_replica,
    ),
    NoOffence(
        rules=["rds-log-exports"],
        because="a read replica says no engine, and any log will do",
        when=_is_replica,
    ),
    NoOffence(
        rules=["cache-cluster-shape"],
        because="a cache without shards counts its nodes, not replicas per shard",
        when=lambda _, place: "numCacheClusters" in place,
        found="replicasPerNodeGroup",
    ),
    NoOffence(
        rules=["alb-tls-min-1-2", "security-headers-on-public-entry"],
        because="plain HTTP is only answered with a redirect",
        when=_is_plain,
    ),
    NoOffence(rules=["container-health-check"], because="the container serves no port", when=_serves_nothing),
    NoOffence(
        rules=["k8s-probes-and-limits"],
        because="the container serves no port",
        when=_serves_nothing,
        found="livenessProbe",
    ),
    NoOffence(
        rules=["jwt-secret-strength"],
        because="it signs no tokens",
        when=lambda resource, _: "jwt" not in resource.name,
    ),
    NoOffence(
        rules=["backup-retention-30d"],
        because="it is no bucket for backups",
        when=lambda resource, place: "bucket" in place and "backup" not in resource.name,
    ),
    NoOffence(
        rules=["no-ssh-inside"],
        because="it is open to the internet, which is the business of no-ssh-open-world",
        when=lambda _, place: place.get("cidrIpv4") == "0.0.0.0/0",
    ),
    NoOffence(
        rules=["sg-egress-narrow"],
        because="it leads to a group or a prefix list, not to the internet",
        when=lambda _, place: "ipProtocol" in place and "cidrIpv4" not in place,
    ),
    NoOffence(
        rules=["peering-route-narrow"],
        because="the route leads to no other network",
        when=lambda _, place: "routeTableId" in place and "vpcPeeringConnectionId" not in place,
    ),
    NoOffence(
        rules=["resource-policy-not-public", "role-trust-narrow"],
        because="a condition of the statement says who",
        when=lambda _, place: "Principal" in place and "Condition" in place,
    ),
    NoOffence(
        rules=["resource-policy-not-public"],
        because="the statement denies",
        when=lambda _, place: place.get("Effect") == "Deny",
    ),
    NoOffence(
        rules=["waf-managed-rules"],
        because="it is none of the rules that are asked for",
        when=lambda _, place: "statement" in place and place.get("name") not in MANAGED,
    ),
    NoOffence(
        rules=["required-env-present"],
        because="the variable is there",
        when=lambda _, place: any(each["name"] == "API_KEY" for each in place.get("env", ())),
    ),
    NoOffence(
        rules=["k8s-own-account"],
        because="no pod of it gets a token",
        when=lambda resource, _: "'automountServiceAccountToken': False" in str(resource.inputs),
        found="serviceAccountName",
    ),
    NoOffence(
        rules=["balancer-spans-zones"],
        because="it says subnets, and AWS takes one of the two",
        when=lambda _, place: "subnets" in place,
        found="subnetMappings",
    ),
)


def excuse(rule_id: str, resource: Resource, finding: str) -> Callable[[Place], str | None]:
    """Why the offence with this finding is none at a place in the resource; None where it is one."""
    said = finding.rpartition(": ")[2]
    fitting = [each for each in NO_OFFENCES if rule_id in each.rules and said.startswith(each.found)]
    return lambda place: next((each.because for each in fitting if each.when(resource, place)), None)


@dataclass(frozen=True, kw_only=True)
class TwoAtOnce:
    """Where an offence against one rule is one against another, too; `found` is how its finding begins."""

    rules: Sequence[str]
    other: str
    because: str
    when: Callable[[Resource], bool] = lambda _: True
    found: str = ""


OPENINGS = (
    "no-debug-ports",
    "no-ssh-inside",
    "no-ssh-open-world",
    "sg-no-open-data-ports",
    "sg-no-open-ingress",
)


def _is_open(resource: Resource) -> bool:
    return resource.inputs.get("cidrIpv4") == "0.0.0.0/0" or resource.inputs.get("cidrIpv6") == "::/0"


TWO_AT_ONCE: Sequence[TwoAtOnce] = (
    TwoAtOnce(
        rules=["no-ssh-open-world"],
        other="sg-no-open-ingress",
        because="what is open to the world is open to the world",
    ),
    TwoAtOnce(
        rules=["sg-no-open-data-ports", "no-debug-ports"],
        other="sg-no-open-ingress",
        because="the rule lets the internet in, which is right for 80 and 443 alone",
        when=_is_open,
    ),
    TwoAtOnce(
        rules=[*OPENINGS, "sg-public-only-on-balancers"],
        other="sg-least-edges",
        because="nobody has declared such an edge",
        when=lambda resource: resource.type in (GROUP, INGRESS_RULE),
    ),
    TwoAtOnce(
        rules=[*OPENINGS, "sg-egress-narrow"],
        other="vpc-default-group-closed",
        because="the default security group is to let nobody in, nor out",
        when=lambda resource: resource.type == DEFAULT_GROUP,
    ),
    TwoAtOnce(
        rules=["no-ssh-open-world", "sg-no-open-ingress"],
        other="sg-public-only-on-balancers",
        because="what is in the group is no load balancer",
    ),
    *(
        TwoAtOnce(
            rules=rules,
            other=other,
            because="a container that serves a port has to say how its health is checked",
            found="container api",
        )
        for rules, other in (
            (["no-debug-ports"], "container-health-check"),
            (["no-debug-ports", "k8s-no-host-ports"], "k8s-probes-and-limits"),
        )
    ),
    TwoAtOnce(
        rules=["secret-min-strength"],
        other="jwt-secret-strength",
        because="a secret that signs tokens has to be longer still",
        when=lambda resource: "jwt" in resource.name,
    ),
    TwoAtOnce(
        rules=["secret-min-strength", "no-default-secrets"],
        other="password-not-literal",
        because="a password that one can read in the program is a literal one",
    ),
    TwoAtOnce(
        rules=["alb-https-only"],
        other="metrics-not-public",
        because="a listener that forwards everything forwards the metrics",
        when=lambda resource: resource.type == LISTENER,
    ),
    TwoAtOnce(
        rules=["alb-https-only"],
        other="alb-serves-https",
        because="no listener for HTTPS is left",
        when=lambda resource: resource.inputs.get("protocol") == "HTTPS",
    ),
    TwoAtOnce(
        rules=["subnet-no-public-ip"],
        other="db-in-private-subnets",
        because="data stores stand in the subnet",
    ),
    TwoAtOnce(
        rules=["alarm-actions-enabled"],
        other="required-alarms-present",
        because="it was the only alarm that told anybody",
    ),
    *(
        TwoAtOnce(rules=["waf-managed-rules"], other=other, because="without any rule it has no limit either")
        for other in ("waf-rate-limit-on-public-entry", "upload-size-limited")
    ),
    *(
        TwoAtOnce(
            rules=["k8s-namespace-of-its-own"],
            other=other,
            because="what it needs stands in the other namespace",
        )
        for other in ("k8s-network-policy", "k8s-disruption-budget", "public-entry-has-alb")
    ),
    TwoAtOnce(
        rules=["s3-tls-only", "uploads-malware-scan"],
        other="resource-policy-not-public",
        because="what was denied to everybody is allowed to everybody",
        found="its policy allows",
    ),
)


def also(rule_id: str, resource: Resource, finding: str) -> Mapping[str, str]:
    """What other rules may say of an offence against the rule in the resource, and why."""
    return {
        each.other: each.because
        for each in TWO_AT_ONCE
        if rule_id in each.rules and each.when(resource) and finding.startswith(each.found)
    }


# Types that stacks declare and on which no offence against the rule can be shown, and why.
NEVER_APPLIED: Mapping[tuple[str, str], str] = {
    ("peering-route-narrow", "ec2.Route"): "no stack has a peering",
    ("resource-policy-not-public", "backup.VaultPolicy"): "policies of vaults only deny",
    ("sg-public-only-on-balancers", "ec2.DefaultSecurityGroup"): "nothing is in a default group",
}
