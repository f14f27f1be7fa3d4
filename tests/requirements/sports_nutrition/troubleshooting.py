"""S97 to S103: when it does not work."""

from tests.recorder import Recording
from tests.requirements.production import (
    LOG_GROUP,
    TASK,
    alarm,
    container,
    database,
    database_parameters,
    environment,
    openings,
    output,
    referred,
    secrets,
)
from tests.requirements.sports_nutrition.support import API, PSQL, operator_has_psql, service, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Troubleshooting")


@CHAPTER.row(
    "S97",
    "L575-583",
    "Tasks cannot reach the database: security group, subnet, login, routes",
    "operator",
    note="`aws ec2 describe-security-group-rules`, `aws rds describe-db-instances`, `aws secretsmanager "
    "get-secret-value`; what they should show is declared",
    components=["firewall", "network", "database"],
)
def reaches_database(stack: Recording) -> None:
    opened = openings(stack)
    assert (API, "database-proxy", 5432) in opened
    assert ("database-proxy", "database", 5432) in opened
    assert referred(stack, database(stack), "dbSubnetGroupName") == ["database"]
    associations = stack.all("aws:ec2/routeTableAssociation:RouteTableAssociation")
    tables = {
        each.name: referred(stack, each, "routeTableId") for each in associations if "isolated" in each.name
    }
    assert tables == {
        "network-isolated-a": ["network-isolated"],
        "network-isolated-b": ["network-isolated"],
    }
    assert output(stack, "database", "roleSecretArns", "nutrition_api")


@CHAPTER.row(
    "S98",
    "L585-588",
    "`SELECT 1` from inside the container",
    "operator",
    note="`aws ecs execute-command` with `psql`, which is in the image; what is typed is logged",
    components=["service", "cluster"],
)
def select_one(stack: Recording) -> None:
    assert service(stack)["enableExecuteCommand"] is True
    logged = stack.one("aws:ecs/cluster:Cluster")["configuration"]["executeCommandConfiguration"]
    assert logged["logConfiguration"]["cloudWatchLogGroupName"] == "/sports-nutrition/prod/exec"


@CHAPTER.row(
    "S99",
    "L590-603",
    "The API answers 503: its log, `/health`, `REDIS_URL`, the targets",
    "operator",
    note="S86, S78, `aws secretsmanager get-secret-value`, S81; docs/runbooks/service.md",
    components=["service", "uptime"],
)
def unavailable(stack: Recording) -> None:
    assert stack.one(LOG_GROUP, "api-logs")["name"] == "/ecs/api-production"
    assert secrets(stack, API)["REDIS_URL"] == output(stack, "secrets", "redis-url")
    assert target_group(stack)["healthCheck"]["path"] == "/health"
    assert "/service.md" in alarm(stack, "api-running")["alarmDescription"]


@CHAPTER.row(
    "S100",
    "L605-613",
    "Memory runs full or tasks die: look for leaks with `--inspect`, give more memory, look for N+1 queries, `clinic`",
    "operator",
    note="`memory_mib` in the stack file, then `pulumi up`; slow statements stand in PostgreSQL's log; debuggers and "
    "`clinic` belong on a developer's machine, and a policy refuses port 9229",
    components=["task", "database"],
    settings=["profiles.small.services.api.memory_mib"],
    policies=["no-debug-ports"],
)
def leaks(stack: Recording) -> None:
    assert stack.one(TASK, API)["memory"] == "1024"
    assert "--inspect" not in str(container(stack, API))
    assert 9229 not in {port for _, _, port in openings(stack)}
    assert database_parameters(stack)["log_min_duration_statement"][0] == "1000"
    assert alarm(stack, "api-memory")


@CHAPTER.row(
    "S101",
    "L615-623",
    "The pool is exhausted: raise `DB_POOL_SIZE`, find leaks, count connections, raise `max_connections`",
    "operator",
    note=f"`pool_max` in the system file, which the API gets as `DB_POOL_SIZE`; {PSQL}`SELECT count(*) FROM "
    "pg_stat_activity`",
    settings=["services.api.database.pool_max", "services.api.environment.DB_POOL_SIZE"],
)
def exhausted(stack: Recording) -> None:
    operator_has_psql(stack)
    assert environment(stack, API)["DB_POOL_SIZE"] == "20"
    assert int(database_parameters(stack)["max_connections"][0]) >= 200


@CHAPTER.row(
    "S102",
    "L625-627",
    "Count connections by database and user",
    "operator",
    note=f"{PSQL}`SELECT datname, usename, count(*) FROM pg_stat_activity GROUP BY datname, usename`",
)
def connections(stack: Recording) -> None:
    operator_has_psql(stack)


@CHAPTER.row(
    "S103",
    "L629-631",
    "`max_connections` 200, which a restart brings",
    "declared",
    note="1000, as the tier has it (S26); a change waits for `aws rds reboot-db-instance`",
    components=["database"],
    settings=["profiles.small.database.parameters.max_connections"],
)
def max_connections(stack: Recording) -> None:
    value, method = database_parameters(stack)["max_connections"]
    assert (int(value) >= 200, method) == (True, "pending-reboot")
    assert output(stack, "database", "identifier") == "prod-postgresql"
