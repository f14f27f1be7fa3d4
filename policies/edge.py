"""Where the internet comes in: listeners, certificates, WAF, headers."""

import re
from collections.abc import Iterator, Sequence

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, given, refers, rule
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
    types=[*LISTENERS, DISTRIBUTION],
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
    encrypted = props.get("protocol") in {"HTTPS", "TLS"}
    if encrypted and not MODERN_POLICY.match(str(props.get("sslPolicy") or "")):
        yield given(props, "sslPolicy")


@rule(
    RULES,
    "alb-https-only",
    types=LISTENERS,
    severity="high",
    why="A page that answers without TLS hands its cookies to whoever listens.",
    remedy='Make the default action of the HTTP listener a redirect with protocol "HTTPS"',
    checklist=["C37", "C39"],
    frameworks=["FSBP ELB.1", "CKV_AWS_2", "CKV2_AWS_20"],
)
def alb_https_only(props: Props) -> Findings:
    """Plain HTTP is only answered with a redirect to HTTPS."""
    if props.get("protocol") != "HTTP" and (props.get("protocol") or props.get("port") != 80):
        return
    for action in props.get("defaultActions") or []:
        redirect = action.get("redirect") or {}
        if action.get("type") != "redirect" or redirect.get("protocol") != "HTTPS":
            yield f"the HTTP listener's default action is {action.get('type')}, not a redirect to HTTPS"


@rule(
    RULES,
    "alb-hardening",
    types=LOAD_BALANCERS,
    severity="medium",
    why="Malformed headers smuggle requests past the WAF, and what is not logged cannot be investigated.",
    remedy="Set dropInvalidHeaderFields, enableDeletionProtection and accessLogs.enabled to true",
    checklist=["C39"],
    frameworks=["FSBP ELB.4", "FSBP ELB.5", "FSBP ELB.6", "CKV_AWS_131", "CKV_AWS_150", "CKV_AWS_91"],
)
def alb_hardening(props: Props, *, deletion_protection: bool = True, access_logs: bool = True) -> Findings:
    """A balancer drops malformed headers, keeps access logs and refuses to be deleted."""
    is_application = props.get("loadBalancerType", "application") == "application"
    if is_application and props.get("dropInvalidHeaderFields") is not True:
        yield given(props, "dropInvalidHeaderFields")
    if deletion_protection and props.get("enableDeletionProtection") is not True:
        yield given(props, "enableDeletionProtection")
    logs = props.get("accessLogs") or {}
    if access_logs and logs.get("enabled") is not True:
        yield f"accessLogs.{given(logs, 'enabled')}"


@rule(
    RULES,
    "target-group-health-check",
    types=TARGET_GROUPS,
    severity="medium",
    why='"/" answers also when the database behind it does not.',
    remedy="Set healthCheck.path to the path that says whether the service can work "
    "(system file: services.<name>.health.path)",
    checklist=["C63"],
    frameworks=["CKV_AWS_261"],
)
def target_group_health_check(props: Props) -> Findings:
    """A balancer asks a path that knows about the service's health."""
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
    types=LISTENERS,
    severity="medium",
    why="Browsers only insist on HTTPS, refuse frames and trust content types when they are told to.",
    remedy="Set the listener's routingHttpResponse...HeaderValue arguments",
    checklist=["C40"],
)
def security_headers_on_public_entry(props: Props) -> Findings:
    """HTTPS answers carry the security headers."""
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
    types=[*LOAD_BALANCERS, DISTRIBUTION],
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


def blocks_by_rate(rules: Sequence[Props]) -> bool:
    for found in rules:
        limits = "rateBasedStatement" in set(found.get("statement") or {})
        if limits and "block" in set(found.get("action") or {}):
            return True
    return False
