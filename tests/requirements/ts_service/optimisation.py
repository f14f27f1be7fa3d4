"""T98 to T111: performance, backups, and what comes next."""

import json

from tests.recorder import Recording
from tests.requirements.production import (
    SCHEDULE,
    TARGET,
    TASK,
    alarm,
    cache,
    cache_parameters,
    condition,
    container,
    database_parameters,
    environment,
    output,
    referred,
    secrets,
    statements,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import (
    BY_JOB_TYPE,
    SERVICES,
    comes_from,
    counts,
    size,
    steps,
    url,
)

CHAPTER = Chapter(title="Optimisation, backups, next steps")
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"


@CHAPTER.row(
    "T98",
    "L822",
    "HTTP/2",
    "declared",
    note="at the balancer; the CDN speaks HTTP/3 as well",
    components=["load_balancer", "cdn"],
)
def http2(stack: Recording) -> None:
    assert stack.one("aws:lb/loadBalancer:LoadBalancer")["enableHttp2"] is True
    assert stack.one(DISTRIBUTION)["httpVersion"] == "http2and3"


@CHAPTER.row(
    "T99",
    "L823",
    "A CDN for static files",
    "declared",
    note="CloudFront before a private bucket; `aws s3 sync` to the bucket in the outputs",
    components=["cdn", "bucket"],
    settings=["cdn", "buckets.static"],
    policies=["cdn-present-when-declared"],
)
def cdn(stack: Recording) -> None:
    distribution = stack.one(DISTRIBUTION)
    assert (distribution["enabled"], distribution["aliases"]) == (True, ["cdn.example.com"])
    assert output(stack, "cdn", "url") == "https://cdn.example.com"
    (origin,) = distribution["origins"]
    assert referred(stack, distribution, "origins") == ["bucket-static", "cdn"]
    assert origin["domainName"].startswith(output(stack, "buckets", "static"))
    blocked = stack.one(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "bucket-static-public-access"
    )
    assert (blocked["blockPublicPolicy"], blocked["restrictPublicBuckets"]) == (True, True)


@CHAPTER.row(
    "T100",
    "L824",
    "Answers are compressed",
    "declared",
    note="static files, by the CDN",
    missing="the API's answers: the balancer cannot, so the application does it or nobody",
    components=["cdn"],
)
def compressed(stack: Recording) -> None:
    assert stack.one(DISTRIBUTION)["defaultCacheBehavior"]["compress"] is True


@CHAPTER.row(
    "T101",
    "L825",
    "Answers are cached in Redis",
    "application",
    note="the queue's Redis is its own to use; with `noeviction` a full one refuses writes, and an alarm comes before",
    components=["cache"],
    settings=["caches.cache.parameters"],
)
def cached(stack: Recording) -> None:
    comes_from(stack, "api", "REDIS_URL", "redis-url")
    assert cache_parameters(stack)["maxmemory-policy"] == "noeviction"
    assert condition(alarm(stack, "cache-cache-memory")) == ("GreaterThanThreshold", 80, 3)


@CHAPTER.row(
    "T102",
    "L826",
    "Connections are pooled",
    "declared",
    note="Prisma does it, three for each task; what 20 tasks hold stays within 80 percent of the 80 that db.t3.micro "
    "has memory for, or settings refuse it",
    settings=[
        "services.api.database.pool_max",
        "services.worker.database.pool_max",
        "secrets.database-url.url",
    ],
    policies=["connection-budget"],
)
def pooled(stack: Recording) -> None:
    (limit,) = url(stack, "database-url")[1]["connection_limit"]
    opened = int(limit) * sum(counts(stack, service)[2] for service in SERVICES)
    assert (limit, opened) == ("3", 60)
    assert database_parameters(stack)["max_connections"][0] == "80"
    assert opened <= 0.8 * 80


@CHAPTER.row(
    "T103",
    "L830-832",
    "Two jobs at once where they compute, twenty where they wait",
    "declared",
    note="two services of one image; more tasks hold more connections than db.t3.micro has memory for",
    missing="both work on the same queue: which job goes where is the application's to say",
    components=["service", "task"],
    settings=["profiles.by-job-type"],
    shape=BY_JOB_TYPE,
)
def by_job_type(stack: Recording) -> None:
    at_once = {name: environment(stack, name)["QUEUE_CONCURRENCY"] for name in ("worker", "worker-io")}
    assert at_once == {"worker": "2", "worker-io": "20"}
    assert container(stack, "worker-io")["image"] == container(stack, "worker")["image"]
    assert [size(stack, name) for name in at_once] == [("512", "1024"), ("256", "512")]
    assert {each.name: each["maxCapacity"] for each in stack.all(TARGET)} == {
        "api": 10,
        "worker": 10,
        "worker-io": 10,
    }


@CHAPTER.row(
    "T104",
    "L833-835",
    "More workers, leaner processors, urgent jobs first",
    "application",
    note="workers are added by themselves (T43 to T45); processors and priorities are its own",
    components=["autoscaling", "queue_metrics"],
)
def leaner(stack: Recording) -> None:
    assert counts(stack, "worker") == (1, 5, 10)
    assert steps(stack, "worker-queue-add") == [1, 2]
    assert steps(stack, "worker-queue-wait") == [1]


@CHAPTER.row(
    "T105",
    "L841-848",
    "Every day `pg_dump` writes `backup-YYYYMMDD.sql` to `s3://mybucket/backups/`",
    "declared",
    note="compressed, at 02:00 UTC, kept for 30 days: the guide names neither hour nor days",
    components=["schedule", "task", "bucket"],
    settings=["backups.schedule", "backups.dump", "backups.bucket"],
)
def dump(stack: Recording) -> None:
    schedule = stack.one(SCHEDULE, "schedule-dump")
    assert schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    first, second = stack.one(TASK, "task-dump").json("containerDefinitions")
    assert "pg_dump --clean --if-exists | gzip" in first["command"][-1]
    assert '"s3://$BUCKET/backups/$(date -u +backup-%Y%m%d.sql.gz)"' in second["command"][-1]
    assert output(stack, "backups", "bucket") == "ts-service-backups"
    allowed = statements(stack, "task-dump-task")["WriteDump"]
    assert allowed["Resource"] == ["arn:aws:s3:::ts-service-backups/backups/*"]
    kind = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = {each["id"]: each for each in stack.one(kind, "backups-lifecycle")["rules"]}
    assert rules["expire-backups"]["filter"] == {"prefix": "backups/"}
    assert rules["expire-backups"]["expiration"] == {"days": 30}
    assert condition(alarm(stack, "dump-overdue")) == ("LessThanThreshold", 1, 26)


@CHAPTER.row(
    "T106",
    "L851-858",
    "Redis is backed up by itself, and by hand if wanted",
    "declared",
    note="every day, kept for 7; the command makes one now, since ElastiCache has no `BGSAVE`",
    commands=["redis snapshot --cache cache"],
    components=["cache"],
    settings=["caches.cache.snapshot_retention_days", "caches.cache.snapshot_window"],
    policies=["cache-snapshots"],
)
def snapshots(stack: Recording) -> None:
    group = cache(stack)
    assert (group["snapshotRetentionLimit"], group["snapshotWindow"]) == (7, "03:00-04:00")
    assert output(stack, "caches", "cache", "replicationGroupId") == "myapp-redis"


@CHAPTER.row(
    "T107",
    "L866",
    "Monitoring with Datadog, New Relic or Sentry",
    "declared",
    note="the application reports to Sentry, whose DSN an operator puts into Secrets Manager; Prometheus, Grafana and "
    "CloudWatch have the rest",
    commands=["secrets put sentry-dsn"],
    components=["secret", "prometheus", "grafana"],
    settings=["secrets.sentry-dsn", "observability.prometheus", "observability.grafana"],
)
def sentry(stack: Recording) -> None:
    for service in SERVICES:
        comes_from(stack, service, "SENTRY_DSN", "sentry-dsn")
    assert output(stack, "secrets", "sentry-dsn") in output(stack, "secretsToFill")
    assert output(stack, "prometheus").startswith("https://aps-workspaces.us-east-1.")
    assert stack.one("aws:grafana/workspace:Workspace")["dataSources"] == ["PROMETHEUS", "CLOUDWATCH"]


@CHAPTER.row(
    "T108",
    "L867",
    "Alerts reach PagerDuty and Slack",
    "declared",
    note="critical ones both, warnings Slack only, and all by e-mail; an operator puts key and webhook into Secrets "
    "Manager",
    commands=["secrets put pagerduty-key", "secrets put slack-webhook", "alerts test"],
    components=["notifications", "webhook_notifier"],
    settings=["notifications.pagerduty", "notifications.slack"],
)
def pagerduty_and_slack(stack: Recording) -> None:
    told = {}
    for receiver, secret in (("pagerduty", "pagerduty-key"), ("slack", "slack-webhook")):
        variables = stack.one("aws:lambda/function:Function", f"notify-{receiver}")["environment"][
            "variables"
        ]
        assert (variables["RECEIVER"], variables["SECRET_ARN"]) == (
            receiver,
            output(stack, "secrets", secret),
        )
        told[receiver] = [each["severity"] for each in json.loads(variables["TOPICS"])]
        assert output(stack, "secrets", secret) in output(stack, "secretsToFill")
    assert told == {"pagerduty": ["critical"], "slack": ["critical", "warning"]}
    subscriptions = stack.names("aws:sns/topicSubscription:TopicSubscription")
    assert "notify-pagerduty-critical-us-east-1" in subscriptions
    assert "notify-slack-warning-us-east-1" in subscriptions


@CHAPTER.row(
    "T109",
    "L868",
    "Security is audited regularly",
    "operator",
    note="the first judges what is declared, the second what stands; testers are engaged by people, and an e-mail "
    "says every three months that it is time",
    commands=["policy check", "network audit"],
    components=["schedule"],
    settings=["backups.audit_reminder", "backups.audit_reminder_text"],
)
def audits(stack: Recording) -> None:
    reminder = stack.one(SCHEDULE, "remind-audit")
    assert reminder["scheduleExpression"] == "cron(0 9 1 1/3 ? *)"
    assert reminder["target"]["input"] == "ts-service, prod: a security audit is due."
    assert referred(stack, reminder, "target") == ["notifications-warning-us-east-1", "remind-audit-schedule"]


@CHAPTER.row(
    "T110",
    "L864-865",
    "Read more about the two services in `API.md` and `WORKER.md`",
    "not met",
    missing="they are the product's own pages, and not at hand; every alarm of a service links to its runbook",
)
def further_reading(stack: Recording) -> None:
    for service in SERVICES:
        assert alarm(stack, f"{service}-running")["alarmDescription"].endswith("/docs/runbooks/service.md")


@CHAPTER.row(
    "T111",
    "L869",
    "Load tests",
    "operator",
    note="with `--stack staging`; from one address the web firewall takes 600 requests a minute, and the command "
    "says so before it begins: raise it there, or stay below with `--requests-per-s`. The dashboard shows "
    "what gives way",
    commands=["perf --vus 50 --duration 5m"],
    components=["dashboard"],
    settings=["ingress.waf.rate_limit"],
)
def load_test(stack: Recording) -> None:
    assert output(stack, "healthUrls", "api") == "https://api.example.com/health"
    assert output(stack, "edge", "rateLimit", "requests") == 600
    assert output(stack, "dashboard")
    assert "SENTRY_DSN" in secrets(stack, "api")
