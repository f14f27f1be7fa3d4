"""Reads what load balancers send where: which hosts and paths the internet reaches, and which service is behind them.

A load balancer of AWS is a listener with rules and target groups; what the AWS Load Balancer Controller makes one of is
an Ingress.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import ingresses
from ingresses import INGRESS
from openings import is_world
from pulumi_policy import PolicyResource
from rules import Props, Stack, is_set, literal

# AWS keeps two names for the same types.
LISTENERS = ["aws:lb/listener:Listener", "aws:alb/listener:Listener"]
LISTENER_RULES = ["aws:lb/listenerRule:ListenerRule", "aws:alb/listenerRule:ListenerRule"]
LISTENER_CERTIFICATES = [
    "aws:lb/listenerCertificate:ListenerCertificate",
    "aws:alb/listenerCertificate:ListenerCertificate",
]
LOAD_BALANCERS = ["aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer"]
TARGET_GROUPS = ["aws:lb/targetGroup:TargetGroup", "aws:alb/targetGroup:TargetGroup"]
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
SERVICE = "aws:ecs/service:Service"
BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"


@dataclass(frozen=True, kw_only=True)
class Way:
    """A rule that answers requests for some hosts and paths, in the order in which they are asked."""

    resource: PolicyResource
    order: tuple[float, ...]
    hosts: Sequence[str]  # patterns; none is every host
    paths: Sequence[str]  # patterns; none is every path
    narrowed: bool
    forwards: bool
    asks_who: bool

    def takes(self, path: str) -> bool:
        return not self.paths or any(fnmatchcase(path, pattern) for pattern in self.paths)

    def takes_all_of(self, hosts: Sequence[str]) -> bool:
        if not self.hosts:
            return True
        return bool(hosts) and all(
            any(fnmatchcase(host.lower(), pattern.lower()) for pattern in self.hosts) for host in hosts
        )


def reach(ways: Sequence[Way], path: str) -> Iterator[Way]:
    """The ways by which anybody gets to a path: those that no earlier one answers without sending it on."""
    in_order = sorted(ways, key=lambda way: way.order)
    for number, way in enumerate(in_order):
        if not way.forwards or way.narrowed or way.asks_who or not way.takes(path):
            continue
        answered = any(
            not earlier.forwards
            and not earlier.narrowed
            and earlier.takes(path)
            and earlier.takes_all_of(way.hosts)
            for earlier in in_order[:number]
        )
        if not answered:
            yield way


# Load balancers of AWS


def is_public(balancer: PolicyResource, stack: Stack) -> bool:
    """Whether the internet reaches it: itself, or through CloudFront."""
    return not balancer.props.get("internal") or bool(stack.referring([DISTRIBUTION], "origins", balancer))


def is_of_public(listener: PolicyResource, stack: Stack) -> bool:
    """Whether a listener's balancer is public; one that is not of this stack counts as public."""
    balancers = stack.referred(listener, "loadBalancerArn", LOAD_BALANCERS)
    return not balancers or any(is_public(balancer, stack) for balancer in balancers)


def ways_of(listener: PolicyResource, stack: Stack) -> list[Way]:
    """The listener's rules by priority, and last what it does by default."""
    rules = [
        _way(rule, "actions", float(literal(rule.props, "priority") or 0))
        for rule in stack.referring(LISTENER_RULES, "listenerArn", listener)
    ]
    return [*rules, _way(listener, "defaultActions", float("inf"))]


def _way(resource: PolicyResource, actions: str, order: float) -> Way:
    kinds = [action.get("type") for action in resource.props.get(actions) or []]
    conditions = list(resource.props.get("conditions") or [])
    return Way(
        resource=resource,
        order=(order,),
        hosts=_condition(conditions, "hostHeader"),
        paths=_condition(conditions, "pathPattern"),
        narrowed=any(_is_narrow(condition) for condition in conditions),
        forwards="forward" in kinds,
        asks_who=any(str(kind).startswith("authenticate-") for kind in kinds),
    )


def _condition(conditions: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return [str(value) for each in conditions for value in (each.get(name) or {}).get("values") or []]


def _is_narrow(condition: Mapping[str, Any]) -> bool:
    """Whether it lets only some requests through, or is one whose meaning is not read here (a regular expression)."""
    if any((condition.get(name) or {}).get("regexValues") for name in ("hostHeader", "pathPattern")):
        return True
    addresses = (condition.get("sourceIp") or {}).get("values") or []
    narrow = bool(addresses) and not any(is_world(str(address)) for address in addresses)
    return narrow or bool(condition.get("httpHeader"))


def leading_to(group: PolicyResource, stack: Stack) -> Iterator[tuple[PolicyResource, PolicyResource]]:
    """Each rule, or default action, that sends requests to a target group, with its listener."""
    for rule in stack.referring(LISTENER_RULES, "actions", group):
        listeners = stack.referred(rule, "listenerArn", LISTENERS)
        for listener in listeners or [rule]:
            yield rule, listener
    for listener in stack.referring(LISTENERS, "defaultActions", group):
        yield listener, listener


def public_ways_to(group: PolicyResource, stack: Stack) -> list[PolicyResource]:
    """The rules by which the internet reaches a target group; a listener that is not of this stack counts as public."""
    return [rule for rule, listener in leading_to(group, stack) if is_of_public(listener, stack)]


# Ingress


def ways_of_ingress(ingress: PolicyResource) -> Iterator[tuple[Way, str]]:
    """Each path of an Ingress as the controller orders them, with the name of the Service behind it."""
    props = ingress.props
    group_order = float(str(ingresses.said(props, "group.order") or 0))
    for rule in (props.get("spec") or {}).get("rules") or []:
        host = rule.get("host")
        for number, path in enumerate((rule.get("http") or {}).get("paths") or []):
            service = (path.get("backend") or {}).get("service") or {}
            name, pattern = str(service.get("name")), str(path.get("path") or "/")
            action = (
                _action(props, name) if (service.get("port") or {}).get("name") == "use-annotation" else None
            )
            way = Way(
                resource=ingress,
                order=(group_order, *_rank(path, pattern), number),
                hosts=[str(host)] if host else [],
                paths=_patterns(path, pattern),
                narrowed=False,
                forwards=action is None or action.get("type") == "forward",
                asks_who=ingresses.is_said(props, "auth-type")
                and ingresses.said(props, "auth-type") != "none",
            )
            yield way, " ".join(_services(action)) if action else name
    default = ((props.get("spec") or {}).get("defaultBackend") or {}).get("service") or {}
    if default:
        everything = Way(
            resource=ingress,
            order=(float("inf"),),
            hosts=[],
            paths=[],
            narrowed=False,
            forwards=True,
            asks_who=False,
        )
        yield everything, str(default.get("name"))


def _rank(path: Mapping[str, Any], pattern: str) -> tuple[float, float]:
    """Exact paths come first, then prefixes from the longest on; the controller's own kind stays as it is written."""
    kind = path.get("pathType")
    if kind == "Exact":
        return (0, 0)
    return (1, -len(pattern)) if kind == "Prefix" else (2, 0)


def _patterns(path: Mapping[str, Any], pattern: str) -> list[str]:
    if path.get("pathType") != "Prefix":
        return [pattern]
    stem = pattern.rstrip("/")
    return [stem or "/", f"{stem}/*"]


def _action(props: Props, name: str) -> Mapping[str, Any]:
    """What the annotation says of a path that leads to no Service."""
    text = ingresses.said(props, f"actions.{name}")
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return {re.sub(r"^[A-Z]", lambda first: first[0].lower(), key): value for key, value in found.items()}


def _services(action: Mapping[str, Any]) -> Iterator[str]:
    groups = (action.get("forwardConfig") or action.get("ForwardConfig") or {}).get("targetGroups") or []
    yield from (str(group.get("serviceName")) for group in groups)


def public_ingresses(stack: Stack) -> list[PolicyResource]:
    return [ingress for ingress in stack.of([INGRESS]) if ingresses.is_public(ingress.props)]


# Hosts


def hosts(entry: PolicyResource, stack: Stack) -> list[tuple[str, str]]:
    """Each host that an entry answers for, with what says so: a balancer's rules, an Ingress, a distribution."""
    if entry.resource_type == DISTRIBUTION:
        return [(str(alias), entry.name) for alias in entry.props.get("aliases") or []]
    if entry.resource_type == INGRESS:
        rules = (entry.props.get("spec") or {}).get("rules") or []
        return [(str(rule["host"]), entry.name) for rule in rules if is_set(rule, "host")]
    listeners = (
        [entry] if entry.resource_type in LISTENERS else stack.referring(LISTENERS, "loadBalancerArn", entry)
    )
    return [
        (host, rule.name)
        for listener in listeners
        for rule in stack.referring(LISTENER_RULES, "listenerArn", listener)
        for host in _condition(list(rule.props.get("conditions") or []), "hostHeader")
    ]


def covers(pattern: str, host: str) -> bool:
    """Whether a name of a certificate or a record, with a star for one label perhaps, is that of the host."""
    pattern, host = pattern.rstrip(".").lower(), host.rstrip(".").lower()
    if pattern == host:
        return True
    return pattern.startswith("*.") and pattern[2:] == host.partition(".")[2]
