"""F1 to F23: what stands before the first release: infrastructure, security, other services, code, variables."""

from tests.recorder import Recording
from tests.requirements.fixrx.support import (
    API,
    HOST,
    OPS,
    balancer,
    distribution,
    from_outside,
    headers_of_cdn,
    https,
    secret_text,
    service,
    target_group,
    web_rules,
)
from tests.requirements.production import (
    BUCKET,
    INSTANCE,
    RECORD,
    REPOSITORY,
    cache,
    container,
    database,
    environment,
    openings,
    output,
    referred,
    role_password_of,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Pre-deployment checklist")
FILL = "until then it is in the output `secretsToFill`, and `secrets check` says that it is empty"
PASSWORD = "random:index/randomPassword:RandomPassword"


@CHAPTER.row(
    "F1",
    "L12",
    "PostgreSQL 14.9 or newer",
    "declared",
    note="14, whose newest minor version RDS brings by itself; 14.20 when it is made",
    components=["database"],
    settings=["database.minimum_version", "database.engine_version"],
    policies=["rds-engine-version-min", "auto-minor-upgrades"],
)
def postgresql(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["engine"], primary["engineVersion"]) == ("postgres", "14")
    assert (primary["autoMinorVersionUpgrade"], primary["allowMajorVersionUpgrade"]) == (True, False)
    assert stack.one("aws:rds/parameterGroup:ParameterGroup")["family"] == "postgres14"


@CHAPTER.row(
    "F2",
    "L13",
    "Redis, the newest stable one",
    "declared",
    note="7.1 is the last Redis that ElastiCache has; what came later is Valkey, another engine",
    components=["cache"],
    settings=["caches.cache.engine", "caches.cache.engine_version"],
    policies=["cache-engine-version-min", "auto-minor-upgrades"],
)
def redis(stack: Recording) -> None:
    group = cache(stack)
    assert (group["engine"], group["engineVersion"]) == ("redis", "7.1")
    assert group["autoMinorVersionUpgrade"] is True


@CHAPTER.row(
    "F3",
    "L14",
    "Node.js 18 or newer",
    "application",
    note="its image brings Node; the task starts it, and the command asks for its version",
    missing="anything that holds an image to it",
    commands=["exec fixrx-api -- node -v"],
    components=["task"],
    settings=["services.fixrx-api.command"],
)
def node(stack: Recording) -> None:
    found = container(stack, API)
    assert found["command"][0] == "node"
    assert found["image"].startswith(output(stack, "repositories", API))


@CHAPTER.row(
    "F4",
    "L15, L75-77",
    "A load balancer in front of three application servers",
    "declared",
    note="an application load balancer in three zones, in Nginx's place",
    components=["load_balancer", "service"],
    policies=["alb-hardening", "public-entry-has-alb"],
)
def load_balancer(stack: Recording) -> None:
    found = balancer(stack)
    assert (found["loadBalancerType"], found["internal"]) == ("application", False)
    assert referred(stack, found, "subnets") == [f"network-public-{zone}" for zone in "abc"]
    (behind,) = service(stack)["loadBalancers"]
    assert referred(stack, service(stack), "loadBalancers") == [target_group(stack).name]
    assert (behind["containerName"], behind["containerPort"]) == (API, 3000)
    assert service(stack)["desiredCount"] == 3


@CHAPTER.row(
    "F5",
    "L16",
    "Certificates are set up",
    "declared",
    note="ACM's, one for the API and one for the CDN, proved by DNS",
    commands=["verify tls"],
    components=["certificate"],
    policies=["certificate-covers-hosts"],
)
def certificates(stack: Recording) -> None:
    found = stack.all("aws:acm/certificate:Certificate")
    assert [(each["domainName"], each["validationMethod"]) for each in found] == [
        ("cdn.fixrx.com", "DNS"),
        (HOST, "DNS"),
    ]
    assert referred(stack, https(stack), "certificateArn") == ["certificate-validation"]


@CHAPTER.row(
    "F6",
    "L17",
    "DNS is set up",
    "declared",
    note="the domain is registered and its zone made by hand, once; the first command looks at both before "
    "anything is made, the second whether the names lead to the load balancer",
    commands=["doctor", "verify dns"],
    components=["load_balancer", "cdn"],
    settings=["domain.name", "domain.hosted_zone_id"],
    policies=["dns-record-for-public-host"],
)
def dns(stack: Recording) -> None:
    for name, target in (
        (f"ingress-{HOST}", output(stack, "loadBalancer", "dnsName")),
        ("cdn-cdn.fixrx.com", output(stack, "cdn", "domainName")),
    ):
        record = stack.one(RECORD, name)
        assert (record["type"], record["zoneId"]) == ("A", "Z0223456789ABCDEFGHIJ")
        assert record["aliases"][0]["name"] == target


@CHAPTER.row(
    "F7",
    "L18",
    "A CDN for static files",
    "declared",
    note="CloudFront in front of a private bucket, at cdn.fixrx.com; the API learns the address as `CDN_URL`",
    missing="the upload of the files, which is the pipeline's: `aws s3 sync` to the output `buckets.static`",
    components=["cdn", "bucket"],
    settings=["cdn.host", "cdn.bucket", "buckets.static"],
    policies=["cdn-https-only", "cdn-private-origin", "s3-block-public", "cdn-present-when-declared"],
)
def cdn(stack: Recording) -> None:
    found = distribution(stack)
    assert (found["aliases"], found["enabled"]) == (["cdn.fixrx.com"], True)
    (origin,) = found["origins"]
    static = stack.one(BUCKET, "bucket-static")
    assert referred(stack, found, "origins") == [static.name, "cdn"]
    assert "originAccessControlId" in origin
    assert found["defaultCacheBehavior"]["viewerProtocolPolicy"] == "redirect-to-https"
    assert environment(stack, API)["CDN_URL"] == output(stack, "cdn", "url") == "https://cdn.fixrx.com"
    assert output(stack, "buckets", "static")


@CHAPTER.row(
    "F8",
    "L21",
    "Firewall rules",
    "policy",
    note="security groups: each edge of the picture is one rule, from group to group",
    commands=["network audit"],
    components=["firewall"],
    settings=["services.fixrx-api.connects_to"],
    policies=["sg-no-open-ingress", "sg-no-open-data-ports", "no-debug-ports", "sg-least-edges"],
)
def firewall(stack: Recording) -> None:
    entries = {opening for opening in openings(stack) if opening[0] == "internet"}
    assert entries == {("internet", "load-balancer", 80), ("internet", "load-balancer", 443)}
    assert {(source, port) for source, target, port in openings(stack) if target == API} == {
        ("load-balancer", 3000),
        ("collector", 3000),
    }


@CHAPTER.row(
    "F9",
    "L22",
    "A VPN for administrators",
    "declared",
    note="AWS Client VPN: clients show a certificate, connections are logged, database and cache are all that it "
    "reaches; whoever brings the certificates imports them into ACM first",
    components=["admin_access"],
    settings=["admin_access.client_vpn"],
    policies=["vpn-logged-and-authenticated", "vpn-narrow", "admin-access-via-vpn"],
)
def vpn(stack: Recording) -> None:
    endpoint = stack.one("aws:ec2clientvpn/endpoint:Endpoint")
    assert [each["type"] for each in endpoint["authenticationOptions"]] == ["certificate-authentication"]
    assert (endpoint["clientCidrBlock"], endpoint["splitTunnel"]) == ("10.250.0.0/22", True)
    assert endpoint["connectionLogOptions"]["enabled"] is True
    assert {(target, port) for source, target, port in openings(stack) if source == "vpn"} == {
        ("database", 5432),
        ("cache-cache", 6379),
    }


@CHAPTER.row(
    "F10",
    "L23",
    "SSH with keys only",
    "policy",
    note="there is no host to log in to: whoever IAM lets may open a shell in a task with ECS Exec, and it is logged",
    components=["cluster", "service"],
    policies=["no-ssh-open-world", "no-ssh-inside"],
)
def no_ssh(stack: Recording) -> None:
    assert 22 not in {port for _, _, port in openings(stack)}
    assert not stack.all("aws:ec2/instance:Instance")
    assert service(stack)["enableExecuteCommand"] is True
    execute = stack.one("aws:ecs/cluster:Cluster")["configuration"]["executeCommandConfiguration"]
    assert execute["logConfiguration"]["cloudWatchLogGroupName"] == "/fixrx/prod/exec"


@CHAPTER.row(
    "F11",
    "L24",
    "Few may reach the database",
    "policy",
    note="the API, its proxy, operations and the VPN, from inside; the API as `fixrx_app`, not as the master user",
    components=["database", "firewall"],
    settings=["database.roles.fixrx_app"],
    policies=["rds-not-public", "db-in-private-subnets", "sg-no-open-data-ports", "rds-force-ssl"],
)
def restricted(stack: Recording) -> None:
    assert [each["publiclyAccessible"] for each in stack.all(INSTANCE)] == [False, False]
    reaching = {source for source, target, _ in openings(stack) if target == "database"}
    assert reaching == {API, "database-proxy", "operations", "vpn"}
    subnets = referred(stack, stack.one("aws:rds/subnetGroup:SubnetGroup"), "subnetIds")
    assert subnets == [f"network-isolated-{zone}" for zone in "abc"]
    for name in ("database-url", "replica-database-url"):
        assert secret_text(stack, name).startswith("postgresql://fixrx_app:")


@CHAPTER.row(
    "F12",
    "L25",
    "A rate limit for the API",
    "policy",
    note="the web firewall's first rule; F49 has its figures",
    components=["web_acl"],
    settings=["ingress.waf.rate_limit"],
    policies=["waf-rate-limit-on-public-entry"],
)
def rate_limit(stack: Recording) -> None:
    assert "rateBasedStatement" in web_rules(stack)[0]["statement"]
    association = stack.one("aws:wafv2/webAclAssociation:WebAclAssociation")
    assert referred(stack, association, "webAclArn") == ["waf"]
    assert referred(stack, association, "resourceArn") == ["ingress"]


@CHAPTER.row(
    "F13",
    "L26",
    "Security headers",
    "policy",
    note="the balancer adds three to each answer, the CDN a fourth; F45 to F48 have their values",
    commands=["verify headers"],
    components=["load_balancer", "cdn"],
    settings=["ingress.response_headers"],
    policies=["security-headers-on-public-entry"],
)
def security_headers(stack: Recording) -> None:
    for header in ("StrictTransportSecurity", "XContentTypeOptions", "XFrameOptions"):
        assert https(stack)[f"routingHttpResponse{header}HeaderValue"]
    assert {"frameOptions", "contentTypeOptions", "xssProtection"} <= set(headers_of_cdn(stack))


@CHAPTER.row(
    "F14",
    "L29, L63-64",
    "SMS through Twilio: `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN`",
    "operator",
    note=FILL,
    missing="the number that messages come from, which the guide does not name",
    commands=["secrets put twilio-account-sid", "secrets put twilio-auth-token"],
    components=["secret"],
    settings=["secrets.twilio-account-sid", "secrets.twilio-auth-token"],
    policies=["no-plaintext-secrets-in-env", "required-env-present"],
)
def twilio(stack: Recording) -> None:
    assert from_outside(stack, "TWILIO_ACCOUNT_SID", "twilio-account-sid")
    assert from_outside(stack, "TWILIO_AUTH_TOKEN", "twilio-auth-token")
    kind = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    assert stack.one(kind, f"firewall-{API}-to-internet-443-egress")["cidrIpv4"] == "0.0.0.0/0"


@CHAPTER.row(
    "F15",
    "L30, L65",
    "E-mail through SendGrid: `SENDGRID_API_KEY`",
    "operator",
    note=FILL,
    commands=["secrets put sendgrid-api-key"],
    components=["secret"],
    settings=["secrets.sendgrid-api-key"],
    policies=["no-plaintext-secrets-in-env", "required-env-present"],
)
def sendgrid(stack: Recording) -> None:
    assert from_outside(stack, "SENDGRID_API_KEY", "sendgrid-api-key")


@CHAPTER.row(
    "F16",
    "L31, L66",
    "Push messages through Firebase: `FIREBASE_PROJECT_ID`",
    "operator",
    note="the id is plain; the key that Firebase wants beside it, which the guide leaves out, is a secret to fill",
    commands=["secrets put firebase-service-account"],
    components=["secret"],
    settings=["services.fixrx-api.environment.FIREBASE_PROJECT_ID", "secrets.firebase-service-account"],
    policies=["required-env-present"],
)
def firebase(stack: Recording) -> None:
    assert environment(stack, API)["FIREBASE_PROJECT_ID"] == "fixrx-production"
    assert from_outside(stack, "FIREBASE_SERVICE_ACCOUNT", "firebase-service-account")


@CHAPTER.row(
    "F17",
    "L32",
    "OAuth providers",
    "operator",
    note="one secret of JSON, as the guide names no provider; redirect addresses begin with https://api.fixrx.com",
    commands=["secrets put oauth-clients"],
    components=["secret"],
    settings=["secrets.oauth-clients"],
    policies=["required-env-present"],
)
def oauth(stack: Recording) -> None:
    assert from_outside(stack, "OAUTH_CLIENTS", "oauth-clients")
    assert output(stack, "urls", "api") == "https://api.fixrx.com"


@CHAPTER.row(
    "F18",
    "L33",
    "Monitoring",
    "declared",
    note="alarms, a dashboard, Prometheus and Grafana, and a mail address that is told",
    commands=["alerts status"],
    components=["alarms", "dashboard", "prometheus", "grafana", "notifications"],
    settings=["observability"],
    policies=["required-alarms-present"],
)
def monitoring(stack: Recording) -> None:
    told = {each["endpoint"] for each in stack.all("aws:sns/topicSubscription:TopicSubscription")}
    assert OPS in told
    assert stack.one("aws:amp/workspace:Workspace")["alias"] == "fixrx-prod"
    assert stack.one("aws:grafana/workspace:Workspace")["grafanaVersion"] == "10.4"
    assert stack.one("aws:cloudwatch/dashboard:Dashboard")["dashboardName"] == "fixrx-prod"


@CHAPTER.row(
    "F19",
    "L37-53",
    "Before a release, in this order: lint, types, `npm audit`, tests, build",
    "application",
    note="in its own pipeline; the registry scans what comes out, and takes each tag once",
    missing="a release does not ask whether they passed, but for the scan: `groundwork deploy` refuses an image "
    "with a grave finding",
    components=["registry"],
    policies=["ecr-scan-on-push", "ecr-immutable-tags"],
)
def quality_gates(stack: Recording) -> None:
    found = stack.one(REPOSITORY, f"registry-{API}")
    assert (found["imageScanningConfiguration"], found["imageTagMutability"]) == (
        {"scanOnPush": True},
        "IMMUTABLE",
    )


@CHAPTER.row(
    "F20",
    "L58-59",
    "`NODE_ENV=production` and `PORT=3000`",
    "declared",
    components=["task"],
    settings=["services.fixrx-api.environment.NODE_ENV", "services.fixrx-api.environment.PORT"],
)
def open_variables(stack: Recording) -> None:
    variables = environment(stack, API)
    assert (variables["NODE_ENV"], variables["PORT"]) == ("production", "3000")
    assert [each["containerPort"] for each in container(stack, API)["portMappings"]] == [3000]


@CHAPTER.row(
    "F21",
    "L60",
    "`DATABASE_URL` leads to `fixrx_production` on port 5432",
    "declared",
    note="written by the stack, with TLS and the password of `fixrx_app`, and read from Secrets Manager as a task "
    "starts; `groundwork db bootstrap` makes the role",
    components=["secret", "database_proxy"],
    settings=["secrets.database-url", "database.name", "database.roles.fixrx_app"],
    policies=["no-plaintext-secrets-in-env", "rds-force-ssl"],
)
def database_url(stack: Recording) -> None:
    url = secret_text(stack, "database-url")
    proxy = output(stack, "database", "proxyAddress")
    assert url.startswith("postgresql://fixrx_app:<fixrx_app>@")
    assert url.endswith(f"@{proxy}:5432/fixrx_production?sslmode=require")
    role_password_of(stack, "fixrx_app")
    assert secrets(stack, API)["DATABASE_URL"] == output(stack, "secrets", "database-url")


@CHAPTER.row(
    "F22",
    "L61",
    "`REDIS_URL` leads to Redis on port 6379",
    "declared",
    note="with TLS and a token, which the guide's `redis://` has not: the scheme is `rediss`",
    components=["secret", "cache"],
    settings=["secrets.redis-url"],
    policies=["cache-auth-required", "cache-transit-encryption"],
)
def redis_url(stack: Recording) -> None:
    url = secret_text(stack, "redis-url")
    assert url.startswith("rediss://:")
    assert url.endswith(f"@{output(stack, 'caches', 'cache', 'endpoint')}:6379")
    assert cache(stack)["transitEncryptionMode"] == "required"
    assert secrets(stack, API)["REDIS_URL"] == output(stack, "secrets", "redis-url")


@CHAPTER.row(
    "F23",
    "L62",
    "`JWT_SECRET` is strong",
    "declared",
    note="64 random characters; the guide names no length",
    components=["secret"],
    settings=["secrets.jwt-secret.generate"],
    policies=["jwt-secret-strength", "secret-min-strength"],
)
def jwt_secret(stack: Recording) -> None:
    assert stack.one(PASSWORD, "secret-jwt-secret")["length"] == 64
    assert secrets(stack, API)["JWT_SECRET"] == output(stack, "secrets", "jwt-secret")
