"""What the internet reaches: load balancers, Ingresses, the CDN, their firewalls, certificates and names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.mutations.breaking import (
    NOT_THERE,
    Breach,
    Breaking,
    Edit,
    all_of,
    altering,
    any_of,
    coming_from,
    edited,
    every,
    gone,
    itself,
    new,
    of_companion,
    referred,
    referring,
    setting,
)
from tests.mutations.carrying import Unfit
from tests.mutations.judging import Bench, Changes, Resource
from tests.policy_builders import BALANCER, DEPLOYMENT, DISTRIBUTION, INGRESS, LISTENER, SERVICE, TARGETS

BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
BUCKET = "aws:s3/bucket:Bucket"
CERTIFICATE = "aws:acm/certificate:Certificate"
CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
RECORD = "aws:route53/record:Record"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"

association = referring("aws:wafv2/webAclAssociation:WebAclAssociation", "resourceArn")
acl_logging = referring("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", "resourceArn")
bindings = referring(BINDING, "spec")
delivery_source = referring("aws:cloudwatch/logDeliverySource:LogDeliverySource", "resourceArn")
records = referring(RECORD, "aliases")
registered = referring(SERVICE, "loadBalancers")

# The firewall

Rule = dict[str, Any]


def acl_rules(statement: str, alter: Callable[[Rule], Rule | None]) -> Breaking:
    """The rules of every WebAcl with such a statement are altered, or gone where that is None."""

    def altered(rules: Sequence[Rule]) -> Sequence[Rule]:
        found = [alter(rule) if statement in str(rule["statement"]) else rule for rule in rules]
        return [rule for rule in found if rule]

    return edited(every(WEB_ACL), altering("rules", altered))


def counting(rule: Rule) -> Rule:
    return {**rule, "action": {"count": {}}}


def uploads(bench: Bench, acl: Resource) -> Changes:
    """Browsers may upload into some bucket."""
    if acl.inputs["scope"] == "CLOUDFRONT":
        raise Unfit("it stands before the CDN, which takes no uploads")
    rules = [{"allowedMethods": ["PUT"], "allowedOrigins": ["https://example.com"]}]
    added = new(CORS, "uploads", {"corsRules": rules}, bucket=bench.of([BUCKET])[0])
    return {added.urn: added}


# What an Ingress says


def annotated(key: str, value: str | None) -> Edit:
    """The annotation is this constant, or is not there."""

    def edit(ingress: Resource) -> Resource:
        metadata = ingress.inputs["metadata"]
        said = {**metadata["annotations"], key: value}
        annotations = {name: text for name, text in said.items() if text is not None}
        return setting(metadata={**metadata, "annotations": annotations})(ingress)

    return edit


def naming(acl: str | None) -> Edit:
    return annotated("alb.ingress.kubernetes.io/wafv2-acl-arn", acl)


def paths(alter: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Edit:
    """Each path of the Ingress is altered, or gone where that is None."""

    def altered(spec: dict[str, Any]) -> dict[str, Any]:
        rules = []
        for rule in spec["rules"]:
            kept = [each for each in map(alter, rule["http"]["paths"]) if each]
            rules.append({**rule, "http": {**rule["http"], "paths": kept}})
        return {**spec, "rules": rules}

    return altering("spec", altered)


def leading_to(service: str) -> Edit:
    def alter(path: dict[str, Any]) -> dict[str, Any]:
        return {**path, "backend": {"service": {**path["backend"]["service"], "name": service}}}

    return paths(alter)


def is_answered(path: dict[str, Any]) -> bool:
    """By the load balancer itself, not by a service."""
    return path["backend"]["service"]["name"] == "not-found"


# Services and what leads to them


def internal_services(bench: Bench) -> Sequence[str]:
    """Those that the stack's configuration of the pack lists. Raises `Unfit` if there are none."""
    listed = bench.setting("internal-services-not-public", "services")
    if not listed:
        raise Unfit("the configuration lists no internal service")
    return listed


def published(bench: Bench, service: Resource) -> Changes:
    """An internal service gets the target group of a public one."""
    if service.name not in internal_services(bench):
        raise Unfit("it is public")
    group, *_ = every(TARGETS)(bench, service)
    target = {"containerName": service.name, "containerPort": 80, "targetGroupArn": group.outputs["arn"]}
    return edited(itself, coming_from(group, "loadBalancers", [target]))(bench, service)


def bound(bench: Bench, group: Resource) -> Changes:
    """An internal service is bound to the target group."""
    service = internal_services(bench)[0]
    edit = altering("spec", lambda spec: {**spec, "serviceRef": {**spec["serviceRef"], "name": service}})
    return edited(bindings, edit)(bench, group)


def led(bench: Bench, ingress: Resource) -> Changes:
    return edited(itself, leading_to(internal_services(bench)[0]))(bench, ingress)


def rules_to_its_groups(bench: Bench, service: Resource) -> Changes:
    changes: dict[str, Resource | None] = {}
    for group in referred(TARGETS)(bench, service):
        changes |= gone(referring(LISTENER_RULE, "actions"))(bench, group)
    return changes


def nothing_leads_to(bench: Bench, deployment: Resource) -> Changes:
    """Neither a binding nor an Ingress names the Deployment's service."""
    name = deployment.inputs["metadata"]["name"]
    changes: dict[str, Resource | None] = {}
    for binding in bench.of([BINDING]):
        if binding.inputs["spec"]["serviceRef"]["name"] == name:
            changes[binding.urn] = None
    for ingress in bench.of([INGRESS]):
        if f"'{name}'" in str(ingress.inputs["spec"]):
            changes[ingress.urn] = None
    if not changes:
        raise Unfit("nothing leads to it")
    return changes


# Listeners


def answers_of(bench: Bench, listener: Resource) -> Sequence[Resource]:
    """The listener's rules that answer by themselves."""
    found = [
        each
        for each in referring(LISTENER_RULE, "listenerArn")(bench, listener)
        if each.inputs["actions"][0]["type"] == "fixed-response"
    ]
    if not found:
        raise Unfit("it answers nothing by itself")
    return found


def listeners_for(protocol: str) -> Callable[[Bench, Resource], Sequence[Resource]]:
    def find(bench: Bench, balancer: Resource) -> Sequence[Resource]:
        found = referring(LISTENER, "loadBalancerArn")(bench, balancer)
        return [each for each in found if each.inputs["protocol"] == protocol]

    return find


def on_plain_listener(bench: Bench, rule: Resource) -> Changes:
    if rule.inputs["actions"][0]["type"] == "redirect":
        raise Unfit("it redirects")
    plain = next(each for each in bench.of([LISTENER]) if each.inputs["protocol"] == "HTTP")
    return edited(itself, coming_from(plain, "listenerArn", plain.outputs["arn"]))(bench, rule)


def with_hosts(bench: Bench, entry: Resource) -> Resource:
    """The entry, if it answers for a host. Raises `Unfit`."""
    rules = bench.of([LISTENER_RULE])
    if entry.type == LISTENER:
        rules = [each for each in rules if entry.urn in each.refers["listenerArn"]]
    if entry.type in (BALANCER, LISTENER) and not any("hostHeader" in str(each.inputs) for each in rules):
        raise Unfit("it answers for no host yet")
    return entry


def of_another_host(bench: Bench, entry: Resource) -> Changes:
    return edited(every(CERTIFICATE), another_host)(bench, with_hosts(bench, entry))


def served_records(bench: Bench, entry: Resource) -> Sequence[Resource]:
    return records(bench, with_hosts(bench, entry))


def last_record(bench: Bench, entry: Resource) -> Sequence[Resource]:
    """One of several, since a stack without any leaves its names to somebody else."""
    return served_records(bench, entry)[-1:]


another_host = setting(domainName="another.example.net", subjectAlternativeNames=None)
NO_WAY_IN = {"public-entry-has-alb": "the public service has lost its way in"}
SCANNED = {"uploads-malware-scan": "what browsers may upload has to be scanned, too"}

BREACHES: Mapping[str, Sequence[Breach]] = {
    "waf-rate-limit-on-public-entry": [
        *of_companion("its association", association, "resourceArn", on=[BALANCER]),
        Breach(
            "its association names another WebAcl",
            edited(association, setting(webAclArn=NOT_THERE)),
            [BALANCER],
        ),
        Breach("it names no WebAcl", edited(itself, setting(webAclId=None)), [DISTRIBUTION]),
        Breach("it names another WebAcl", edited(itself, setting(webAclId=NOT_THERE)), [DISTRIBUTION]),
        Breach("it names no WebAcl", edited(itself, naming(None)), [INGRESS]),
        Breach("it says that it wants none", edited(itself, naming("none")), [INGRESS]),
        Breach("it names another WebAcl", edited(itself, naming(NOT_THERE)), [INGRESS]),
        Breach("the rate limit counts, and does not block", acl_rules("rateBasedStatement", counting)),
        Breach("the rate limit is gone", acl_rules("rateBasedStatement", lambda _: None)),
    ],
    "waf-logged": of_companion("its logging", acl_logging, "resourceArn"),
    "upload-size-limited": [
        Breach(
            "browsers may upload, and nothing limits their size",
            all_of(uploads, any_of(uploads, acl_rules("content-length", lambda _: None))),
            also=SCANNED,
        ),
        Breach(
            "browsers may upload, and large bodies are only counted",
            all_of(acl_rules("content-length", counting), uploads),
            also=SCANNED,
        ),
    ],
    "alb-serves-https": [
        Breach("its listener for HTTPS is gone", gone(listeners_for("HTTPS")), [BALANCER]),
        Breach(
            "it stands on the plain listener",
            on_plain_listener,
            [LISTENER_RULE],
            also={"metrics-not-public": "there no rule comes first that answers for the metrics"},
        ),
    ],
    "internal-services-not-public": [
        Breach("it gets a public target group", published, [SERVICE]),
        Breach("an internal service is bound to it", bound, [TARGETS], also=NO_WAY_IN),
        Breach("it leads to an internal service", led, [INGRESS], also=NO_WAY_IN),
    ],
    "public-entry-has-alb": [
        Breach("it leaves its target group", edited(itself, setting(loadBalancers=None)), [SERVICE]),
        Breach("no rule leads to its target group", rules_to_its_groups, [SERVICE]),
        Breach("its service leaves it", edited(registered, setting(loadBalancers=None)), [TARGETS]),
        Breach("its binding is gone", gone(bindings), [TARGETS]),
        Breach("nothing leads to it", nothing_leads_to, [DEPLOYMENT]),
    ],
    "metrics-not-public": [
        Breach("what it answers itself goes to the service", gone(answers_of), [LISTENER]),
        Breach(
            "what it answers itself goes to the service",
            edited(itself, paths(lambda path: None if is_answered(path) else path)),
            [INGRESS],
        ),
        Breach(
            "its target group leads to the port of its metrics",
            edited(
                itself,
                altering("loadBalancers", lambda targets: [{**targets[0], "containerPort": 9090}]),
            ),
            [SERVICE],
        ),
    ],
    "certificate-covers-hosts": [
        Breach("its certificate is another host's", of_another_host),
        Breach(
            "its certificate is of another region",
            edited(every(CERTIFICATE), setting(region="eu-west-1")),
            [DISTRIBUTION],
        ),
    ],
    "dns-record-for-public-host": [
        Breach(
            "its records are of another host",
            edited(served_records, setting(name="another.example.net")),
            [BALANCER, DISTRIBUTION],
        ),
        Breach("one of its records is gone", gone(last_record), [BALANCER]),
        Breach(
            "no record is asked for",
            edited(
                every(INGRESS), annotated("external-dns.alpha.kubernetes.io/hostname", "another.example.net")
            ),
            [INGRESS],
        ),
    ],
    "cdn-present-when-declared": [
        Breach("it is switched off", edited(itself, setting(enabled=False)), [DISTRIBUTION]),
        Breach("it serves another host", edited(every(DISTRIBUTION), setting(aliases=[])), once=True),
    ],
    "cdn-logged": of_companion("its log", delivery_source, "resourceArn"),
}
