"""What the database's options, the tasks, the dump and its proof are refused for."""

import pytest

from settings.reach import reaches
from tests.settings_examples import ABSENT, refusal, settle

STACK, SYSTEM = "Pulumi.prod.yaml: groundwork:", "systems/rentalfix/system.yaml: "
CLUSTER = {
    "database/multi_az": False,
    "database/multi_az_cluster": True,
    "database/replicas": [],
    "database/max_allocated_storage_gib": ABSENT,
    "database/instance_class": "db.r6gd.xlarge",
    "backups/copy_region": None,
}
PROXY = {"database/proxy": {"enabled": True}}
MASTER_SQL = {"sql": ["VACUUM ANALYZE"]}


def test_a_cluster_of_a_class_that_has_disks_of_its_own_is_accepted():
    database = settle(CLUSTER).database
    assert database is not None
    assert (database.has_readers, database.has_proxy, database.storage_at_most_gib) == (True, False, 100)


@pytest.mark.parametrize(
    ("stack", "line"),
    [
        (
            {"database/instance_class": "db.r6g.large"},
            "database.instance_class: must be an instance class that a Multi-AZ DB cluster may have "
            "(settings/data/postgres.py), got db.r6g.large. Did you mean db.r6gd.large?",
        ),
        (
            {"database/multi_az": True},
            "database.multi_az_cluster: excludes multi_az: the cluster has its standbys already, got true. "
            "Set one of the two to false.",
        ),
        (
            {"database/replicas": [{"identifier": "r1", "instance_class": "db.r6gd.large"}]},
            "database.replicas: must be empty with multi_az_cluster, whose standbys answer at "
            "${database.replica_address}. Remove them.",
        ),
        (
            {"database/allocated_storage_gib": 99},
            "database.allocated_storage_gib: must be at least 100 for a Multi-AZ DB cluster, got 99. Set it to 100.",
        ),
        (
            {"database/max_allocated_storage_gib": 500},
            "database.max_allocated_storage_gib: cannot be given with multi_az_cluster, whose storage does not grow "
            "by itself, got 500. Remove it, and raise allocated_storage_gib when the alarm says so.",
        ),
        (
            {"database/iops": 5001},
            "database.iops: must be half of to 50 times allocated_storage_gib 100, got 5001. "
            "Set it to 1000, or leave it out for gp3.",
        ),
        (
            {"backups/copy_region": "us-west-2"},
            "backups.copy_region: cannot be given with database.multi_az_cluster: RDS copies no snapshot of such a "
            "cluster, got us-west-2. Leave it out; the dumps in the bucket are what can be taken elsewhere.",
        ),
        (
            {"network/zones": ["us-east-1a", "us-east-1b"]},
            "network.zones: must be 3 or more for database.multi_az_cluster, which has a member in each, got 2. "
            "Add a zone, or choose multi_az instead.",
        ),
    ],
)
def test_refusals_of_clusters(stack, line):
    assert refusal({**CLUSTER, **stack}) == (STACK + line,)


def test_a_cluster_cannot_be_without_backups():
    lines = refusal({**CLUSTER, "database/backup_retention_days": 0})
    assert any(
        "must be at least 1 for a Multi-AZ DB cluster, which cannot be without" in line for line in lines
    )


@pytest.mark.parametrize(
    ("stack", "line"),
    [
        (
            {"database/instance_class": "db.c6gd.large"},
            "database.instance_class: must be an instance class of RDS for PostgreSQL "
            "(settings/data/postgres.py), got db.c6gd.large. Did you mean db.r6g.large?",
        ),
        (
            {"database/iops": 3000},
            "database.iops: is for a Multi-AZ DB cluster; an instance's volume is gp3 with what that has, got 3000. "
            "Remove it, or set multi_az_cluster to true.",
        ),
        (
            {"database/proxy": {"enabled": True, "max_connections_percent": 100}},
            "database.proxy.max_connections_percent: must be at most 95: people, migrations, the dump and RDS need "
            "the rest, got 100. Set it to 90.",
        ),
        (
            {"database/parameters/shared_preload_libraries": "auto_explain"},
            "database.parameters.shared_preload_libraries: must name pg_stat_statements, which the slow queries are "
            "found with, got auto_explain. Write pg_stat_statements,auto_explain.",
        ),
    ],
)
def test_refusals_of_instances(stack, line):
    assert any(STACK + line == each for each in refusal(stack))


def test_a_preloaded_library_and_tls_may_be_written_out():
    settle(
        {
            "database/parameters/shared_preload_libraries": "pg_stat_statements, auto_explain",
            "database/parameters/rds.force_ssl": "1",
        }
    )


def test_with_a_proxy_the_pools_may_come_to_more_than_the_database_has():
    many = {"services/core-matching/max_count": 40, "services/core-matching/desired_count": 7}
    assert any("may open" in line for line in refusal(many))
    settle({**many, **PROXY})
    assert any("may open" in line for line in refusal({**many, "database/proxy": {"enabled": False}}))


def test_a_proxy_needs_somebody_who_may_pass():
    worker = "services/worker-ai/database"
    lines = refusal(PROXY, {"database/roles": {}, "database/row_level_security": {}, worker: ABSENT})
    assert any("database.proxy: lets nobody in: it takes the logins of" in line for line in lines)


def ways(settings):
    """Who reaches database or proxy."""
    return {(each.source, each.target) for each in reaches(settings) if each.target.startswith("database")}


def test_services_go_through_the_proxy_and_tasks_of_the_master_past_it():
    assert ways(settle(PROXY)) == {
        ("core-matching", "database-proxy"),
        ("core-matching", "database"),  # reads from the replica, which no proxy leads to
        ("worker-ai", "database-proxy"),
        ("operations", "database-proxy"),
        ("operations", "database"),
        ("database-proxy", "database"),
    }
    without_replicas = settle({**PROXY, "database/replicas": []})
    assert ("core-matching", "database") not in ways(without_replicas)
    assert not [way for way in ways(settle()) if "database-proxy" in way]


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (
            {},
            ": must say `sql`, or `service` and `command`. With `service` it runs a command in that service's image, "
            "with `sql` statements as the master.",
        ),
        (
            {"service": "core", "command": ["x"]},
            ".service: must be a service of `services`, got core. Known: core-matching, worker-ai.",
        ),
        (
            {**MASTER_SQL, "service": "worker-ai"},
            ".service: cannot be given with `sql`, which runs in the PostgreSQL image as the master user. "
            "Remove it, or remove `sql`.",
        ),
        (
            {**MASTER_SQL, "rolled_back_command": ["x"]},
            ".rolled_back_command: cannot be given with `sql`, which runs in the PostgreSQL image as the master user. "
            "Remove it, or remove `sql`.",
        ),
        (
            {"service": "worker-ai", "command": ["x"], "rolled_back_command": ["x"]},
            ".rolled_back_command: is for the task migrate, the only one that `groundwork migrate --rolled-back` runs. "
            "Remove it.",
        ),
        (
            {**MASTER_SQL, "timezone": "Europe/Belgrade"},
            ".timezone: is that of a schedule, and there is none, got Europe/Belgrade. "
            "Add `schedule`, or remove it.",
        ),
        (
            {**MASTER_SQL, "schedule": "cron(0 2 ? * SUN#1 *)", "backup_first": True},
            ".backup_first: is for a task that somebody runs; a schedule waits for nothing, got true. "
            "Let it run after backups.schedule, and remove it.",
        ),
        (
            {**MASTER_SQL, "schedule": "rate(1 day)", "stop_after_minutes": 20161},
            ".stop_after_minutes: must be at most 20160, two weeks: Fargate replaces machines under longer tasks, "
            "got 20161. Lower it.",
        ),
    ],
)
def test_refusals_of_tasks(task, line):
    assert refusal(None, {"tasks/monthly": task}) == (f"{SYSTEM}tasks.monthly{line}",)


def test_tasks_have_names_of_their_own():
    (line,) = refusal(None, {"tasks/dump": MASTER_SQL})
    assert line == f"{SYSTEM}tasks.dump: has the name of one of the platform's own tasks. Rename it."
    (line,) = refusal(None, {"tasks/migrate/status_command": ["x"], "tasks/migrate-status": MASTER_SQL})
    assert line.endswith("has the name of the task that tells how migrate went. Rename it.")
    settle(None, {"tasks/seed-status": MASTER_SQL})


def test_a_migration_may_be_marked_as_rolled_back():
    migrate = settle(None, {"tasks/migrate/rolled_back_command": ["npx", "mark"]}).tasks["migrate"]
    assert migrate.rolled_back_command == ("npx", "mark")
    assert settle().tasks["migrate"].rolled_back_command is None
    (line,) = refusal(None, {"tasks/migrate/rolled_back_command": []})
    assert line.startswith(f"{SYSTEM}tasks.migrate.rolled_back_command: ")


def test_the_first_sunday_of_the_month():
    task = {**MASTER_SQL, "schedule": "cron(0 2 ? * SUN#1 *)", "stop_after_minutes": 240, "retries": 0}
    monthly = settle(None, {"tasks/monthly": task}).tasks["monthly"]
    assert (monthly.schedule, monthly.timezone) == ("cron(0 2 ? * SUN#1 *)", "UTC")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"backups/dump/file_name": "full_%Y%m%d_%H%M%S.tar"},
            "backups.dump.file_name: must end in .sql or .sql.gz where the format is plain, "
            "got full_%Y%m%d_%H%M%S.tar. Whoever restores it sees by the name whether psql or pg_restore reads it.",
        ),
        (
            {"backups/dump/format": "custom"},
            "backups.dump.file_name: must end in .dump where the format is custom, got rentfix_%Y%m%d.sql.gz. "
            "Whoever restores it sees by the name whether psql or pg_restore reads it.",
        ),
        (
            {"backups/dump/file_name": "full_%Y%m.sql"},
            "backups.dump.file_name: must hold the day, or each dump takes the place of the one before, "
            "got full_%Y%m.sql. Write it like acme_%Y%m%d.sql.gz.",
        ),
        (
            {"backups/dump/file_name": "full_%Y%m%d_%s.sql"},
            "backups.dump.file_name: may hold the fields %Y, %y, %m, %d, %j, %H, %M and %S, "
            "got full_%Y%m%d_%s.sql. Remove %s.",
        ),
        (
            {"backups/prefixes": {"postgres/old/": 90}},
            "backups.prefixes.postgres/old/: lies in postgres/, which has its own retention. "
            "Choose a folder beside it.",
        ),
        (
            {"backups/verify/database": "rentfix"},
            "backups.verify.database: is made for the proof and dropped after it, so it must be none that is in use, "
            "got rentfix. Set it to rentfix_verify.",
        ),
        (
            {"backups/verify_query": ABSENT},
            "backups.verify_query: is missing, and backups.verify asks it of the restored database. "
            "Write one that counts, such as SELECT COUNT(*) FROM users.",
        ),
        (
            {"backups/dump": ABSENT},
            "backups.verify: reads back the dump, and there is none. "
            "Add backups.dump, or remove it; restore_test proves the backups of AWS.",
        ),
        (
            {"backups/dump": ABSENT, "backups/verify": ABSENT, "tasks/migrate/backup_first": True},
            "tasks.migrate.backup_first: needs backups.dump, which is what is run first, got true. "
            "Add backups.dump, or remove it.",
        ),
    ],
)
def test_refusals_of_dumps(changes, line):
    assert refusal(None, changes) == (SYSTEM + line,)


@pytest.mark.parametrize(
    ("name", "format_"),
    [("full_%Y%m%d_%H%M%S.sql.gz", "plain"), ("b-%Y%m%d.sql", "plain"), ("b-%Y-%m-%d.dump", "custom")],
)
def test_names_of_dumps(name, format_):
    changes = {"backups/dump/file_name": name, "backups/dump/format": format_}
    settle(None, {**changes, "backups/prefixes": {"application/": 30}})
