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
    operator_sees_the_network,
    output,
    referred,
    secrets,
)
from tests.requirements.sports_nutrition.support import API, operator_asks_from_the_api, service, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Troubleshooting")


@CHAPTER.row(
    "S97",
    "L575-583",
    "Tasks cannot reach the database: security group, subnet, login, routes",
    "operator",
    note="both ends' rules, subnets and routes, network ACLs, the proxy, and that the login holds a value; the "
    "command sends no packet",
    commands=["network check --from api --to database"],
    components=["firewall", "network", "database"],
)
def reaches_database(stack: Recording) -> None:
    opened = openings(stack)
    assert (API, "database-proxy", 5432) in opened
    assert ("database-proxy", "database", 5432) in opened
    operator_sees_the_network(stack, (API, "database-proxy", 5432), ("database-proxy", "database", 5432))
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
    note="psql is in the image; what is typed is logged",
    commands=['exec api -- sh -c \'psql "$DATABASE_URL" -c "SELECT 1"\''],
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
    note="targets, health check, deaths of tasks, what the log says, and whether the stores are reached: its last "
    "line is the likeliest cause",
    commands=["network diagnose 503"],
    components=["service", "uptime"],
)
def unavailable(stack: Recording) -> None:
    assert stack.one(LOG_GROUP, "api-logs")["name"] == "/ecs/api-production"
    assert secrets(stack, API)["REDIS_URL"] == output(stack, "secrets", "redis-url")
    assert target_group(stack)["healthCheck"]["path"] == "/health"
    assert output(stack, "loadBalancer", "arn")
    operator_sees_the_network(stack, ("load-balancer", API, 3000), (API, "cache-cache", 6379))
    assert "/service.md" in alarm(stack, "api-running")["alarmDescription"]


@CHAPTER.row(
    "S100",
    "L605-613",
    "Memory runs full or tasks die: look for leaks with `--inspect`, give more memory, look for N+1 queries, `clinic`",
    "operator",
    note="the first says why tasks died; slow statements stand in PostgreSQL's log; debuggers and `clinic` belong "
    "on a developer's machine, and a policy refuses port 9229",
    commands=["service show api", "service resize api --memory-mib 2048"],
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
    note="`pool_max` in the system file, which the API gets as `DB_POOL_SIZE`; the commands count",
    commands=[
        "db tunnel --proxy",
        "db connections --by user --proxy --role nutrition_api",
        'exec api -- sh -c \'psql "$DATABASE_URL" -c "SELECT count(*) FROM pg_stat_activity"\'',
    ],
    settings=["services.api.database.pool_max", "services.api.environment.DB_POOL_SIZE"],
)
def exhausted(stack: Recording) -> None:
    operator_asks_from_the_api(stack)
    assert environment(stack, API)["DB_POOL_SIZE"] == "20"
    assert int(database_parameters(stack)["max_connections"][0]) >= 200


@CHAPTER.row(
    "S102",
    "L625-627",
    "Count connections by database and user",
    "operator",
    note="from outside by the proxy, which lets roles in only; the last from inside the API's task",
    commands=[
        "db tunnel --proxy",
        "db connections --by user --proxy --role nutrition_api",
        'exec api -- sh -c \'psql "$DATABASE_URL" -c "SELECT datname, usename, count(*) FROM pg_stat_activity '
        "GROUP BY datname, usename\"'",
    ],
)
def connections(stack: Recording) -> None:
    operator_asks_from_the_api(stack)


@CHAPTER.row(
    "S103",
    "L629-631",
    "`max_connections` 200, which a restart brings",
    "declared",
    note="1000, as the tier has it (S26); the first command says whether a change waits, the second restarts for it",
    commands=["db status", "db reboot-if-pending"],
    components=["database"],
    settings=["profiles.small.database.parameters.max_connections"],
)
def max_connections(stack: Recording) -> None:
    value, method = database_parameters(stack)["max_connections"]
    assert (int(value) >= 200, method) == (True, "pending-reboot")
    assert output(stack, "database", "identifier") == "prod-postgresql"
