"""Where the internet comes in: listeners, certificates, WAF, headers."""

import re
from collections.abc import Iterator, Mapping, Sequence

import ingresses
from ingresses import INGRESS
from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, given, is_set, literal, refers, rule
from task_definitions import TASK_DEFINITION, variables

# AWS keeps two names for the same types.
LISTENERS = ["aws:lb/listener:Listener", "aws:alb/listener:Listener"]
LOAD_BALANCERS = ["aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer"]
TARGET_GROUPS = ["aws:lb/targetGroup:TargetGroup", "aws:alb/targetGroup:TargetGroup"]
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
RESPONSE_HEADERS = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
BUCKET_CORS = [
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
]
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
WEB_ACL_ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"

# Elastic Load Balancing guide, "Security policies": the families without TLS 1.0 and 1.1.
MODERN_POLICY = re.compile(r"ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)-")
# CloudFront guide, "Supported protocols and ciphers".
MODERN_CLOUDFRONT = {"TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"}
CORS_VARIABLE = re.compile(r"CORS|ALLOWED_ORIGIN")

RULES: list[Rule] = []


@rule(
    RULES,
    "alb-tls-min-1-2",
    types=[*LISTENERS, DISTRIBUTION, INGRESS],
    severity="high",
    why="TLS 1.0 and 1.1 have known attacks, and AWS's default policy still speaks them.",
    remedy='Set sslPolicy to "ELBSecurityPolicy-TLS13-1-2-2021-06" (system file: ingress.tls_policy), '
    'on CloudFront viewerCertificate.minimumProtocolVersion to "TLSv1.2_2021"',
    checklist=["C38"],
    frameworks=["FSBP ELB.17", "FSBP CloudFront.15", "CKV_AWS_103", "CKV_AWS_174"],
)
def alb_tls_min_1_2(props: Props, resource_type: str) -> Findings:
    """TLS is 1.2 or 1.3."""
    if resource_type == DISTRIBUTION:
        certificate = props.get("viewerCertificate") or {}
        if certificate.get("minimumProtocolVersion") not in MODERN_CLOUDFRONT:
            yield f"viewerCertificate.{given(certificate, 'minimumProtocolVersion')}"
        return
    if resource_type == INGRESS:
        if not ingresses.is_for_a_balancer(props) or ingresses.is_said_later(props, "ssl-policy"):
            return
        if not MODERN_POLICY.match(ingresses.said(props, "ssl-policy") or ""):
            yield ingresses.shown(props, "ssl-policy")
        return
    encrypted = props.get("protocol") in {"HTTPS", "TLS"}
    if encrypted and not MODERN_POLICY.match(str(props.get("sslPolicy") or "")):
        yield given(props, "sslPolicy")


@rule(
    RULES,
    "alb-https-only",
    types=[*LISTENERS, INGRESS],
    severity="high",
    why="A page that answers without TLS hands its cookies to whoever listens.",
    remedy='Make the default action of the HTTP listener a redirect with protocol "HTTPS"; give an Ingress '
    "certificate-arn, a port HTTPS in listen-ports, and ssl-redirect",
    checklist=["C37", "C39"],
    frameworks=["FSBP ELB.1", "CKV_AWS_2", "CKV2_AWS_20"],
)
def alb_https_only(props: Props, resource_type: str) -> Findings:
    """Plain HTTP is only answered with a redirect to HTTPS."""
    if resource_type == INGRESS:
        yield from _ingress_https_only(props)
        return
    if props.get("protocol") != "HTTP" and (props.get("protocol") or props.get("port") != 80):
        return
    for action in props.get("defaultActions") or []:
        redirect = action.get("redirect") or {}
        if action.get("type") != "redirect" or redirect.get("protocol") != "HTTPS":
            yield f"the HTTP listener's default action is {action.get('type')}, not a redirect to HTTPS"


def _ingress_https_only(props: Props) -> Findings:
    if not ingresses.is_for_a_balancer(props):
        return
    encrypted = {str(port) for protocol, port in ingresses.ports(props) if protocol == "HTTPS"}
    if not encrypted:
        yield f"it listens on no port for HTTPS, {ingresses.shown(props, 'listen-ports')}"
        return
    if not ingresses.is_said(props, "certificate-arn"):
        yield ingresses.shown(props, "certificate-arn")
    is_plain = any(protocol == "HTTP" for protocol, _ in ingresses.ports(props))
    if is_plain and ingresses.said(props, "ssl-redirect") not in encrypted:
        yield f"it listens for plain HTTP, {ingresses.shown(props, 'ssl-redirect')}"


@rule(
    RULES,
    "cdn-https-only",
    types=[DISTRIBUTION],
    severity="high",
    why="What CloudFront sends or fetches without TLS can be read and changed on its way.",
    remedy='Set viewerProtocolPolicy to "redirect-to-https" or "https-only" in every behavior, '
    'and customOriginConfig.originProtocolPolicy to "https-only"',
    checklist=["C37"],
    frameworks=["FSBP CloudFront.3", "FSBP CloudFront.9", "CKV_AWS_34"],
)
def cdn_https_only(props: Props) -> Findings:
    """A distribution speaks HTTPS only, with browsers and with what is behind it."""
    for where, behavior in behaviors(props):
        if behavior.get("viewerProtocolPolicy") not in {"redirect-to-https", "https-only"}:
            yield f"{where}.{given(behavior, 'viewerProtocolPolicy')}"
    for i, origin in enumerate(props.get("origins") or []):
        custom = origin.get("customOriginConfig")
        if custom and custom.get("originProtocolPolicy") != "https-only":
            yield f"origins[{i}].customOriginConfig.{given(custom, 'originProtocolPolicy')}"


@rule(
    RULES,
    "cdn-private-origin",
    types=[DISTRIBUTION],
    severity="high",
    why="Without origin access control the bucket has to be open to everybody, past the CDN and its firewall.",
    remedy="Give the origin an originAccessControlId, and let the bucket's policy name the distribution",
    checklist=["C37"],
    frameworks=["FSBP CloudFront.13", "CKV2_AWS_46"],
)
def cdn_private_origin(props: Props) -> Findings:
    """A bucket behind a distribution answers to the distribution only."""
    for i, origin in enumerate(props.get("origins") or []):
        if not origin.get("customOriginConfig") and not is_set(origin, "originAccessControlId"):
            yield f"origins[{i}].originAccessControlId is not set"


def behaviors(props: Props) -> Iterator[tuple[str, Props]]:
    """What a distribution does with each path, and where that is written."""
    yield "defaultCacheBehavior", props.get("defaultCacheBehavior") or {}
    for i, behavior in enumerate(props.get("orderedCacheBehaviors") or []):
        yield f"orderedCacheBehaviors[{i}]", behavior


@rule(
    RULES,
    "alb-hardening",
    types=[*LOAD_BALANCERS, INGRESS],
    severity="medium",
    why="Malformed headers smuggle requests past the WAF, and what is not logged cannot be investigated.",
    remedy="Set dropInvalidHeaderFields, enableDeletionProtection and accessLogs.enabled to true; for an Ingress set "
    "what load-balancer-attributes calls the same",
    checklist=["C39"],
    frameworks=["FSBP ELB.4", "FSBP ELB.5", "FSBP ELB.6", "CKV_AWS_131", "CKV_AWS_150", "CKV_AWS_91"],
)
def alb_hardening(
    props: Props, resource_type: str, *, deletion_protection: bool = True, access_logs: bool = True
) -> Findings:
    """A balancer drops malformed headers, keeps access logs and refuses to be deleted."""
    if resource_type == INGRESS:
        asked = {
            "routing.http.drop_invalid_header_fields.enabled": True,
            "deletion_protection.enabled": deletion_protection,
            "access_logs.s3.enabled": access_logs,
        }
        wanted = dict.fromkeys((key for key, is_asked in asked.items() if is_asked), "true")
        yield from _lacks(props, "load-balancer-attributes", wanted)
        return
    is_application = props.get("loadBalancerType", "application") == "application"
    if is_application and props.get("dropInvalidHeaderFields") is not True:
        yield given(props, "dropInvalidHeaderFields")
    if deletion_protection and props.get("enableDeletionProtection") is not True:
        yield given(props, "enableDeletionProtection")
    logs = props.get("accessLogs") or {}
    if access_logs and logs.get("enabled") is not True:
        yield f"accessLogs.{given(logs, 'enabled')}"


def _lacks(props: Props, key: str, wanted: Mapping[str, str | None]) -> Findings:
    """What the pairs of an annotation do not say; None is any value. One that is not known yet says everything."""
    if not ingresses.is_for_a_balancer(props) or ingresses.is_said_later(props, key):
        return
    found = ingresses.pairs(ingresses.said(props, key) or "")
    for name, value in wanted.items():
        if name not in found or value not in (None, found[name]):
            yield f"{key}: {given(found, name)}"


@rule(
    RULES,
    "target-group-health-check",
    types=[*TARGET_GROUPS, INGRESS],
    severity="medium",
    why='"/" answers also when the database behind it does not.',
    remedy="Set healthCheck.path to the path that says whether the service can work "
    "(system file: services.<name>.health.path)",
    checklist=["C63"],
    frameworks=["CKV_AWS_261"],
)
def target_group_health_check(props: Props, resource_type: str) -> Findings:
    """A balancer asks a path that knows about the service's health."""
    if resource_type == INGRESS:
        if not ingresses.is_for_a_balancer(props) or ingresses.is_said_later(props, "healthcheck-path"):
            return
        if ingresses.said(props, "healthcheck-path") in {None, "/"}:
            yield ingresses.shown(props, "healthcheck-path")
        return
    if props.get("protocol") not in {"HTTP", "HTTPS"}:
        return
    check = props.get("healthCheck") or {}
    if check.get("enabled") is False:
        yield f"healthCheck.{given(check, 'enabled')}"
    elif check.get("path") in {None, "/"}:
        yield f"healthCheck.{given(check, 'path')}"


@rule(
    RULES,
    "security-headers-on-public-entry",
    types=[*LISTENERS, DISTRIBUTION, RESPONSE_HEADERS, INGRESS],
    severity="medium",
    why="Browsers only insist on HTTPS, refuse frames and trust content types when they are told to.",
    remedy="Set the listener's routingHttpResponse...HeaderValue arguments; on CloudFront give every behavior a "
    "responseHeadersPolicyId, of a policy with a securityHeadersConfig; on an Ingress set listener-attributes",
    checklist=["C40"],
)
def security_headers_on_public_entry(props: Props, resource_type: str) -> Findings:
    """HTTPS answers carry the security headers."""
    if resource_type == DISTRIBUTION:
        for where, behavior in behaviors(props):
            if not is_set(behavior, "responseHeadersPolicyId"):
                yield f"{where}.responseHeadersPolicyId is not set"
        return
    if resource_type == RESPONSE_HEADERS:
        config = props.get("securityHeadersConfig") or {}
        for header in ("strictTransportSecurity", "contentTypeOptions", "frameOptions"):
            if not config.get(header):
                yield f"securityHeadersConfig.{given(config, header)}"
        return
    if resource_type == INGRESS:
        headers = ("strict_transport_security", "x_content_type_options", "x_frame_options")
        wanted = dict.fromkeys(f"routing.http.response.{header}.header_value" for header in headers)
        for protocol, port in sorted(ingresses.ports(props)):
            if protocol == "HTTPS":
                yield from _lacks(props, f"listener-attributes.HTTPS-{port}", wanted)
        return
    if props.get("protocol") != "HTTPS":
        return
    for header in ("StrictTransportSecurity", "XContentTypeOptions", "XFrameOptions"):
        name = f"routingHttpResponse{header}HeaderValue"
        if not props.get(name):
            yield given(props, name)


def origins(props: Props, resource_type: str) -> Iterator[tuple[str, list[str]]]:
    """Each place that says which origins a browser may call from."""
    if resource_type == TASK_DEFINITION:
        for where, name, value in variables(props):
            if CORS_VARIABLE.search(name.upper()) and "ORIGIN" in name.upper():
                yield f"{where}: {name}", [origin.strip() for origin in value.split(",")]
    elif resource_type in LISTENERS:
        name = "routingHttpResponseAccessControlAllowOriginHeaderValue"
        if props.get(name):
            yield name, [props[name]]
    elif resource_type == RESPONSE_HEADERS:
        allowed = (props.get("corsConfig") or {}).get("accessControlAllowOrigins") or {}
        yield "corsConfig.accessControlAllowOrigins", list(allowed.get("items") or [])
    else:
        for i, cors in enumerate(props.get("corsRules") or []):
            yield f"corsRules[{i}].allowedOrigins", list(cors.get("allowedOrigins") or [])


@rule(
    RULES,
    "cors-restricted",
    types=[TASK_DEFINITION, *LISTENERS, RESPONSE_HEADERS, *BUCKET_CORS],
    severity="high",
    why="With `*` any site that a user visits may call the API from the user's browser.",
    remedy="List the product's own origins, each beginning with https:// (stack file: ingress.cors.allow_origins)",
    checklist=["C42"],
)
def cors_restricted(props: Props, resource_type: str, *, allow_localhost: bool = False) -> Findings:
    """Browsers may call the API from the product's own sites only."""
    schemes = ("https://", "http://localhost:") if allow_localhost else ("https://",)
    for where, listed in origins(props, resource_type):
        wrong = [origin for origin in listed if not origin.startswith(schemes) or "*" in origin]
        if wrong:
            yield f"{where} lets in {', '.join(origin or 'an empty origin' for origin in wrong)}"


@rule(
    RULES,
    "waf-rate-limit-on-public-entry",
    types=[*LOAD_BALANCERS, DISTRIBUTION, INGRESS],
    severity="high",
    why="Without a limit one address can guess passwords or exhaust the service.",
    remedy="Associate a WebAcl with a rateBasedStatement and the action block (system file: ingress.waf.rate_limit)",
    checklist=["C41"],
    frameworks=["FSBP ELB.16", "FSBP CloudFront.6", "CKV2_AWS_28", "CKV_AWS_68"],
    whole_stack=True,
)
def waf_rate_limit_on_public_entry(entry: PolicyResource, stack: Stack) -> Findings:
    """Every public entry limits how often one address may call."""
    if entry.resource_type == DISTRIBUTION:
        acls = [acl for acl in stack.of([WEB_ACL]) if refers(entry, "webAclId", acl)]
    elif entry.resource_type == INGRESS:
        if not ingresses.is_public(entry.props):
            return
        acls = [acl for acl in stack.of([WEB_ACL]) if _names(entry, acl)]
    elif entry.props.get("internal") or entry.props.get("loadBalancerType", "application") != "application":
        return
    else:
        associations = stack.referring([WEB_ACL_ASSOCIATION], "resourceArn", entry)
        acls = [
            acl for acl in stack.of([WEB_ACL]) for found in associations if refers(found, "webAclArn", acl)
        ]
    if not acls:
        yield "no WebAcl is associated"
    elif not any(blocks_by_rate(acl.props.get("rules") or []) for acl in acls):
        yield f"WebAcl {', '.join(acl.name for acl in acls)} has no rate-based rule that blocks"


def _names(ingress: PolicyResource, acl: PolicyResource) -> bool:
    named = ingresses.said(ingress.props, "wafv2-acl-arn")
    if named is not None:
        return named == literal(acl.props, "arn") or (named != "none" and _depends_on(ingress, acl))
    return ingresses.is_said(ingress.props, "wafv2-acl-arn") and _depends_on(ingress, acl)


def _depends_on(ingress: PolicyResource, acl: PolicyResource) -> bool:
    return any(found.urn == acl.urn for found in ingress.property_dependencies.get("metadata", []))


def blocks_by_rate(rules: Sequence[Props]) -> bool:
    for found in rules:
        limits = "rateBasedStatement" in set(found.get("statement") or {})
        if limits and "block" in set(found.get("action") or {}):
            return True
    return False
