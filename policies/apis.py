"""API Gateway, for programs that have one beside or instead of a load balancer."""

from rules import Findings, Props, Rule, at, given, given_at, rule

METHOD = "aws:apigateway/method:Method"
STAGE = "aws:apigateway/stage:Stage"
DOMAIN = "aws:apigateway/domainName:DomainName"
HTTP_ROUTE = "aws:apigatewayv2/route:Route"
HTTP_STAGE = "aws:apigatewayv2/stage:Stage"
HTTP_DOMAIN = "aws:apigatewayv2/domainName:DomainName"

RULES: list[Rule] = []


@rule(
    RULES,
    "api-calls-authorized",
    types=[METHOD, HTTP_ROUTE],
    severity="high",
    why="Whoever finds the address of such a call makes it, as often as they like.",
    remedy="Set authorization (authorizationType of a Route) to the authorizer's kind, or AWS_IAM; "
    "what has to be open is an exemption with a reason "
    "(Groundwork declares no API Gateway)",
    checklist=["C30"],
    frameworks=["FSBP APIGateway.8", "CKV_AWS_59", "CKV_AWS_309", "CKV2_AWS_70"],
)
def api_calls_authorized(props: Props, resource_type: str) -> Findings:
    """An API asks who is calling; only a browser's question whether it may call goes without."""
    name, call = (
        ("authorization", "httpMethod") if resource_type == METHOD else ("authorizationType", "routeKey")
    )
    is_question = str(props.get(call)).partition(" ")[0] == "OPTIONS"
    if props.get(name) in {None, "NONE"} and not is_question and not props.get("apiKeyRequired"):
        yield given(props, name)


@rule(
    RULES,
    "api-logged",
    types=[STAGE, HTTP_STAGE],
    severity="medium",
    why="Without access logs nobody knows who called what when something was stolen.",
    remedy="Set accessLogSettings.destinationArn to a log group (Groundwork declares no API Gateway)",
    checklist=["C60"],
    frameworks=["FSBP APIGateway.9", "CKV_AWS_76"],
)
def api_logged(props: Props) -> Findings:
    """An API keeps access logs."""
    if not (props.get("accessLogSettings") or {}):
        yield given(props, "accessLogSettings")


@rule(
    RULES,
    "api-throttled",
    types=[HTTP_STAGE],
    severity="medium",
    why="No web firewall can stand before an HTTP API, and one caller can use up what the whole account may call.",
    remedy="Set defaultRouteSettings.throttlingRateLimit and throttlingBurstLimit (Groundwork declares no API Gateway)",
    checklist=["C41"],
)
def api_throttled(props: Props) -> Findings:
    """An HTTP API limits how often it is called."""
    for name in ("throttlingRateLimit", "throttlingBurstLimit"):
        if not at(props, f"defaultRouteSettings.{name}"):
            yield given_at(props, f"defaultRouteSettings.{name}")


@rule(
    RULES,
    "api-tls-min-1-2",
    types=[DOMAIN, HTTP_DOMAIN],
    severity="high",
    why="TLS 1.0 and 1.1 have known attacks, and API Gateway still speaks 1.0 where it is not told otherwise.",
    remedy='Set securityPolicy to "TLS_1_2" (Groundwork declares no API Gateway)',
    checklist=["C38"],
    frameworks=["CKV_AWS_206"],
    must_know=True,
    remediates={DOMAIN: {"securityPolicy": "TLS_1_2"}},
)
def api_tls_min_1_2(props: Props, resource_type: str) -> Findings:
    """An API speaks TLS 1.2 or newer."""
    path = "securityPolicy" if resource_type == DOMAIN else "domainNameConfiguration.securityPolicy"
    if at(props, path) in {None, "TLS_1_0"}:
        yield given_at(props, path)
