"""CloudFront: what a distribution shows to browsers, and how it reaches what is behind it."""

from collections.abc import Iterator

from balancers import DISTRIBUTION
from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given, is_set, rule

RESPONSE_HEADERS = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
DELIVERY_SOURCE = "aws:cloudwatch/logDeliverySource:LogDeliverySource"

RULES: list[Rule] = []


def behaviors(props: Props) -> Iterator[tuple[str, Props]]:
    """What a distribution does with each path, and where that is written."""
    yield "defaultCacheBehavior", props.get("defaultCacheBehavior") or {}
    for i, behavior in enumerate(props.get("orderedCacheBehaviors") or []):
        yield f"orderedCacheBehaviors[{i}]", behavior


@rule(
    RULES,
    "cdn-https-only",
    types=[DISTRIBUTION],
    severity="high",
    why="What CloudFront sends or fetches without TLS can be read and changed on its way.",
    remedy='Set viewerProtocolPolicy to "redirect-to-https" or "https-only" in every behavior, and '
    'customOriginConfig.originProtocolPolicy to "https-only", as the CDN of the system file (cdn) has them',
    checklist=["C37"],
    frameworks=["FSBP CloudFront.3", "FSBP CloudFront.9", "CKV_AWS_34", "CKV2_AWS_72"],
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
    remedy="Give the origin an originAccessControlId, and let the bucket's policy name the distribution "
    "(system file: cdn.bucket)",
    checklist=["C37"],
    frameworks=["FSBP CloudFront.13", "CKV2_AWS_46"],
)
def cdn_private_origin(props: Props) -> Findings:
    """A bucket behind a distribution answers to the distribution only."""
    for i, origin in enumerate(props.get("origins") or []):
        is_bucket = not origin.get("customOriginConfig") and not origin.get("vpcOriginConfig")
        if is_bucket and not is_set(origin, "originAccessControlId"):
            yield f"origins[{i}].originAccessControlId is not set"


@rule(
    RULES,
    "cdn-own-certificate",
    types=[DISTRIBUTION],
    severity="medium",
    why="CloudFront's own certificate is for *.cloudfront.net and speaks old TLS; an address of one's own costs extra.",
    remedy='Set viewerCertificate.acmCertificateArn and sslSupportMethod to "sni-only" (system file: cdn.host)',
    checklist=["C37"],
    frameworks=["FSBP CloudFront.7", "FSBP CloudFront.8", "CKV2_AWS_42"],
)
def cdn_own_certificate(props: Props) -> Findings:
    """A distribution has a certificate of the product's own, and tells hosts apart by name."""
    certificate = props.get("viewerCertificate") or {}
    if not is_set(certificate, "acmCertificateArn") and not is_set(certificate, "iamCertificateId"):
        yield "viewerCertificate.acmCertificateArn is not set"
    elif certificate.get("sslSupportMethod") not in {"sni-only"}:
        yield f"viewerCertificate.{given(certificate, 'sslSupportMethod')}"


@rule(
    RULES,
    "cdn-default-root",
    types=[DISTRIBUTION],
    severity="low",
    why="Without it a request for / shows what is in the bucket, to whoever the bucket's policy lets list it.",
    remedy='Set defaultRootObject to "index.html" (Groundwork\'s CDN sets it)',
    checklist=["C77"],
    frameworks=["FSBP CloudFront.1", "CKV_AWS_305"],
    must_know=True,
)
def cdn_default_root(props: Props) -> Findings:
    """A distribution of a bucket says which object is its first page."""
    first = at(props, "defaultCacheBehavior.targetOriginId")
    for origin in props.get("origins") or []:
        is_first = origin.get("originId") == first
        if is_first and not origin.get("customOriginConfig") and not props.get("defaultRootObject"):
            yield given(props, "defaultRootObject")


@rule(
    RULES,
    "cdn-logged",
    types=[DISTRIBUTION],
    severity="medium",
    why="What the CDN answers from its cache nobody else sees: who asked for it, and how often.",
    remedy="Set loggingConfig, or declare a LogDeliverySource of the distribution "
    "(stack file: ingress.access_log_retention_days)",
    checklist=["C60"],
    frameworks=["FSBP CloudFront.5", "CKV_AWS_86"],
    whole_stack=True,
)
def cdn_logged(distribution: PolicyResource, stack: Stack) -> Findings:
    """A distribution keeps access logs."""
    if is_set(distribution.props.get("loggingConfig") or {}, "bucket"):
        return
    if not stack.referring([DELIVERY_SOURCE], "resourceArn", distribution):
        yield "loggingConfig is not set, and no LogDeliverySource names it"
