"""N57 to N68: secrets, database, API, uploads, TLS."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import (
    FILES,
    GATEWAY,
    HOST,
    SERVICES,
    WITH_DATABASE,
    served,
    web_rule,
)
from tests.requirements.production import (
    LISTENER,
    RECORD,
    database,
    database_parameters,
    environment,
    output,
    referred,
    role_password_of,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Security")
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
# What is not clean, and a scan's result of one's own making, are refused to everybody but the scanner.
CLOSED = {
    "ReadOnlyWhatIsClean": ["s3:GetObject", "s3:GetObjectVersion"],
    "OnlyTheScannerTags": ["s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"],
}


@CHAPTER.row(
    "N57",
    "L581",
    "Secrets are in Vault or AWS Secrets Manager",
    "policy",
    note="Secrets Manager, encrypted with a key of the stack's own; tasks may read their own only",
    components=["secret", "keys"],
    settings=["secrets"],
    policies=["no-plaintext-secrets-in-env", "no-default-secrets"],
)
def managed_secrets(stack: Recording) -> None:
    kept = stack.all("aws:secretsmanager/secret:Secret")
    assert {each.name for each in kept} == {
        "broker-events-login",
        "cache-cache-token",
        "database-role-nx-user",
        "secret-jwt-secret",
    }
    assert {tuple(referred(stack, each, "kmsKeyId")) for each in kept} == {("keys-secrets",)}
    assert "JWT_SECRET" not in secrets(stack, FILES)


@CHAPTER.row(
    "N58",
    "L584",
    "Strong passwords for the database",
    "policy",
    note="48 characters for `nx_user`; RDS makes the master's itself",
    components=["database", "secret"],
    policies=["secret-min-strength"],
)
def strong_passwords(stack: Recording) -> None:
    role_password_of(stack, "nx_user")
    assert database(stack)["manageMasterUserPassword"] is True


@CHAPTER.row(
    "N59",
    "L585",
    "TLS to the database",
    "policy",
    note="the database refuses anything else, and `DATABASE_SSL` tells the services",
    components=["database"],
    settings=["services.api-gateway.environment.DATABASE_SSL"],
    policies=["rds-force-ssl"],
)
def tls_to_the_database(stack: Recording) -> None:
    assert database_parameters(stack)["rds.force_ssl"][0] == "1"
    assert {environment(stack, service)["DATABASE_SSL"] for service in WITH_DATABASE} == {"true"}


@CHAPTER.row(
    "N60",
    "L586",
    "Regular backups of the database",
    "policy",
    note="every day by RDS, by AWS Backup with a copy in a second region, and as a dump, N69",
    components=["database", "backups"],
    settings=["database.backup_retention_days", "backups"],
    policies=[
        "rds-backup-retention",
        "backup-plan-present",
        "backup-copied-elsewhere",
        "logical-backup-scheduled",
        "restore-test-scheduled",
    ],
)
def backups(stack: Recording) -> None:
    assert database(stack)["backupRetentionPeriod"] == 30
    assert referred(stack, stack.one("aws:backup/selection:Selection"), "resources") == ["database"]
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    assert len(daily["copyActions"]) == 1


@CHAPTER.row(
    "N61",
    "L589",
    "The API limits rates",
    "policy",
    note="600 requests a minute for each address, then 429; the guide has no figure",
    components=["web_acl"],
    settings=["ingress.waf.rate_limit"],
    policies=["waf-rate-limit-on-public-entry"],
)
def rate_limit(stack: Recording) -> None:
    rule = web_rule(stack, "rate-limit")
    assert rule["statement"]["rateBasedStatement"] == {
        "limit": 600,
        "evaluationWindowSec": 60,
        "aggregateKeyType": "IP",
    }
    assert rule["action"]["block"]["customResponse"]["responseCode"] == 429


@CHAPTER.row(
    "N62",
    "L590",
    "Browsers may call from known sites only",
    "policy",
    note="`CORS_ORIGIN` for the gateway, the same sites for uploads to the bucket; methods and headers of the API are "
    "the gateway's code",
    components=["bucket"],
    settings=["ingress.cors.allow_origins", "services.api-gateway.environment.CORS_ORIGIN"],
    policies=["cors-restricted"],
)
def cors(stack: Recording) -> None:
    assert environment(stack, GATEWAY)["CORS_ORIGIN"] == f"https://{HOST}"
    (rule,) = stack.one("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")["corsRules"]
    assert rule["allowedOrigins"] == [f"https://{HOST}"]


@CHAPTER.row(
    "N63",
    "L591",
    "Helmet's headers",
    "application",
    note="Helmet in the gateway; the balancer adds three headers of its own to every answer",
    components=["load_balancer"],
    policies=["security-headers-on-public-entry"],
)
def security_headers(stack: Recording) -> None:
    listener = stack.one(LISTENER, "ingress-https")
    given = [
        listener[f"routingHttpResponse{header}HeaderValue"]
        for header in ("StrictTransportSecurity", "XContentTypeOptions", "XFrameOptions")
    ]
    assert given == ["max-age=31536000; includeSubDomains", "nosniff", "DENY"]


@CHAPTER.row(
    "N64",
    "L594",
    "The types of uploaded files are checked",
    "application",
    note="the file service's code, which alone may write to the bucket; nobody reads what no scan has found clean, N65",
    components=["bucket"],
    settings=["buckets.files.access"],
)
def file_types(stack: Recording) -> None:
    policy = stack.one("aws:s3/bucketPolicy:BucketPolicy", "bucket-files-policy").json("policy")
    refused = {each["Sid"] for each in policy["Statement"] if each["Effect"] == "Deny"}
    assert set(CLOSED) <= refused
    writers = [
        each.name
        for each in stack.all("aws:iam/rolePolicy:RolePolicy")
        if any(allowed.get("Sid") == "FilesWrite" for allowed in each.json("policy")["Statement"])
    ]
    assert writers == ["file-service-task"]


@CHAPTER.row(
    "N65",
    "L595",
    "Uploads are scanned for malware",
    "declared",
    note="by GuardDuty, which tags each; a file without the tag of a clean one cannot be read, and whatever is not "
    "clean is told to the warning list",
    components=["bucket"],
    settings=["buckets.files.malware_scan"],
    policies=["uploads-malware-scan"],
)
def malware(stack: Recording) -> None:
    plan = stack.one("aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan", "bucket-files-malware")
    assert plan["protectedResource"]["s3Bucket"]["bucketName"] == "nx-files-prod"
    assert plan["actions"] == [{"taggings": [{"status": "ENABLED"}]}]
    policy = stack.one("aws:s3/bucketPolicy:BucketPolicy", "bucket-files-policy").json("policy")
    closed = {each["Sid"]: each for each in policy["Statement"]}
    assert {sid: closed[sid]["Action"] for sid in CLOSED} == CLOSED
    for sid in CLOSED:
        assert (closed[sid]["Effect"], closed[sid]["Resource"]) == ("Deny", ["arn:aws:s3:::nx-files-prod/*"])
    tag = "s3:ExistingObjectTag/GuardDutyMalwareScanStatus"
    assert closed["ReadOnlyWhatIsClean"]["Condition"]["StringNotEquals"] == {tag: "NO_THREATS_FOUND"}
    told = stack.one("aws:cloudwatch/eventTarget:EventTarget", "bucket-files-malware")
    assert referred(stack, told, "arn") == ["notifications-warning-us-east-1"]


@CHAPTER.row(
    "N66",
    "L596",
    "Uploads have a largest size",
    "declared",
    note="50 MiB, then 413, by what the request says of itself; the guide has no figure",
    missing="a request that does not say how large it is: the gateway has to count",
    commands=["verify body-limit"],
    components=["web_acl"],
    settings=["ingress.waf.max_body_bytes"],
    policies=["upload-size-limited"],
)
def upload_size(stack: Recording) -> None:
    rule = web_rule(stack, "body-limit")
    matched = rule["statement"]["regexMatchStatement"]
    assert matched["fieldToMatch"] == {"singleHeader": {"name": "content-length"}}
    answer = rule["action"]["block"]["customResponse"]
    assert answer["responseCode"] == 413
    bodies = {
        each["key"]: each["content"] for each in stack.one("aws:wafv2/webAcl:WebAcl")["customResponseBodies"]
    }
    assert f"{50 * 1024**2} bytes" in bodies[answer["customResponseBodyKey"]]


@CHAPTER.row(
    "N67",
    "L600-610",
    "HTTPS with HTTP/2 for `api.yourdomain.com`, a certificate, TLS 1.2 and 1.3, strong ciphers",
    "declared",
    note="ACM issues and renews the certificate, proved by DNS; nobody holds its key",
    commands=["verify tls"],
    components=["load_balancer", "certificate"],
    settings=["domain.name", "ingress.tls_policy"],
    policies=["alb-https-only", "alb-tls-min-1-2"],
)
def https(stack: Recording) -> None:
    listener = stack.one(LISTENER, "ingress-https")
    assert (listener["port"], listener["protocol"]) == (443, "HTTPS")
    assert listener["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert referred(stack, listener, "certificateArn") == ["certificate-validation"]
    assert stack.one("aws:acm/certificate:Certificate")["domainName"] == HOST
    assert stack.one(BALANCER)["enableHttp2"] is True
    record = stack.one(RECORD, f"ingress-{HOST}")
    assert record["aliases"][0]["name"] == output(stack, "loadBalancer", "dnsName")


@CHAPTER.row(
    "N68",
    "L612-619",
    "What is proxied keeps its host, and may become a WebSocket",
    "declared",
    note="the balancer upgrades connections by itself, holds one that says nothing for 60 s, and caches nothing",
    components=["load_balancer"],
)
def proxied(stack: Recording) -> None:
    balancer = stack.one(BALANCER)
    assert balancer["loadBalancerType"] == "application"
    assert (balancer["preserveHostHeader"], balancer["idleTimeout"]) == (True, 60)
    assert {served(stack, service)[0] for service in SERVICES[:2]} == {100, 400}
