"""Where the internet comes in: listeners, certificates, headers, CORS."""

import re
from collections.abc import Iterator, Mapping, Sequence

import ingresses
from balancers import DISTRIBUTION, LISTENER_RULES, LISTENERS, LOAD_BALANCERS, TARGET_GROUPS
from cdn import RESPONSE_HEADERS, behaviors
from ingresses import INGRESS
from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, at, given, is_set, rule, shown
from workloads import TYPES as WITH_VARIABLES
from workloads import environments

BUCKET_CORS = [
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
]
CLASSIC_BALANCER = "aws:elb/loadBalancer:LoadBalancer"
CERTIFICATE = "aws:acm/certificate:Certificate"
FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"
HTTP_API = "aws:apigatewayv2/api:Api"

# Elastic Load Balancing guide, "Security policies": the families without TLS 1.0 and 1.1.
MODERN_POLICY = re.compile(r"ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)-")
# CloudFront guide, "Supported protocols and ciphers".
MODERN_CLOUDFRONT = {"TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"}
# What CloudFront may speak to what is behind it.
MODERN_TO_ORIGINS = {"TLSv1.2", "TLSv1.3"}
CORS_VARIABLE = re.compile(r"CORS|ALLOWED_ORIGIN")

RULES: list[Rule] = []


@rule(
    RULES,
    "alb-tls-min-1-2",
    types=[*LISTENERS, DISTRIBUTION, INGRESS],
    severity="high",
    why="TLS 1.0 and 1.1 have known attacks, and AWS's default policy still speaks them.",
    remedy='Set sslPolicy to "ELBSecurityPolicy-TLS13-1-2-2021-06" (system file: ingress.tls_policy), on CloudFront '
    'viewerCertificate.minimumProtocolVersion to "TLSv1.2_2021" and originSslProtocols to ["TLSv1.2"]',
    checklist=["C38"],
    frameworks=[
        "FSBP ELB.17",
        "FSBP CloudFront.10",
        "FSBP CloudFront.15",
        "CKV_AWS_103",
        "CKV_AWS_174",
        "CKV2_AWS_54",
        "CKV2_AWS_74",
    ],
)
def alb_tls_min_1_2(props: Props, resource_type: str) -> Findings:
    """TLS is 1.2 or 1.3."""
    if resource_type == DISTRIBUTION:
        certificate = props.get("viewerCertificate") or {}
        if certificate.get("minimumProtocolVersion") not in MODERN_CLOUDFRONT:
            yield f"viewerCertificate.{given(certificate, 'minimumProtocolVersion')}"
        for i, origin in enumerate(props.get("origins") or []):
            old = set(at(origin, "customOriginConfig.originSslProtocols") or []) - MODERN_TO_ORIGINS
            if old:
                yield f"origins[{i}].customOriginConfig.originSslProtocols holds {', '.join(sorted(old))}"
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
    "certificate-arn, a port HTTPS in listen-ports, and ssl-redirect "
    "(Groundwork's load balancer has them; stack file: domain)",
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
    "alb-hardening",
    types=[*LOAD_BALANCERS, INGRESS],
    severity="medium",
    why="Malformed headers smuggle requests past the WAF, and what is not logged cannot be investigated.",
    remedy="Set dropInvalidHeaderFields, enableDeletionProtection and accessLogs.enabled to true (stack file: protect, "
    "ingress.access_log_retention_days); for an Ingress set what load-balancer-attributes calls the same",
    checklist=["C39"],
    frameworks=["FSBP ELB.4", "FSBP ELB.5", "FSBP ELB.6", "CKV_AWS_131", "CKV_AWS_150", "CKV_AWS_91"],
    remediates={kind: {"dropInvalidHeaderFields": True} for kind in LOAD_BALANCERS},
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
    """What the pairs of an annotation do not say; None is any value.

    Raises `UnknownValueError`: the name of one bucket in it makes the whole annotation unknown.
    """
    if not ingresses.is_for_a_balancer(props):
        return
    found = ingresses.pairs(str(ingresses.annotations(props).get(f"{ingresses.PREFIX}{key}") or ""))
    for name, value in wanted.items():
        if name not in found or value not in (None, found[name]):
            yield f"{key}: {given(found, name)}"


@rule(
    RULES,
    "alb-serves-https",
    types=[*LOAD_BALANCERS, *LISTENER_RULES],
    severity="high",
    why="A rule on the plain listener answers before its redirect does; without the other nobody is encrypted.",
    remedy='Give the load balancer a listener with protocol "HTTPS", and the rules to that one '
    "(Groundwork's load balancer has both; stack file: domain)",
    checklist=["C37", "C39"],
    frameworks=["FSBP ELB.1", "FSBP ELB.18", "CKV_AWS_2", "CKV2_AWS_20"],
    whole_stack=True,
)
def alb_serves_https(resource: PolicyResource, stack: Stack) -> Findings:
    """A load balancer serves HTTPS, and the listener for plain HTTP has no rule that serves anything."""
    if resource.resource_type in LISTENER_RULES:
        kinds = {action.get("type") for action in resource.props.get("actions") or []}
        for listener in stack.referred(resource, "listenerArn", LISTENERS):
            if listener.props.get("protocol") == "HTTP" and kinds - {"redirect"}:
                yield f"{', '.join(sorted(map(str, kinds)))} on {listener.name}, which speaks plain HTTP"
        return
    if resource.props.get("loadBalancerType", "application") != "application":
        return
    listeners = stack.referring(LISTENERS, "loadBalancerArn", resource)
    if listeners and not any(listener.props.get("protocol") == "HTTPS" for listener in listeners):
        yield f"none of its listeners speaks HTTPS: {', '.join(listener.name for listener in listeners)}"


@rule(
    RULES,
    "alb-desync-mitigation",
    types=LOAD_BALANCERS,
    severity="medium",
    why="In this mode the balancer passes on requests that two servers read differently, one request inside another.",
    remedy='Set desyncMitigationMode to "defensive" or "strictest", or leave it out (Groundwork\'s is defensive)',
    checklist=["C39"],
    frameworks=["FSBP ELB.12", "CKV_AWS_328"],
    must_know=True,
    remediates={kind: {"desyncMitigationMode": "defensive"} for kind in LOAD_BALANCERS},
)
def alb_desync_mitigation(props: Props) -> Findings:
    """A balancer refuses requests that are meant to be misread."""
    if props.get("desyncMitigationMode", "defensive") not in {"defensive", "strictest"}:
        yield given(props, "desyncMitigationMode")


@rule(
    RULES,
    "balancer-spans-zones",
    types=LOAD_BALANCERS,
    severity="medium",
    why="With one subnet the product goes down with that subnet's zone.",
    remedy="Give it subnets of two zones at least (stack file: network.zones)",
    checklist=["C75"],
    frameworks=["FSBP ELB.13"],
)
def balancer_spans_zones(props: Props) -> Findings:
    """A load balancer stands in more than one zone."""
    named = [name for name in ("subnets", "subnetMappings") if props.get(name)]
    if named and sum(len(props[name]) for name in named) < 2:
        yield f"{named[0]} holds one subnet"


@rule(
    RULES,
    "classic-balancer-tls",
    types=[CLASSIC_BALANCER],
    severity="high",
    why="What a load balancer takes without TLS can be read and changed on its way, and this kind cannot redirect.",
    remedy='Declare an application load balancer instead; else set lbProtocol of every listener to "https" or "ssl", '
    "and accessLogs (Groundwork declares no classic load balancer)",
    checklist=["C37", "C39"],
    frameworks=["FSBP ELB.3", "FSBP ELB.5", "CKV_AWS_92", "CKV_AWS_376"],
)
def classic_balancer_tls(props: Props) -> Findings:
    """A classic load balancer takes TLS only, and keeps access logs."""
    for i, listener in enumerate(props.get("listeners") or []):
        if str(listener.get("lbProtocol")).lower() not in {"https", "ssl"}:
            yield f"listeners[{i}].{given(listener, 'lbProtocol')}"
    logs = props.get("accessLogs") or {}
    if not logs or logs.get("enabled") is False:
        yield f"accessLogs.{given(logs, 'enabled')}"


@rule(
    RULES,
    "certificate-renews-itself",
    types=[CERTIFICATE],
    severity="medium",
    why="A certificate that somebody has to renew runs out on a holiday, and the product with it.",
    remedy='Set validationMethod to "DNS" and leave the records in place (Groundwork\'s certificates do both), and '
    "keyAlgorithm to a key of 2048 bits at least",
    checklist=["C37", "C80"],
    frameworks=["FSBP ACM.1", "FSBP ACM.2", "CKV_AWS_234"],
)
def certificate_renews_itself(props: Props) -> Findings:
    """Certificates are renewed without anybody, are logged in public, and have keys that hold."""
    if is_set(props, "certificateBody"):
        yield "certificateBody is set: an imported certificate is not renewed"
    elif not is_set(props, "certificateAuthorityArn") and props.get("validationMethod") != "DNS":
        yield given(props, "validationMethod")
    if props.get("keyAlgorithm") == "RSA_1024":
        yield given(props, "keyAlgorithm")
    if at(props, "options.certificateTransparencyLoggingPreference") == "DISABLED":
        yield 'options.certificateTransparencyLoggingPreference is "DISABLED"'


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


# Headers


# What browsers are to be told in any case, and whether a value says it.
TOLD = {
    "strict-transport-security": lambda value, least: _max_age(value) >= least,
    "x-content-type-options": lambda value, _: value.lower() == "nosniff",
    "x-frame-options": lambda value, _: value.upper() in {"DENY", "SAMEORIGIN"},
}
# Those that a listener can set; the rest comes from CloudFront or from the application.
OF_LISTENERS = {*TOLD, "content-security-policy"}


@rule(
    RULES,
    "security-headers-on-public-entry",
    types=[*LISTENERS, DISTRIBUTION, RESPONSE_HEADERS, INGRESS],
    severity="medium",
    why="Browsers only insist on HTTPS, refuse frames and trust content types when they are told to.",
    remedy="Set the listener's routingHttpResponse...HeaderValue arguments (system file: ingress.response_headers); "
    "on CloudFront give every behavior a responseHeadersPolicyId, of a policy with a securityHeadersConfig; "
    "on an Ingress set listener-attributes",
    checklist=["C40"],
    frameworks=["CKV_AWS_259", "CKV2_AWS_32"],
)
def security_headers_on_public_entry(
    props: Props,
    resource_type: str,
    *,
    declared: Sequence[str] = (),
    minimum_max_age_s: Count = 31_536_000,
) -> Findings:
    """HTTPS answers carry the security headers, with values that say something.

    `declared` lists headers with the value that each must have, "X-Frame-Options: DENY".
    """
    if resource_type == DISTRIBUTION:
        for where, behavior in behaviors(props):
            if not is_set(behavior, "responseHeadersPolicyId"):
                yield f"{where}.responseHeadersPolicyId is not set"
        return
    asked = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in declared)
    }
    for where, header, value in _answers(props, resource_type, [*TOLD, *asked]):
        if not value:
            yield f"{where} is not set"
        elif header in asked:
            if value != asked[header]:
                yield f"{where} is {shown(value)}, not {shown(asked[header])}"
        elif not TOLD[header](value, minimum_max_age_s):
            yield f"{where} is {shown(value)}"


def _max_age(value: str) -> int:
    found = re.search(r"max-age=\"?(\d+)", value, re.IGNORECASE)
    return int(found[1]) if found else 0


def _answers(
    props: Props, resource_type: str, headers: Sequence[str]
) -> Iterator[tuple[str, str, str | None]]:
    """Where each header is set, its name, and its value; nothing for what does not answer over HTTPS."""
    headers = list(dict.fromkeys(headers))
    if resource_type == RESPONSE_HEADERS:
        yield from _of_policy(props, headers)
    elif resource_type == INGRESS:
        for protocol, port in sorted(ingresses.ports(props)):
            if protocol == "HTTPS":
                yield from _of_ingress(props, f"listener-attributes.HTTPS-{port}", headers)
    elif props.get("protocol") == "HTTPS":
        for header in headers:
            name = f"routingHttpResponse{header.title().replace('-', '')}HeaderValue"
            if header in OF_LISTENERS:
                yield name, header, props.get(name)


def _of_ingress(props: Props, key: str, headers: Sequence[str]) -> Iterator[tuple[str, str, str | None]]:
    if not ingresses.is_for_a_balancer(props) or ingresses.is_said_later(props, key):
        return
    found = ingresses.pairs(ingresses.said(props, key) or "")
    for header in headers:
        name = f"routing.http.response.{header.replace('-', '_')}.header_value"
        if header in OF_LISTENERS:
            yield f"{key}: {name}", header, found.get(name)


def _of_policy(props: Props, headers: Sequence[str]) -> Iterator[tuple[str, str, str | None]]:
    config = props.get("securityHeadersConfig") or {}
    own = {
        str(item.get("header")).lower(): str(item.get("value"))
        for item in at(props, "customHeadersConfig.items") or []
    }
    for header in headers:
        if header in CLOUDFRONT_HEADERS:
            name, said = CLOUDFRONT_HEADERS[header]
            part = config.get(name)
            yield f"securityHeadersConfig.{name}", header, said(part) if part else own.get(header)
        else:
            yield f"customHeadersConfig: {header}", header, own.get(header)


def _transport_security(part: Props) -> str:
    more = "; includeSubDomains" * bool(part.get("includeSubdomains")) + "; preload" * bool(
        part.get("preload")
    )
    return f"max-age={shown(part.get('accessControlMaxAgeSec') or 0)}{more}"


def _xss_protection(part: Props) -> str:
    if not part.get("protection"):
        return "0"
    return "1; mode=block" if part.get("modeBlock") else "1"


# By header: where a policy of CloudFront sets it, and the value that comes of it.
CLOUDFRONT_HEADERS = {
    "strict-transport-security": ("strictTransportSecurity", _transport_security),
    "x-content-type-options": ("contentTypeOptions", lambda _: "nosniff"),
    "x-frame-options": ("frameOptions", lambda part: str(part.get("frameOption"))),
    "referrer-policy": ("referrerPolicy", lambda part: str(part.get("referrerPolicy"))),
    "content-security-policy": ("contentSecurityPolicy", lambda part: str(part.get("contentSecurityPolicy"))),
    "x-xss-protection": ("xssProtection", _xss_protection),
}


def origins(props: Props, resource_type: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """Each place that says which origins a browser may call from."""
    if resource_type in WITH_VARIABLES:
        for environment in environments(props, resource_type, name):
            for variable, value in environment.plain.items():
                if (
                    value is not None
                    and CORS_VARIABLE.search(variable.upper())
                    and "ORIGIN" in variable.upper()
                ):
                    yield f"{environment.where}: {variable}", [origin.strip() for origin in value.split(",")]
    elif resource_type in LISTENERS:
        header = "routingHttpResponseAccessControlAllowOriginHeaderValue"
        if props.get(header):
            yield header, [props[header]]
    elif resource_type == RESPONSE_HEADERS:
        allowed = at(props, "corsConfig.accessControlAllowOrigins.items")
        yield "corsConfig.accessControlAllowOrigins", list(allowed or [])
    elif resource_type in BUCKET_CORS:
        for i, cors in enumerate(props.get("corsRules") or []):
            yield f"corsRules[{i}].allowedOrigins", list(cors.get("allowedOrigins") or [])
    else:
        holder = "cors" if resource_type == FUNCTION_URL else "corsConfiguration"
        yield f"{holder}.allowOrigins", list(at(props, f"{holder}.allowOrigins") or [])


@rule(
    RULES,
    "cors-restricted",
    types=[*WITH_VARIABLES, *LISTENERS, RESPONSE_HEADERS, *BUCKET_CORS, FUNCTION_URL, HTTP_API],
    severity="high",
    why="With `*` any site that a user visits may call the API from the user's browser.",
    remedy="List the product's own origins, each beginning with https:// (stack file: ingress.cors.allow_origins)",
    checklist=["C42"],
)
def cors_restricted(
    props: Props, resource_type: str, name: str, *, allow_localhost: bool = False
) -> Findings:
    """Browsers may call the API from the product's own sites only."""
    schemes = ("https://", "http://localhost:") if allow_localhost else ("https://",)
    for where, listed in origins(props, resource_type, name):
        wrong = [origin for origin in listed if not origin.startswith(schemes) or "*" in origin]
        if wrong:
            yield f"{where} lets in {', '.join(origin or 'an empty origin' for origin in wrong)}"
