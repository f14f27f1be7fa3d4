"""R11 to R24: PostgreSQL and PostGIS."""

from tests.recorder import Recording
from tests.requirements.production import (
    INSTANCE,
    bootstrap_sql,
    container,
    database,
    database_parameters,
    environment,
    operator_can_ask,
    output,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Database setup")


@CHAPTER.row(
    "R11",
    "L96-104",
    "Install PostgreSQL and PostGIS, ask for the PostGIS version",
    "operator",
    note="RDS brings both; the command asks PostGIS for its version",
    commands=["db check --only extensions"],
    components=["database"],
)
def installed(stack: Recording) -> None:
    assert database(stack)["engine"] == "postgres"
    operator_can_ask(stack)


@CHAPTER.row(
    "R12",
    "L109-111, L325",
    "A database `rentfix`, with `postgres` as its superuser",
    "declared",
    note="its password is generated, kept in Secrets Manager, and in no service",
    components=["database", "secret"],
    settings=["database.name", "database.username"],
    policies=["secret-min-strength"],
)
def name_and_master(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["dbName"], primary["username"]) == ("rentfix", "postgres")
    assert primary.get("manageMasterUserPassword") or "password" in primary.secrets
    assert ":secretsmanager:" in output(stack, "database", "masterSecretArn")


@CHAPTER.row(
    "R13",
    "L113-115",
    "The extensions `postgis` and `postgis_topology`",
    "operator",
    note="as often as one likes: what is there stays",
    commands=["db bootstrap"],
    settings=["database.extensions"],
)
def extensions(stack: Recording) -> None:
    created = [line for line in bootstrap_sql(stack) if line.startswith("CREATE EXTENSION")]
    assert created == [
        'CREATE EXTENSION IF NOT EXISTS "postgis";',
        'CREATE EXTENSION IF NOT EXISTS "postgis_topology";',
    ]
    assert output(stack, "tasks", "bootstrap", "taskDefinition")


@CHAPTER.row(
    "R14",
    "L117-119",
    "The answer must be 3.3 or newer, with GEOS, PROJ and STATS",
    "operator",
    note="it ends with 1 where one is older or a part is missing; settings refuse PostgreSQL versions whose "
    "PostGIS is older",
    commands=["db check --only extensions"],
    settings=["database.extensions.postgis"],
)
def postgis_version(stack: Recording) -> None:
    operator_can_ask(stack)
    wanted = output(stack, "database", "declared", "extensions")
    assert wanted == {"postgis": "3.3", "postgis_topology": "3.3"}


@CHAPTER.row(
    "R15",
    "L122-127, L270-271",
    "Run the migration `001_enable_postgis.sql` as `postgres`",
    "operator",
    note="before the services are updated, which the second does in that order",
    commands=["migrate", "deploy core-matching --tag 1.1.0 --migrate migrate"],
    components=["task"],
    settings=["tasks.migrate"],
)
def migration(stack: Recording) -> None:
    shell, flag, command = container(stack, "task-migrate")["command"]
    assert (shell, flag) == ("sh", "-c")
    assert command.endswith("-v ON_ERROR_STOP=1 -f migrations/001_enable_postgis.sql")
    assert environment(stack, "task-migrate")["DB_USER"] == "postgres"
    master = output(stack, "database", "masterSecretArn")
    assert secrets(stack, "task-migrate")["DB_PASSWORD"] == f"{master}:password::"
    assert output(stack, "tasks", "migrate", "taskDefinition")


@CHAPTER.row(
    "R16",
    "L128-134",
    "See that `contractors` has its spatial indexes",
    "operator",
    note="it ends with 1 where there is none",
    commands=["db indexes --table contractors --like '%location%'"],
)
def spatial_indexes(stack: Recording) -> None:
    operator_can_ask(stack)


@CHAPTER.row(
    "R17",
    "L139-143",
    "`max_connections` 200",
    "declared",
    note="settings refuse services that could open more than 80 percent of them",
    components=["database"],
    settings=["database.parameters.max_connections"],
    policies=["connection-budget"],
)
def max_connections(stack: Recording) -> None:
    assert database_parameters(stack)["max_connections"] == ("200", "pending-reboot")


@CHAPTER.row(
    "R18",
    "L145-146",
    "`max_prepared_transactions` 100",
    "declared",
    note="two-phase commit, not a cache of prepared statements as the guide says; the figure is kept",
    components=["database"],
    settings=["database.parameters.max_prepared_transactions"],
)
def max_prepared_transactions(stack: Recording) -> None:
    assert database_parameters(stack)["max_prepared_transactions"] == ("100", "pending-reboot")


@CHAPTER.row(
    "R19",
    "L148-149",
    "`shared_buffers` 4 GB, a quarter of the memory",
    "declared",
    note="524,288 pages of 8 kB, a quarter of a db.r6g.large",
    components=["database"],
    settings=["database.parameters.shared_buffers", "database.instance_class"],
)
def shared_buffers(stack: Recording) -> None:
    value, method = database_parameters(stack)["shared_buffers"]
    assert (int(value) * 8192, method) == (4 * 1024**3, "pending-reboot")
    assert database(stack)["instanceClass"] == "db.r6g.large"


@CHAPTER.row(
    "R20",
    "L150",
    "`work_mem` 64 MB",
    "declared",
    note="a preview warns that 200 connections with as much would not fit",
    components=["database"],
    settings=["database.parameters.work_mem"],
)
def work_mem(stack: Recording) -> None:
    value, method = database_parameters(stack)["work_mem"]
    assert (int(value) * 1024, method) == (64 * 1024**2, "immediate")


@CHAPTER.row(
    "R21",
    "L151",
    "`maintenance_work_mem` 512 MB",
    "declared",
    components=["database"],
    settings=["database.parameters.maintenance_work_mem"],
)
def maintenance_work_mem(stack: Recording) -> None:
    value, method = database_parameters(stack)["maintenance_work_mem"]
    assert (int(value) * 1024, method) == (512 * 1024**2, "immediate")


@CHAPTER.row(
    "R22",
    "L153-154",
    "Make the new configuration hold",
    "operator",
    note="a new database starts with it; later `work_mem` and `maintenance_work_mem` hold at once. The first "
    "command says what waits for a restart, the second makes it",
    commands=["db status", "db reboot-if-pending"],
    components=["database"],
)
def reload(stack: Recording) -> None:
    methods = {name: method for name, (_, method) in database_parameters(stack).items()}
    waiting = {"max_connections", "max_prepared_transactions", "shared_buffers"}
    assert {methods[name] for name in waiting} == {"pending-reboot"}
    assert {methods[name] for name in ("work_mem", "maintenance_work_mem")} == {"immediate"}
    assert output(stack, "database", "identifier") == "rentfix-primary"


@CHAPTER.row(
    "R23",
    "L157-166",
    "A replica `rentfix-replica-1` of `rentfix-primary`, of class db.r6g.xlarge",
    "declared",
    components=["database"],
    settings=["database.identifier", "database.replicas"],
)
def replica(stack: Recording) -> None:
    assert database(stack)["identifier"] == "rentfix-primary"
    (replica,) = [each for each in stack.all(INSTANCE) if "replicateSourceDb" in each]
    assert (replica["identifier"], replica["instanceClass"]) == ("rentfix-replica-1", "db.r6g.xlarge")
    assert replica["replicateSourceDb"] == "rentfix-primary"


@CHAPTER.row(
    "R24",
    "L168-169",
    "The application finds the replica in `ANALYTICS_DB_HOST`",
    "declared",
    note="the primary's address where a stack has no replica",
    settings=["services.core-matching.environment.ANALYTICS_DB_HOST"],
)
def analytics_host(stack: Recording) -> None:
    (address,) = output(stack, "database", "replicaAddresses")
    assert environment(stack, "core-matching")["ANALYTICS_DB_HOST"] == address
    assert address.startswith("rentfix-replica-1.")
