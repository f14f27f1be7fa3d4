"""F37 to F53: what PM2 and Nginx were told, and who does it now."""

from tests.recorder import Recording
from tests.requirements.fixrx.support import (
    API,
    HEALTH,
    HOST,
    LISTENER_RULE,
    balancer,
    headers_of_cdn,
    https,
    service,
    target_group,
    warning,
    web_rules,
)
from tests.requirements.production import (
    LISTENER,
    LOG_GROUP,
    RECORD,
    REPOSITORY,
    TARGET,
    TASK,
    condition,
    container,
    environment,
    metric,
    output,
    referred,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Process and proxy configuration")
HSTS = "max-age=31536000; includeSubDomains"


@CHAPTER.row(
    "F37",
    "L142-150",
    "An application `fixrx-api` of `dist/server.js`, as many processes as there are processors",
    "declared",
    note="one process in each task of one vCPU, and three to ten tasks",
    components=["service", "task", "autoscaling"],
    settings=["services.fixrx-api.command", "services.fixrx-api.cpu", "services.fixrx-api.max_count"],
)
def processes(stack: Recording) -> None:
    task = stack.one(TASK, API)
    assert task["cpu"] == "1024"
    assert (container(stack, API)["name"], container(stack, API)["command"][-1]) == (API, "dist/server.js")
    target = stack.one(TARGET, API)
    assert (target["minCapacity"], target["maxCapacity"]) == (3, 10)


@CHAPTER.row(
    "F38",
    "L151-154",
    "Errors, output and both together in files, with the time",
    "declared",
    note="both streams go to one log group, and CloudWatch stamps each line",
    missing="three files: what the application writes to its own disk is gone with the task",
    components=["task"],
    policies=["container-logging"],
)
def logs(stack: Recording) -> None:
    configuration = container(stack, API)["logConfiguration"]
    assert configuration["logDriver"] == "awslogs"
    group = stack.one(LOG_GROUP, f"{API}-logs")["name"]
    assert configuration["options"]["awslogs-group"] == group == output(stack, "services", API, "logGroup")


@CHAPTER.row(
    "F39",
    "L155-156",
    "A heap of 1024 MB at most; started again above 1 GB",
    "declared",
    note="the task has 2048 MiB, so that the heap fits: one that needs more is ended and replaced, and 90 percent is "
    "an alarm",
    missing="a restart at 1 GB",
    components=["task", "service"],
    settings=["services.fixrx-api.memory_mib", "services.fixrx-api.command"],
)
def memory(stack: Recording) -> None:
    assert "--max-old-space-size=1024" in container(stack, API)["command"]
    assert stack.one(TASK, API)["memory"] == "2048"
    high = warning(stack, f"{API}-memory")
    assert (metric(high), condition(high)) == (
        ("MemoryUtilization", "Average", 300),
        ("GreaterThanThreshold", 90, 3),
    )


@CHAPTER.row(
    "F40",
    "L159-168",
    "What is on `main` goes to the servers, without a pause",
    "operator",
    note="the product's pipeline pushes an image, a pull request brings its tag into the stack file, and when "
    "that is merged this repository's pipeline plans, waits for an approval, and applies exactly that "
    "(docs/pipeline.md): new tasks come before old ones go, and ECS goes back by itself if they fail",
    missing="the tag gets into the stack file by somebody's pull request, not by each push; the pipeline has "
    "never run on GitHub",
    commands=["deploy fixrx-api --tag 1.1.0 --edit-only"],
    components=["service"],
    settings=["services.fixrx-api.image_tag"],
    policies=["deployment-rollback-enabled"],
)
def release(stack: Recording) -> None:
    found = service(stack)
    assert (found["deploymentMinimumHealthyPercent"], found["deploymentMaximumPercent"]) == (100, 200)
    assert found["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (found["alarms"]["enable"], found["alarms"]["rollback"]) == (True, True)
    assert stack.one(REPOSITORY, f"registry-{API}")["imageTagMutability"] == "IMMUTABLE"


@CHAPTER.row(
    "F41",
    "L176-177",
    "A request goes to the server with the fewest connections",
    "declared",
    note="with the fewest requests that are under way",
    components=["service"],
)
def least_connections(stack: Recording) -> None:
    assert target_group(stack)["loadBalancingAlgorithmType"] == "least_outstanding_requests"


@CHAPTER.row(
    "F42",
    "L178-180",
    "Three servers on ports 3000 to 3002; three failures in 30 s take one out for 30 s",
    "declared",
    note="one port for all, as each task has an address of its own; three failed checks, 10 s apart, replace a task, "
    "which ends its requests within 30 s",
    missing="failed requests of clients do not count: only checks do",
    components=["service"],
    settings=["services.fixrx-api.health.interval_s", "services.fixrx-api.health.unhealthy_threshold"],
    policies=["target-group-health-check"],
)
def failures(stack: Recording) -> None:
    group = target_group(stack)
    assert (group["targetType"], group["port"], group["deregistrationDelay"]) == ("ip", 3000, 30)
    check = group["healthCheck"]
    assert (check["interval"], check["timeout"], check["unhealthyThreshold"]) == (10, 5, 3)


@CHAPTER.row(
    "F43",
    "L184-186",
    "api.fixrx.com on ports 80 and 443, with HTTP/2",
    "declared",
    note="80 redirects to 443: the guide serves the API there too, and asks browsers never to use it (L195)",
    commands=["verify redirect"],
    components=["load_balancer"],
    settings=["domain.name", "services.fixrx-api.public.host"],
    policies=["alb-https-only"],
)
def listeners(stack: Recording) -> None:
    assert (https(stack)["port"], https(stack)["protocol"]) == (443, "HTTPS")
    assert balancer(stack)["enableHttp2"] is True
    (plain,) = stack.one(LISTENER, "ingress-http")["defaultActions"]
    assert plain["redirect"] == {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
    record = stack.one(RECORD, f"ingress-{HOST}")
    assert (record["name"], record["type"]) == (HOST, "A")
    assert record["aliases"][0]["name"] == output(stack, "loadBalancer", "dnsName")


@CHAPTER.row(
    "F44",
    "L188-189",
    "A certificate and its key",
    "declared",
    note="ACM issues and renews it; nobody holds the key",
    commands=["verify tls"],
    components=["certificate"],
    settings=["ingress.tls_policy"],
    policies=["alb-tls-min-1-2"],
)
def certificate(stack: Recording) -> None:
    found = stack.one("aws:acm/certificate:Certificate", "certificate")
    assert (found["domainName"], found["validationMethod"]) == (HOST, "DNS")
    assert referred(stack, https(stack), "certificateArn") == ["certificate-validation"]
    assert https(stack)["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"


@CHAPTER.row(
    "F45",
    "L192",
    "`X-Frame-Options: DENY`",
    "declared",
    note="on the API's answers and the CDN's",
    components=["load_balancer", "cdn"],
    settings=["ingress.response_headers.x_frame_options"],
    policies=["security-headers-on-public-entry"],
)
def frame_options(stack: Recording) -> None:
    assert https(stack)["routingHttpResponseXFrameOptionsHeaderValue"] == "DENY"
    assert headers_of_cdn(stack)["frameOptions"] == {"frameOption": "DENY", "override": True}


@CHAPTER.row(
    "F46",
    "L193",
    "`X-Content-Type-Options: nosniff`",
    "declared",
    note="on the API's answers and the CDN's",
    components=["load_balancer", "cdn"],
    settings=["ingress.response_headers.x_content_type_options"],
    policies=["security-headers-on-public-entry"],
)
def content_type_options(stack: Recording) -> None:
    assert https(stack)["routingHttpResponseXContentTypeOptionsHeaderValue"] == "nosniff"
    assert headers_of_cdn(stack)["contentTypeOptions"] == {"override": True}


@CHAPTER.row(
    "F47",
    "L194",
    "`X-XSS-Protection: 1; mode=block`",
    "application",
    note="the API sends it itself, as no listener of an ALB can; the CDN adds it to what it serves",
    components=["cdn"],
    policies=["security-headers-on-public-entry"],
)
def xss_protection(stack: Recording) -> None:
    assert headers_of_cdn(stack)["xssProtection"] == {
        "protection": True,
        "modeBlock": True,
        "override": True,
    }


@CHAPTER.row(
    "F48",
    "L195",
    "`Strict-Transport-Security` for a year, with subdomains",
    "declared",
    note="on the API's answers and the CDN's",
    components=["load_balancer", "cdn"],
    settings=["ingress.response_headers.strict_transport_security"],
    policies=["security-headers-on-public-entry"],
)
def strict_transport(stack: Recording) -> None:
    assert https(stack)["routingHttpResponseStrictTransportSecurityHeaderValue"] == HSTS
    given = headers_of_cdn(stack)["strictTransportSecurity"]
    assert (given["accessControlMaxAgeSec"], given["includeSubdomains"], given["preload"]) == (
        31536000,
        True,
        False,
    )


@CHAPTER.row(
    "F49",
    "L197-199",
    "10 requests a second from each address, 20 more at once",
    "declared",
    note="620 in any minute, then 429",
    missing="the second: WAF counts over a minute at least, and has no burst and no zone of memory",
    commands=["verify rate-limit"],
    components=["web_acl"],
    settings=["ingress.waf.rate_limit"],
    policies=["waf-rate-limit-on-public-entry"],
)
def rate_limit(stack: Recording) -> None:
    first = web_rules(stack)[0]
    assert first["statement"]["rateBasedStatement"] == {
        "limit": 60 * 10 + 20,
        "evaluationWindowSec": 60,
        "aggregateKeyType": "IP",
    }
    assert first["action"]["block"]["customResponse"]["responseCode"] == 429


@CHAPTER.row(
    "F50",
    "L201-206, L210",
    "Everything under `/` goes to the servers over HTTP/1.1 with its `Host`, and WebSockets pass",
    "declared",
    note="an ALB passes an upgrade by itself, and caches nothing; a socket that is silent for 60 s is closed, as at "
    "Nginx",
    components=["load_balancer", "service"],
    settings=["services.fixrx-api.public.paths"],
)
def proxied(stack: Recording) -> None:
    rule = stack.one(LISTENER_RULE, f"{API}-forward")
    assert rule["conditions"][1] == {"pathPattern": {"values": ["/*"]}}
    assert [each["type"] for each in rule["actions"]] == ["forward"]
    assert referred(stack, rule, "actions") == [target_group(stack).name]
    assert (target_group(stack)["protocol"], balancer(stack)["preserveHostHeader"]) == ("HTTP", True)
    assert target_group(stack).get("protocolVersion", "HTTP1") == "HTTP1"


@CHAPTER.row(
    "F51",
    "L207-209",
    "`X-Real-IP`, `X-Forwarded-For`, `X-Forwarded-Proto`",
    "declared",
    note="the second and the third",
    missing="`X-Real-IP`, which an ALB does not set: the application takes the last address of `X-Forwarded-For`",
    components=["load_balancer"],
)
def forwarded(stack: Recording) -> None:
    assert balancer(stack)["xffHeaderProcessingMode"] == "append"


@CHAPTER.row(
    "F52",
    "L212-215",
    "60 s to connect, to send and to read",
    "declared",
    note="60 s of silence, either way, end a connection",
    missing="the time to connect, which is always 10 s at an ALB",
    components=["load_balancer"],
    settings=["ingress.idle_timeout_s"],
)
def timeouts(stack: Recording) -> None:
    assert balancer(stack)["idleTimeout"] == 60


@CHAPTER.row(
    "F53",
    "L218-222",
    "`/health` is `/api/v1/system/health`, and not in the access log",
    "declared",
    missing="the exception from the log: an ALB logs all its requests or none",
    commands=["verify readiness"],
    components=["service"],
    settings=["services.fixrx-api.public.rewrites"],
)
def short_health(stack: Recording) -> None:
    rule = stack.one(LISTENER_RULE, f"{API}-rewrite-health")
    assert rule["conditions"] == [
        {"hostHeader": {"values": [HOST]}},
        {"pathPattern": {"values": ["/health"]}},
    ]
    assert rule["transforms"] == [
        {"type": "url-rewrite", "urlRewriteConfig": {"rewrite": {"regex": "^/health", "replace": HEALTH}}}
    ]
    assert referred(stack, rule, "actions") == [target_group(stack).name]
    assert rule["priority"] < stack.one(LISTENER_RULE, f"{API}-forward")["priority"]
    assert environment(stack, API)["PORT"] == "3000"
