"""What the internet reaches: which services, under which hosts, and what it must never get to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ingresses
from balancers import (
    BINDING,
    DISTRIBUTION,
    LISTENER_CERTIFICATES,
    LISTENERS,
    LOAD_BALANCERS,
    SERVICE,
    TARGET_GROUPS,
    Way,
    covers,
    hosts,
    is_of_public,
    is_public,
    leading_to,
    public_ingresses,
    public_ways_to,
    reach,
    ways_of,
    ways_of_ingress,
)
from clusters import DEPLOYMENT, STATEFUL_SET
from ingresses import INGRESS
from openings import is_given
from pulumi_policy import PolicyResource
from rules import Count, Findings, Rule, Stack, at, given, is_set, literal, rule, shown
from task_definitions import TASK_DEFINITION
from web_acls import WEB_ACL, acls_of, blocks, limits_bodies, statements
from workloads import WORKLOADS, environments

CERTIFICATE = "aws:acm/certificate:Certificate"
CERTIFICATE_VALIDATION = "aws:acm/certificateValidation:CertificateValidation"
RECORD = "aws:route53/record:Record"
BUCKETS = ["aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"]
BUCKET_CORS = [
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
]
# What else registers itself with a target group.
REGISTERING = {
    SERVICE: "loadBalancers",
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": "targetGroupArn",
    "aws:alb/targetGroupAttachment:TargetGroupAttachment": "targetGroupArn",
    "aws:autoscaling/group:Group": "targetGroupArns",
    "aws:autoscaling/attachment:Attachment": "lbTargetGroupArn",
    BINDING: "spec",
}
# Prometheus, and the exporters that are most often beside a service: of machines, of Redis, of PostgreSQL.
METRICS_PORTS = (9090, 9100, 9121, 9187)
JOB_NAME = re.compile(r"\s*[\"']?([\w.-]+)")
METRICS_PATH = re.compile(r"\bmetrics_path:\s*[\"']?([^\s\"']+)")
METRICS_PORT = re.compile(r"\bport:\s*(\d+)|[\w.-]:(\d{2,5})\b")
METRICS_FLAG = re.compile(r"^(ENABLE_(METRICS|PROMETHEUS)|(METRICS|PROMETHEUS)_ENABLED)$")

RULES: list[Rule] = []


@rule(
    RULES,
    "internal-services-not-public",
    types=[SERVICE, INGRESS, *TARGET_GROUPS],
    severity="critical",
    why="An internal service trusts whoever calls it, since only the product's own services were meant to.",
    remedy="Take the service off the public load balancer; the services that call it name it in connects_to "
    "(system file: services.<name> without `public`)",
    checklist=["C30"],
    whole_stack=True,
)
def internal_services_not_public(
    resource: PolicyResource, stack: Stack, *, services: Sequence[str] = ()
) -> Findings:
    """No load balancer on the internet leads to an internal service.

    Internal are those that `services` lists by name, and every ECS service with the tag `exposure: internal`.
    """
    if resource.resource_type == INGRESS:
        if ingresses.is_public(resource.props):
            for service in sorted(_services_behind(resource) & set(services)):
                yield f"it leads the internet to {service}, which is internal"
    elif resource.resource_type == SERVICE:
        internal = resource.name in services or at(resource.props, "tags.exposure") == "internal"
        groups = stack.referred(resource, "loadBalancers", TARGET_GROUPS) if internal else []
        if internal and not groups and is_given(resource.props, "loadBalancers"):
            yield "it is internal, and has a target group that is not of this stack"
        for group in groups:
            for way in public_ways_to(group, stack):
                yield f"{way.name} leads the internet to it, and it is internal"
    else:
        for binding in stack.referring([BINDING], "spec", resource):
            service = at(binding.props, "spec.serviceRef.name")
            for way in public_ways_to(resource, stack) if service in services else ():
                yield f"{way.name} leads the internet to {service}, which is internal"


def _services_behind(ingress: PolicyResource) -> set[str]:
    return {service for _, behind in ways_of_ingress(ingress) for service in behind.split()}


@rule(
    RULES,
    "public-entry-has-alb",
    types=[SERVICE, *TARGET_GROUPS, DEPLOYMENT, STATEFUL_SET],
    severity="high",
    why="Nobody reaches a service that no load balancer knows, and a rule that leads to nobody answers 503.",
    remedy="Give the service loadBalancers with its target group, and the target group a listener rule "
    "(system file: services.<name>.public)",
    checklist=["C75"],
    whole_stack=True,
)
def public_entry_has_alb(resource: PolicyResource, stack: Stack, *, services: Sequence[str] = ()) -> Findings:
    """A public service is behind a load balancer, all the way; `services` lists the public ones by name."""
    if resource.resource_type in TARGET_GROUPS:
        registered = any(stack.referring([kind], prop, resource) for kind, prop in REGISTERING.items())
        if not registered and public_ways_to(resource, stack):
            yield "a load balancer on the internet leads to it, and no service is registered with it"
        return
    if resource.resource_type != SERVICE:
        name = str(at(resource.props, "metadata.name"))
        if {name, resource.name} & set(services) and not _is_behind_something(name, stack):
            yield f"{name} is public, and neither an Ingress nor a TargetGroupBinding leads to it"
        return
    groups = stack.referred(resource, "loadBalancers", TARGET_GROUPS)
    if resource.name in services and not is_set(resource.props, "loadBalancers"):
        yield "it is public, and loadBalancers is not set"
    for group in groups:
        if not any(leading_to(group, stack)):
            yield f"no listener leads to its target group {group.name}, and AWS refuses such a service"


def _is_behind_something(name: str, stack: Stack) -> bool:
    bound = {at(binding.props, "spec.serviceRef.name") for binding in stack.of([BINDING])}
    return name in bound or any(name in _services_behind(each) for each in stack.of([INGRESS]))


# Metrics


@rule(
    RULES,
    "metrics-not-public",
    types=[*LISTENERS, INGRESS, SERVICE],
    severity="medium",
    why="Metrics tell how much business there is, which versions run, and which attack is working.",
    remedy="Answer the path with a fixed response before the rule that sends requests on "
    "(system file: services.<name>.public.private_paths), or give metrics a port that no target group has",
    checklist=["C36"],
    whole_stack=True,
)
def metrics_not_public(
    resource: PolicyResource,
    stack: Stack,
    *,
    paths: Sequence[str] = (),
    ports: Sequence[Count] = METRICS_PORTS,
) -> Findings:
    """The internet reaches no service's metrics.

    `paths` are never sent on to anybody; without any it is asked where the stack's own collector finds metrics, and
    which variables and annotations switch them on, and of those services and ports alone.
    """
    if resource.resource_type == SERVICE:
        for target in resource.props.get("loadBalancers") or []:
            groups = stack.referred(resource, "loadBalancers", TARGET_GROUPS)
            if target.get("containerPort") in ports and any(public_ways_to(group, stack) for group in groups):
                yield f"a load balancer on the internet leads to port {int(target['containerPort'])}"
        return
    if resource.resource_type == INGRESS:
        ways = _ways_of_group(resource, stack) if ingresses.is_public(resource.props) else []
    else:
        ways = [(way, "") for way in ways_of(resource, stack)] if is_of_public(resource, stack) else []
    if not any(way.forwards for way, _ in ways):
        return
    behind = {id(way): services for way, services in ways}
    asked = [Metrics(path=path) for path in paths] or _scraped(stack)
    for path in sorted({metrics.path for metrics in asked}):
        if any(_blocks_path(acl, path, stack) for acl in _acls_before(resource, stack)):
            continue
        for way in reach([way for way, _ in ways], path):
            if resource.resource_type == INGRESS and way.resource.urn != resource.urn:
                continue
            served = [*_served_by(way, stack), *((name, None) for name in behind[id(way)].split())]
            if any(metrics.path == path and metrics.is_of(served) for metrics in asked):
                yield f"{way.resource.name} sends {path} on to a service"


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Where metrics are: a path, and of which service and port, as far as that is known."""

    path: str
    service: str | None = None
    port: str | None = None

    def is_of(self, served: Sequence[tuple[str, str | None]]) -> bool:
        """Whether one of these, each a name and a port, has these metrics."""
        return self.service is None or any(
            self.service == name and (self.port is None or port in (None, self.port)) for name, port in served
        )


def _served_by(way: Way, stack: Stack) -> Iterator[tuple[str, str | None]]:
    """What a rule of a listener leads to, by all names: services, their containers, Services of Kubernetes."""
    prop = "defaultActions" if way.resource.resource_type in LISTENERS else "actions"
    for group in stack.referred(way.resource, prop, TARGET_GROUPS):
        for service in stack.referring([SERVICE], "loadBalancers", group):
            for target in service.props.get("loadBalancers") or []:
                port = shown(target.get("containerPort"))
                yield service.name, port
                yield str(target.get("containerName")), port
        for binding in stack.referring([BINDING], "spec", group):
            yield (
                str(at(binding.props, "spec.serviceRef.name")),
                shown(at(binding.props, "spec.serviceRef.port")),
            )


def _ways_of_group(ingress: PolicyResource, stack: Stack) -> list[tuple[Way, str]]:
    """Ingresses with one group name are one load balancer."""
    group = ingresses.said(ingress.props, "group.name")
    together = [
        each
        for each in public_ingresses(stack)
        if each.urn == ingress.urn or (group and ingresses.said(each.props, "group.name") == group)
    ]
    return [way for each in together for way in ways_of_ingress(each)]


def _scraped(stack: Stack) -> list[Metrics]:
    """What the stack's own collector asks for, and what containers and pods say of themselves."""
    found: list[Metrics] = []
    for workload in stack.of([TASK_DEFINITION, *WORKLOADS]):
        for environment in environments(workload.props, workload.resource_type):
            for variable, value in environment.plain.items():
                if value and "scrape_configs" in value:
                    found += _jobs(value)
                elif METRICS_FLAG.match(variable) and str(value).lower() in {"true", "1", "yes", "on"}:
                    path = environment.plain.get("METRICS_PATH") or "/metrics"
                    found.append(Metrics(path=path, service=environment.container))
        said = at(workload.props, "spec.template.metadata.annotations") or {}
        if workload.resource_type != TASK_DEFINITION and _is_true(literal(said, "prometheus.io/scrape")):
            found.append(
                Metrics(
                    path=str(literal(said, "prometheus.io/path") or "/metrics"),
                    service=str(at(workload.props, "metadata.name")),
                    port=literal(said, "prometheus.io/port"),
                )
            )
    return found


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _jobs(configuration: str) -> Iterator[Metrics]:
    """The jobs of a configuration of Prometheus, each named after a service; it asks for /metrics by itself."""
    for job in configuration.split("job_name:")[1:]:
        name, path, port = JOB_NAME.match(job), METRICS_PATH.search(job), METRICS_PORT.search(job)
        yield Metrics(
            path=path[1] if path else "/metrics",
            service=name[1] if name else "",
            port=(port[1] or port[2]) if port else None,
        )


def _acls_before(resource: PolicyResource, stack: Stack) -> Iterator[PolicyResource]:
    if resource.resource_type == INGRESS:
        yield from acls_of(resource, stack)
        return
    for balancer in stack.referred(resource, "loadBalancerArn", LOAD_BALANCERS):
        yield from acls_of(balancer, stack)


def _blocks_path(acl: PolicyResource, path: str, stack: Stack) -> bool:
    for each in blocks(acl, stack):
        for statement in statements(each.get("statement") or {}):
            match = statement.get("byteMatchStatement") or {}
            if "uriPath" not in set(match.get("fieldToMatch") or {}):
                continue
            text, place = str(match.get("searchString")), match.get("positionalConstraint")
            found = {"EXACTLY": path == text, "STARTS_WITH": path.startswith(text), "CONTAINS": text in path}
            if found.get(str(place)):
                return True
    return False


# Hosts


@rule(
    RULES,
    "certificate-covers-hosts",
    types=[*LISTENERS, DISTRIBUTION, INGRESS],
    severity="high",
    why="Browsers refuse a host that stands in no certificate, and CloudFront refuses to be made with one.",
    remedy="Add the host to subjectAlternativeNames of the certificate (system file: services.<name>.public.host, "
    "cdn.host; Groundwork's certificate has every host of its entry)",
    checklist=["C37"],
    whole_stack=True,
)
def certificate_covers_hosts(entry: PolicyResource, stack: Stack) -> Findings:
    """Every host that is served stands in the certificate it is served with."""
    held = _certificates(entry, stack)
    if held is None:
        return
    names = [
        name
        for certificate in held
        for name in (
            certificate.props["domainName"],
            *(certificate.props.get("subjectAlternativeNames") or []),
        )
    ]
    for host, where in hosts(entry, stack):
        if not any(covers(str(name), host) for name in names):
            yield f"{host} ({where}) is in no certificate, they are for {', '.join(map(str, names))}"
    for certificate in held if entry.resource_type == DISTRIBUTION else ():
        if certificate.props.get("region") not in (None, "us-east-1"):
            yield f"{certificate.name}: {given(certificate.props, 'region')}, and CloudFront reads us-east-1 only"


def _certificates(entry: PolicyResource, stack: Stack) -> list[PolicyResource] | None:
    """The entry's certificates; None where it has none, or one that is not of this stack and so cannot be read."""
    if entry.resource_type == DISTRIBUTION:
        named = [(entry, "viewerCertificate")] if at(entry.props, "viewerCertificate") else []
    elif entry.resource_type == INGRESS:
        named = [(entry, "metadata")] if ingresses.is_said(entry.props, "certificate-arn") else []
    else:
        more = stack.referring(LISTENER_CERTIFICATES, "listenerArn", entry)
        named = [(each, "certificateArn") for each in (entry, *more) if is_set(each.props, "certificateArn")]
    found: list[PolicyResource] = []
    for holder, prop in named:
        validations = stack.referred(holder, prop, [CERTIFICATE_VALIDATION])
        certificates = [
            *stack.referred(holder, prop, [CERTIFICATE]),
            *(each for one in validations for each in stack.referred(one, "certificateArn", [CERTIFICATE])),
        ]
        if not certificates:
            return None
        found += certificates
    return found or None


@rule(
    RULES,
    "dns-record-for-public-host",
    types=[*LOAD_BALANCERS, DISTRIBUTION, INGRESS],
    severity="high",
    why="A host without a record is a product that nobody finds.",
    remedy="Declare a Record for the host (stack file: domain.hosted_zone_id or domain.create_hosted_zone)",
    checklist=["C76"],
    whole_stack=True,
)
def dns_record_for_public_host(
    entry: PolicyResource, stack: Stack, *, declared: Sequence[str] = ()
) -> Findings:
    """Every host that is served has a record; `declared` lists hosts that must have one, served or not.

    A stack without any record leaves its names to somebody else, and only what is declared is asked for.
    """
    entries = [*LOAD_BALANCERS, DISTRIBUTION, INGRESS]
    if entry.resource_type == INGRESS:
        served = hosts(entry, stack) if ingresses.is_public(entry.props) else []
    else:
        served = hosts(entry, stack) if entry.resource_type == DISTRIBUTION or is_public(entry, stack) else []
    recorded = list(_recorded(stack))
    wanted = [host for host, _ in served] if recorded else []
    if stack.is_first(entry, entries):
        wanted += declared
    for host in dict.fromkeys(wanted):
        if not any(covers(name, host) for name in recorded):
            yield f"no Record is for {host}"


def _recorded(stack: Stack) -> Iterator[str]:
    """The names of all records but those that only prove a certificate; what ExternalDNS makes of an Ingress, too."""
    for record in stack.of([RECORD]):
        if not stack.referred(record, "name", [CERTIFICATE]):
            yield str(record.props["name"])
    for ingress in stack.of([INGRESS]):
        said = literal(ingresses.annotations(ingress.props), "external-dns.alpha.kubernetes.io/hostname")
        yield from (name.strip() for name in str(said or "").split(",") if name.strip())


# CDN and uploads


@rule(
    RULES,
    "cdn-present-when-declared",
    types=[DISTRIBUTION, *LOAD_BALANCERS, INGRESS, *BUCKETS],
    severity="medium",
    why="Without it every picture comes from one region, past the cache that the services were sized for.",
    remedy="Declare the distribution and set its `enabled` to true (stack file: cdn.enabled, system file: cdn.host)",
    checklist=["C77"],
    frameworks=["CKV_AWS_216"],
    whole_stack=True,
)
def cdn_present_when_declared(
    resource: PolicyResource, stack: Stack, *, declared: Sequence[str] = ()
) -> Findings:
    """A CDN that is declared exists and is switched on; `declared` lists the hosts that it must have."""
    if resource.resource_type == DISTRIBUTION and resource.props.get("enabled") is not True:
        yield given(resource.props, "enabled")
    if not stack.is_first(resource, [DISTRIBUTION, *LOAD_BALANCERS, INGRESS, *BUCKETS]):
        return
    served = {host for each in stack.of([DISTRIBUTION]) for host, _ in hosts(each, stack)}
    for host in declared:
        if host not in served:
            yield f"no Distribution has the alias {host}"


@rule(
    RULES,
    "upload-size-limited",
    types=[WEB_ACL],
    severity="medium",
    why="One upload without an end fills a disk, or keeps a service's memory and its connections.",
    remedy="Add a rule with a sizeConstraintStatement on the body or on content-length that blocks "
    "(system file: ingress.waf.max_body_bytes)",
    checklist=["C48"],
    whole_stack=True,
)
def upload_size_limited(acl: PolicyResource, stack: Stack, *, uploads: bool = False) -> Findings:
    """The firewall of a product with uploads refuses bodies that are too large.

    A product has uploads if `uploads` says so, or if browsers may PUT or POST into one of its buckets.
    """
    if acl.props.get("scope") == "CLOUDFRONT" or not (uploads or _takes_uploads(stack)):
        return
    if not limits_bodies(acl, stack):
        yield "no rule that blocks limits the size of a body"


def _takes_uploads(stack: Stack) -> bool:
    methods: set[str] = set()
    for cors in stack.of(BUCKET_CORS):
        for each in cors.props.get("corsRules") or []:
            methods |= set(each.get("allowedMethods") or [])
    return bool(methods & {"PUT", "POST"})
