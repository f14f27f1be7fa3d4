"""F72 to F88: what is done every day, week and month, and what keeps it fast."""

from tests.recorder import Recording
from tests.requirements.fixrx.support import (
    API,
    HEALTH,
    HOST,
    ends_after,
    operator_can_ask,
    page,
    runs_at,
    secret_text,
    service,
    statements_of,
    warning,
)
from tests.requirements.production import (
    INSTANCE,
    LOG_GROUP,
    REPOSITORY,
    TARGET,
    bootstrap_sql,
    cache,
    condition,
    database_parameters,
    environment,
    metric,
    openings,
    operator_sees_the_network,
    output,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Maintenance and performance")


@CHAPTER.row(
    "F72",
    "L484-490",
    "Every day: does the API answer",
    "declared",
    note="Route 53 asks from several parts of the world every 30 s; two minutes without an answer wake somebody "
    "up. The second command goes through the whole daily list",
    commands=["health", "maintenance daily"],
    components=["uptime"],
)
def answers(stack: Recording) -> None:
    check = stack.one("aws:route53/healthCheck:HealthCheck")
    assert (check["type"], check["fqdn"], check["resourcePath"]) == ("HTTPS", HOST, HEALTH)
    down = page(stack, f"uptime-{API}-down")
    assert metric(down) == ("HealthCheckStatus", "Minimum", 60)
    assert (condition(down), down["treatMissingData"]) == (("LessThanThreshold", 1, 2), "breaching")


@CHAPTER.row(
    "F73",
    "L492-493",
    "Every day: a warning for a disk that is more than 80 percent full",
    "declared",
    note="the volumes of primary and replica, as they were made, and the tasks' own storage, all the time",
    commands=["status"],
    components=["database", "service"],
    settings=["observability.alerts.storage_used_percent"],
)
def disks(stack: Recording) -> None:
    for name in ("database", "database-fixrx-replica-1"):
        volume = page(stack, f"{name}-storage")
        assert metric(volume)[0] == "FreeStorageSpace"
        assert condition(volume)[:2] == ("LessThanThreshold", 0.2 * 100 * 2**30)
    tasks = warning(stack, f"{API}-storage")
    assert tasks["metricQueries"][0]["expression"] == "100 * used / reserved"
    assert condition(tasks)[:2] == ("GreaterThanThreshold", 80)


@CHAPTER.row(
    "F74",
    "L495-496",
    "Every day: the last ten errors of the log",
    "operator",
    note="a saved query of Logs Insights has them, newest first; more than 10 in 5 minutes are an alarm",
    commands=["logs fixrx-api --errors --since 1d -n 10"],
    components=["log_insights"],
)
def errors(stack: Recording) -> None:
    query = stack.one("aws:cloudwatch/queryDefinition:QueryDefinition", f"logs-{API}-errors")
    assert query["name"] == "fixrx-prod/fixrx-api/errors"
    assert query["logGroupNames"] == [output(stack, "services", API, "logGroup")] == ["/fixrx/prod/fixrx-api"]
    assert "error:" in query["queryString"]
    assert "sort @timestamp desc" in query["queryString"]
    assert condition(warning(stack, f"{API}-error-lines")) == ("GreaterThanThreshold", 10, 1)


@CHAPTER.row(
    "F75",
    "L498-499",
    "Every day: which packages could be newer",
    "operator",
    note="what the scan of the image that runs has found, and what AWS has waiting for the stores; the third asks "
    "both. There is no host. The nightly workflow asks the images",
    missing="nothing asks the stores by the clock",
    commands=["images findings --fail-on high", "maintenance apply-now --dry-run", "maintenance daily"],
    components=["registry", "database", "cache"],
    policies=["ecr-scan-on-push"],
)
def packages(stack: Recording) -> None:
    found = stack.one(REPOSITORY, f"registry-{API}")
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    assert output(stack, "database", "identifier") == "fixrx-primary"
    assert output(stack, "caches", "cache", "replicationGroupId")
    events = stack.one("aws:rds/eventSubscription:EventSubscription")
    assert "maintenance" in events["eventCategories"]


@CHAPTER.row(
    "F76",
    "L507-508",
    "Every week: `VACUUM ANALYZE` of `fixrx_production`",
    "declared",
    note="by itself on Sunday at 03:00 UTC, as the master user, who is a member of the role that owns the tables; "
    "a failure is an alarm. The commands do it now, and show what the task wrote",
    commands=["db vacuum", "logs weekly --since 7d"],
    components=["schedule", "task"],
    settings=["tasks.weekly"],
)
def vacuum(stack: Recording) -> None:
    assert runs_at(stack, "weekly") == "cron(0 3 ? * SUN *)"
    assert statements_of(stack, "weekly").splitlines() == ["VACUUM ANALYZE", ";"]
    assert 'GRANT "fixrx_app" TO CURRENT_USER;' in bootstrap_sql(stack)


@CHAPTER.row(
    "F77",
    "L510-511",
    "Every week: logs older than 7 days go",
    "declared",
    note="they go by themselves",
    missing="the 7 days: the guide also keeps them for 30 (L339), and 30 it is",
    components=["task"],
    settings=["observability.log_retention_days"],
    policies=["log-retention-set"],
)
def old_logs(stack: Recording) -> None:
    assert stack.one(LOG_GROUP, f"{API}-logs")["retentionInDays"] == 30


@CHAPTER.row(
    "F78",
    "L513-514",
    "Every week: certificates are renewed",
    "declared",
    note="ACM renews them 45 days ahead by itself; 30 days before the end one that was not is an alarm, and so "
    "are the VPN's, which somebody imports. The command asks what is shown to customers",
    commands=["verify tls"],
    components=["certificate"],
    settings=["observability.alerts.certificate_days"],
)
def renewal(stack: Recording) -> None:
    for name in ("certificate-expiry", "cdn-certificate-expiry"):
        assert metric(page(stack, name))[0] == "DaysToExpiry"
        assert condition(page(stack, name)) == ("LessThanThreshold", 30, 1)
    for name in ("vpn-server-expiry", "vpn-client-root-expiry"):
        assert condition(warning(stack, name)) == ("LessThanThreshold", 30, 1)


@CHAPTER.row(
    "F79",
    "L516-517",
    "Every week: security updates are installed",
    "declared",
    note="RDS and ElastiCache bring minor versions in their window, Fargate its platform with each new task",
    missing="the image's own packages: its pipeline builds it on a newer base",
    components=["database", "cache", "service"],
    settings=["database.maintenance_window", "caches.cache.maintenance_window"],
    policies=["auto-minor-upgrades"],
)
def updates(stack: Recording) -> None:
    stores = [*stack.all(INSTANCE), cache(stack)]
    assert [each["autoMinorVersionUpgrade"] for each in stores] == [True] * 3
    assert {each["maintenanceWindow"] for each in stores} == {"sun:03:00-sun:04:00"}
    assert service(stack)["platformVersion"] == "LATEST"


@CHAPTER.row(
    "F80",
    "L525-526",
    "Every month: `REINDEX DATABASE fixrx_production`",
    "declared",
    note="by itself, `CONCURRENTLY`, so that writes go on; the first Sunday at 02:30 UTC, ended at 06:00. The "
    "commands do it now, and show what the task wrote",
    commands=["db reindex --all", "logs monthly --since 35d"],
    components=["schedule", "task"],
    settings=["tasks.monthly"],
)
def reindex(stack: Recording) -> None:
    assert runs_at(stack, "monthly") == "cron(30 2 ? * SUN#1 *)"
    assert ends_after(stack, "monthly") == 210 * 60
    statements = statements_of(stack, "monthly").splitlines()
    assert statements == ["REINDEX DATABASE CONCURRENTLY fixrx_production", ";"]


@CHAPTER.row(
    "F81",
    "L528-529",
    "Every month: the ten tables with the most inserts",
    "operator",
    note="the second goes through the whole monthly list",
    missing="nothing asks it by itself",
    commands=["db tables --by inserts --limit 10", "maintenance monthly"],
)
def table_statistics(stack: Recording) -> None:
    operator_can_ask(stack)


@CHAPTER.row(
    "F82",
    "L531-533",
    "Every month: `npm audit`, and which ports are open",
    "operator",
    note="the audit of packages is the pipeline's. The first command holds every rule that stands against what is "
    "declared, and knocks at the balancer's ports in `nmap`'s place: 80 and 443, and a policy refuses any other",
    missing="nothing runs either by itself",
    commands=["network audit --from-outside", "policy check"],
    components=["firewall", "registry"],
    policies=["sg-no-open-ingress", "no-debug-ports", "ecr-scan-on-push"],
)
def audit(stack: Recording) -> None:
    assert {(target, port) for source, target, port in openings(stack) if source == "internet"} == {
        ("load-balancer", 80),
        ("load-balancer", 443),
    }
    assert service(stack)["networkConfiguration"]["assignPublicIp"] is False
    operator_sees_the_network(
        stack, ("internet", "load-balancer", 80), ("internet", "load-balancer", 443), (API, "database", 5432)
    )


@CHAPTER.row(
    "F83",
    "L535-536",
    "Every month: the proof that a backup can be read",
    "declared",
    note="by itself the first Sunday at 04:00 UTC; beside it AWS Backup restores RDS's own backup every Sunday. "
    "The commands prove one now",
    commands=["backup verify --from dump", "maintenance monthly"],
    components=["schedule", "backups"],
    settings=["backups.verify.schedule", "backups.restore_test"],
    policies=["restore-test-scheduled"],
)
def proof(stack: Recording) -> None:
    assert runs_at(stack, "verify") == "cron(0 4 ? * SUN#1 *)"
    page(stack, "verify-failed")
    plan = stack.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert plan["scheduleExpression"] == "cron(0 6 ? * SUN *)"


@CHAPTER.row(
    "F84",
    "L541-547",
    "The ten statements that take longest, from `pg_stat_statements`",
    "operator",
    note="by `total_exec_time`, with `mean_exec_time`, as the guide's columns are called since PostgreSQL 13; "
    "`bootstrap` makes the extension",
    commands=["db slow --limit 10", "db bootstrap"],
    components=["database"],
    settings=["database.extensions.pg_stat_statements", "database.parameters.shared_preload_libraries"],
)
def slow_statements(stack: Recording) -> None:
    assert database_parameters(stack)["shared_preload_libraries"] == ("pg_stat_statements", "pending-reboot")
    assert 'CREATE EXTENSION IF NOT EXISTS "pg_stat_statements";' in bootstrap_sql(stack)
    operator_can_ask(stack)


@CHAPTER.row(
    "F85",
    "L549-552",
    "Which indexes are read",
    "operator",
    note="the guide's own columns do not exist: it means `relname` and `indexrelname`",
    commands=["db indexes --by reads"],
)
def index_use(stack: Recording) -> None:
    operator_can_ask(stack)


@CHAPTER.row(
    "F86",
    "L554-555",
    "Explain the query for vendors by category",
    "operator",
    note="without `--analyze` it only plans",
    commands=["db explain --file systems/fixrx/queries/vendors.sql --analyze --replica"],
)
def explain(stack: Recording) -> None:
    operator_can_ask(stack)
    assert len(output(stack, "database", "replicaAddresses")) == 1


@CHAPTER.row(
    "F87",
    "L558-567",
    "A pool of 20 connections: 30 s idle, 2 s to connect, 30 s for a statement and for a query",
    "application",
    note="it builds its pool from `DB_POOL_*` and the two timeouts; PostgreSQL itself ends a statement of its role "
    "after 30 s, and ten tasks of 20 stay within 80 percent of `max_connections`, or settings refuse them",
    settings=["services.fixrx-api.database", "database.roles.fixrx_app.settings"],
    policies=["connection-budget"],
)
def pool(stack: Recording) -> None:
    names = ("POOL_MAX", "POOL_IDLE_TIMEOUT_MS", "POOL_CONNECTION_TIMEOUT_MS", "STATEMENT_TIMEOUT_MS")
    variables = environment(stack, API)
    assert [variables[f"DB_{name}"] for name in names] == ["20", "30000", "2000", "30000"]
    assert variables["DB_QUERY_TIMEOUT_MS"] == "30000"
    assert 'ALTER ROLE "fixrx_app" SET "statement_timeout" = \'30s\';' in bootstrap_sql(stack)
    opened = stack.one(TARGET, API)["maxCapacity"] * int(variables["DB_POOL_MAX"])
    assert opened <= 0.8 * int(database_parameters(stack)["max_connections"][0])


@CHAPTER.row(
    "F88",
    "L569-576",
    "A client of Redis that tries three times, waits 100 ms for a failover, and connects late",
    "application",
    note="its own code; the address stays the same when the replica takes over",
    components=["cache"],
    settings=["services.fixrx-api.secrets.REDIS_URL"],
)
def redis_client(stack: Recording) -> None:
    group = cache(stack)
    assert (group["automaticFailoverEnabled"], group["multiAzEnabled"], group["port"]) == (True, True, 6379)
    endpoint = output(stack, "caches", "cache", "endpoint")
    assert endpoint.startswith("master.")
    assert secret_text(stack, "redis-url").endswith(f"@{endpoint}:6379")
