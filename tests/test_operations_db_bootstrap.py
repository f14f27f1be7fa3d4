"""`groundwork db bootstrap`: the SQL that each stack really declares, run on a real PostgreSQL, and what that allows.

As a task it goes through botocore's Stubber: moto starts no container.
"""

import json

import pytest
from botocore.stub import ANY, Stubber

from operations import tasks
from operations.db import bootstrap, psql
from operations.platform import Platform
from tests.database_stack import MIGRATION, aws, standing
from tests.program import ROOT, declared
from tests.real_servers import MASTER, Refused

# Together with what else looks at RentalFix's production, which is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("prod ")

SYSTEMS = ("prod", "fixrx/prod", "nx-monorepo/prod", "sports-nutrition/prod", "ts-service/prod")
ROWS = """
INSERT INTO contractors (name, status, deleted_at, specialties, location_point) VALUES
    ('seen', 'verified', NULL, '["plumbing"]', ST_MakePoint(-74.006, 40.7128)),
    ('waiting', 'pending', NULL, '["plumbing"]', ST_MakePoint(-74.006, 40.7128)),
    ('gone', 'verified', now(), '["plumbing"]', ST_MakePoint(-74.006, 40.7128));
INSERT INTO contractor_ratings (contractor_id, stars) VALUES (1, 5);
"""
# Everything that a bootstrap may change, but for the passwords' salts.
STATE = """
SELECT 'role', rolname, rolcanlogin::text, rolconfig::text FROM pg_roles WHERE rolname !~ '^pg_' UNION ALL
SELECT 'member', roleid::regrole::text, member::regrole::text, '' FROM pg_auth_members UNION ALL
SELECT 'database', datname, '', datacl::text FROM pg_database WHERE datname = current_database() UNION ALL
SELECT 'schema', nspname, '', nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_' UNION ALL
SELECT 'table', relname, relrowsecurity::text, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'policy', polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy
UNION ALL SELECT 'index', indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'extension', extname, extversion, '' FROM pg_extension ORDER BY 1, 2, 3, 4
"""


@pytest.fixture
def stand(new_database, tmp_path):
    """A stack with its extensions, which on RDS its master user may make himself."""
    stands = []

    def make(stack="prod", *more):
        extensions = declared(stack).value["database"]["declared"]["extensions"]
        made = standing(new_database(*extensions, *more), tmp_path, stack)
        stands.append(made)
        return made.__enter__()

    yield make
    for made in reversed(stands):
        made.__exit__(None, None, None)


@pytest.fixture
def rentalfix(stand):
    stack = stand()
    stack.sql(MIGRATION)
    return stack


@pytest.mark.parametrize("stack", SYSTEMS)
def test_each_system_is_as_declared_after_it_and_the_second_time_changes_nothing(stand, stack):
    made = stand(stack)
    if stack == "prod":
        made.sql(MIGRATION)
    made.bootstrap()
    first = made.sql(STATE)
    assert all(f"role|{role}|true" in first for role in made.said["roleSecretArns"])
    made.bootstrap()
    assert made.sql(STATE) == first
    answer = made.run("check")
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize(
    "stack", ["fixrx/prod", "nx-monorepo/prod", "sports-nutrition/prod", "ts-service/prod"]
)
def test_a_role_that_may_do_everything_in_public_makes_its_own_tables(stand, stack):
    made = stand(stack)
    made.bootstrap()
    [role] = made.said["roleSecretArns"]
    made.sql(
        "CREATE TABLE vendors (id serial, name text); INSERT INTO vendors (name) VALUES ('a')", user=role
    )
    assert made.sql("SELECT count(*) FROM vendors") == "1", "the master user is its member, and dumps it"
    assert made.run("check").exit_code == 0
    settings = made.said["declared"]["roles"][role]["settings"]
    for name, value in settings.items():
        assert made.sql(f"SHOW {name}", user=role) == value
    with pytest.raises(Refused, match="permission denied to create role"):
        made.sql("CREATE ROLE another", user=role)


def test_tables_that_are_not_there_yet_are_skipped_and_done_the_next_time(stand):
    made = stand()
    answer = made.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 0
    assert "table contractors does not exist yet: run the migration, then run this once more" in answer.output
    made.sql(MIGRATION)
    answer = made.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 0
    assert "does not exist" not in answer.output
    assert made.run("check").exit_code == 0


def test_what_is_no_longer_declared_is_taken_away(rentalfix):
    rentalfix.bootstrap()
    rentalfix.sql("GRANT DELETE ON contractors TO rentfix_app; ALTER ROLE rentfix_app SET work_mem = '1GB'")
    rentalfix.bootstrap()
    with pytest.raises(Refused, match="permission denied for table contractors"):
        rentalfix.sql("DELETE FROM contractors", user="rentfix_app")
    assert rentalfix.sql("SHOW work_mem", user="rentfix_app") == "4MB"


@pytest.fixture
def filled(rentalfix):
    rentalfix.bootstrap()
    rentalfix.sql(ROWS)
    return rentalfix


def test_each_grant_and_each_refusal(filled):
    allowed = {
        "rentfix_app": [
            "SELECT * FROM contractors",
            "SELECT * FROM contractor_ratings",
            "INSERT INTO contractors (name) VALUES ('new')",
            "UPDATE contractors SET name = 'renamed' WHERE id = 1",
        ],
        "rentfix_worker": ["SELECT * FROM contractors", "SELECT * FROM contractor_ratings"],
    }
    refused = {
        "rentfix_app": [
            "DELETE FROM contractors",
            "TRUNCATE contractors",
            "INSERT INTO contractor_ratings (contractor_id, stars) VALUES (1, 1)",
            "UPDATE contractor_ratings SET stars = 1",
            "CREATE TABLE own ()",
            "ALTER TABLE contractors DISABLE ROW LEVEL SECURITY",
            "CREATE SCHEMA own",
            "SET ROLE master",
        ],
        "rentfix_worker": [
            "INSERT INTO contractors (name) VALUES ('new')",
            "UPDATE contractors SET name = 'renamed'",
            "DELETE FROM contractors",
            "DELETE FROM contractor_ratings",
            "CREATE TABLE own ()",
        ],
    }
    for role, statements in allowed.items():
        for statement in statements:
            filled.sql(f"BEGIN; {statement}; ROLLBACK", user=role)
    for role, statements in refused.items():
        for statement in statements:
            with pytest.raises(Refused, match=r"permission denied|must be owner"):
                filled.sql(statement, user=role)


def test_row_level_security_shows_and_takes_only_what_its_policies_say(filled):
    names = "SELECT string_agg(name, ',' ORDER BY id) FROM contractors"
    assert filled.sql(names) == "seen,waiting,gone", "the owner sees every row"
    for role in ("rentfix_app", "rentfix_worker"):
        assert filled.sql(names, user=role) == "seen"
    changed = "WITH changed AS (UPDATE contractors SET name = name || '!' {} RETURNING 1) SELECT count(*) FROM changed"
    assert filled.sql(changed.format(""), user="rentfix_app") == "1"
    assert filled.sql(changed.format("WHERE name = 'gone'"), user="rentfix_app") == "0"
    # Without a policy for INSERT the grant alone would be refused.
    filled.sql("INSERT INTO contractors (name, status) VALUES ('made', 'pending')", user="rentfix_app")
    assert filled.sql("SELECT count(*) FROM contractors WHERE name = 'made'") == "1"
    filled.sql("DROP POLICY contractor_insert_policy ON contractors")
    with pytest.raises(Refused, match="violates row-level security policy"):
        filled.sql("INSERT INTO contractors (name) VALUES ('refused')", user="rentfix_app")


def test_the_partial_index_answers_whoever_sees_live_rows_only(filled, tmp_path):
    """The guide's own query leaves `deleted_at` out, and only row level security puts it in."""
    filled.sql("""
        INSERT INTO contractors (name, specialties, location_point)
        SELECT n::text, CASE WHEN n % 50 = 0 THEN '["plumbing"]'::jsonb ELSE '["roofing"]' END,
               ST_MakePoint(-74 + n / 10000.0, 40.7)
        FROM generate_series(1, 5000) AS n;
        ANALYZE contractors;
    """)
    query = str(ROOT / "systems/rentalfix/queries/nearby.sql")
    plans = {
        role: filled.run("explain", "--file", query, *(["--role", role] if role else [])).output
        for role in ("", "rentfix_app")
    }
    assert "idx_contractors_specialty_location" in plans["rentfix_app"]
    assert "idx_contractors_specialty_location" not in plans[""]
    analyzed = filled.run("explain", "--file", query, "--role", "rentfix_app", "--analyze", "--json")
    [plan] = json.loads(analyzed.stdout)
    assert plan["Execution Time"] > 0


def test_passwords_come_from_secrets_manager_and_are_shown_and_kept_nowhere(stand):
    made = stand("fixrx/prod")
    database, passwords = made.database, made.database.server.passwords
    database.sql(f"ALTER DATABASE {database.name} SET log_statement = 'ddl'")
    log = database.server.folder / "postgres.log"
    logged_before = log.stat().st_size
    answer = made.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 0
    assert made.sql("SELECT 1", user="fixrx_app") == "1", "it logs in with what Secrets Manager has"
    logged = log.read_bytes()[logged_before:].decode(errors="replace")
    # Statements of the fixtures, which make the server's users, are another database's.
    ours = f"(SELECT oid FROM pg_database WHERE datname = '{database.name}')"
    kept = database.sql(f"SELECT query FROM pg_stat_statements WHERE dbid = {ours}")
    for told in (logged, kept):
        assert 'GRANT "fixrx_app"' in told
    for secret in (passwords["fixrx_app"], passwords[MASTER]):
        for told in (logged, kept, answer.output):
            assert secret not in told
            assert secret.replace("'", "''") not in told


def test_a_password_that_cannot_be_set_is_in_no_message(rentalfix):
    rentalfix.database.sql("CREATE ROLE rentfix_app LOGIN SUPERUSER")
    answer = rentalfix.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 1
    assert "psql ended with 3. Mend what it says above, and run the same command again." in answer.output
    assert "must be superuser" in answer.output
    assert "it's rentfix_app's" not in answer.output


def test_a_program_is_told_what_a_dry_run_would_change_with_the_sql_and_no_password(rentalfix):
    answer = rentalfix.run("bootstrap", "--direct", "--dry-run", "--json")
    told = json.loads(answer.stdout)
    assert told.keys() == {"stack", "would", "sql"}
    assert told["would"][-1] == f"run this on {rentalfix.said['identifier']} from here"
    assert f"{told['sql']}\n" == rentalfix.run("bootstrap", "--direct", "--dry-run").stdout
    for password in rentalfix.database.server.passwords.values():
        assert password not in answer.output


def test_from_here_a_program_is_told_the_end_and_a_person_what_psql_says(stand):
    made = stand()
    answer = made.run("bootstrap", "--direct", "--yes", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)["done"]) == (0, True)
    assert "table contractors does not exist yet" in answer.stderr
    made.database.sql("ALTER ROLE rentfix_app SUPERUSER")
    answer = made.run("bootstrap", "--direct", "--yes", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)["done"]) == (1, False)
    assert "psql ended with 3." in answer.stderr
    for password in made.database.server.passwords.values():
        assert password not in answer.output


def test_what_psql_would_say_of_a_secret_is_left_out():
    lines = []
    code = psql.run_script("\\warn it is hunter2 here\n", {}, secrets=["hunter2"], tell=lines.append)
    assert code in (0, 2)
    assert lines
    assert "hunter2" not in "".join(lines)


def test_a_dry_run_names_everything_and_changes_nothing(rentalfix):
    before = rentalfix.sql(STATE)
    answer = rentalfix.run("bootstrap", "--direct", "--dry-run")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("\\set ON_ERROR_STOP on\n")
    assert answer.stderr.splitlines() == [
        "rentalfix, stack prod, in us-east-1:",
        "  would make the extensions postgis, postgis_topology, where they are missing",
        "  would set passwords, settings and grants of the roles rentfix_app, rentfix_worker, and make those that are "
        "missing",
        "  would switch row level security on for contractors",
        "  would make the policies contractor_access_policy, contractor_insert_policy, contractor_update_policy anew",
        "  would make the indexes idx_contractors_specialty_location, where they are missing",
        "  would run this on rentfix-primary from here",
        "Nothing was done (--dry-run).",
    ]
    assert rentalfix.sql(STATE) == before


def test_a_statement_that_fails_ends_it(stand, new_database):
    made = stand()
    made.said["declared"]["extensions"] = {}
    made.database.sql("DROP EXTENSION postgis CASCADE; CREATE TABLE contractors ()")
    answer = made.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 1
    assert 'permission denied to create extension "postgis"' in answer.output
    assert made.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'rentfix_app'") == "0"


def test_from_here_no_password_is_made(rentalfix):
    arn = aws().client("secretsmanager").create_secret(Name="empty")["ARN"]
    definition = rentalfix.outputs["tasks"]["bootstrap"]["taskDefinition"]
    ecs = aws().client("ecs")
    containers = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"][
        "containerDefinitions"
    ]
    for variable in (each for container in containers for each in container["environment"]):
        if variable["name"] == "ROLES":
            variable["value"] = f"rentfix_app PASSWORD_RENTFIX_APP {arn}"
    again = ecs.register_task_definition(
        family="empty",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=containers,
    )["taskDefinition"]
    rentalfix.outputs["tasks"]["bootstrap"]["taskDefinition"] = again["taskDefinitionArn"]
    answer = rentalfix.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 2
    made = "The task makes them: `groundwork db bootstrap --stack prod` without --direct."
    assert f"No password yet: {arn}. {made}" in answer.output
    assert rentalfix.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'rentfix_app'") == "0"


def test_a_role_whose_secret_is_empty_is_told_what_makes_it(rentalfix):
    arn = aws().client("secretsmanager").create_secret(Name="empty-login")["ARN"]
    rentalfix.said["roleSecretArns"]["rentfix_app"] = arn
    answer = rentalfix.run("ping", "--role", "rentfix_app")
    assert answer.exit_code == 2
    assert f"{arn} holds no login" in answer.output
    assert "`groundwork db bootstrap` makes a role's" in answer.output


def test_nobody_is_asked_for_a_password_without_knowing_who_asks(rentalfix):
    answer = rentalfix.run("bootstrap", "--direct", "--yes", checked=False)
    assert answer.exit_code == 2
    assert (
        "psql is given passwords, so it must be sure who answers. Get RDS' authorities: `curl"
        in answer.output
    )


def test_psql_must_be_there_and_new_enough(rentalfix, monkeypatch, tmp_path):
    monkeypatch.setattr(psql.shutil, "which", lambda _: None)
    answer = rentalfix.run("bootstrap", "--direct", "--yes")
    assert (
        answer.exit_code,
        "psql is not on PATH. Install PostgreSQL's client, 14 or newer" in answer.output,
    ) == (2, True)
    old = tmp_path / "psql"
    old.write_text("#!/bin/sh\necho 'psql (PostgreSQL) 13.4'\n")
    old.chmod(0o755)
    monkeypatch.setattr(psql.shutil, "which", lambda _: str(old))
    answer = rentalfix.run("bootstrap", "--direct", "--yes")
    assert answer.exit_code == 2
    assert "psql (PostgreSQL) 13.4 is too old: install PostgreSQL's client, 14 or newer." in answer.output


def test_only_the_master_user_makes_roles(rentalfix):
    answer = rentalfix.run("bootstrap", "--yes", "--role", "rentfix_app")
    assert answer.exit_code == 2
    assert "Only the master user may make roles: leave out --role." in answer.output


def test_nobody_there_to_say_yes_changes_nothing(rentalfix):
    answer = rentalfix.run("bootstrap", "--direct")
    assert answer.exit_code == 2
    assert "Nobody is there to say yes. Add --yes" in answer.output
    assert rentalfix.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'rentfix_app'") == "0"


def test_a_definition_of_another_groundwork_is_refused(rentalfix):
    ecs = aws().client("ecs")
    container = {"name": "app", "image": "app:1", "memory": 128}
    answer = ecs.register_task_definition(family="other", containerDefinitions=[container])
    arn = answer["taskDefinition"]["taskDefinitionArn"]
    rentalfix.outputs["tasks"]["bootstrap"]["taskDefinition"] = arn
    answer = rentalfix.run("bootstrap", "--yes")
    assert answer.exit_code == 2
    assert (
        f"{arn} has no BOOTSTRAP_SQL and no ROLES and no URLS: it is of another Groundwork. `pulumi up` declares it "
        "anew." in answer.output
    )


def test_outputs_that_do_not_say_what_is_declared_are_refused(rentalfix):
    del rentalfix.said["declared"]
    answer = rentalfix.run("bootstrap", "--yes")
    assert answer.exit_code == 2
    assert "`pulumi up` writes that into them." in answer.output


def test_a_stack_without_the_task_is_refused(rentalfix):
    del rentalfix.outputs["tasks"]["bootstrap"]
    answer = rentalfix.run("bootstrap", "--yes")
    assert answer.exit_code == 2
    assert "has no task bootstrap. `pulumi up` declares it with the database." in answer.output


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        (
            0,
            0,
            "bootstrap: ended well\nDone. `groundwork db check` compares the database with what is declared.\n",
        ),
        (3, 1, "bootstrap failed: bootstrap ended with 3."),
    ],
)
def test_the_task_is_run_to_its_end(rentalfix, monkeypatch, code, exit_code, said, as_json):
    """By the Stubber: what ECS is asked, and what becomes of its answers."""
    arn = "arn:aws:ecs:us-east-1:111122223333:task/rentalfix-prod/0123"
    clients = {name: aws().client(name) for name in ("ecs", "logs")}
    stubs = {name: Stubber(client) for name, client in clients.items()}
    definition = rentalfix.outputs["tasks"]["bootstrap"]["taskDefinition"]
    described = clients["ecs"].describe_task_definition(taskDefinition=definition)["taskDefinition"]
    stubs["ecs"].add_response(
        "describe_task_definition", {"taskDefinition": described}, {"taskDefinition": definition}
    )
    asked = {
        "cluster": ANY,
        "launchType": "FARGATE",
        "taskDefinition": definition,
        "count": 1,
        "startedBy": ANY,
    }
    stubs["ecs"].add_response("list_tasks", {"taskArns": []})
    stubs["ecs"].add_response(
        "run_task", {"tasks": [{"taskArn": arn}], "failures": []}, {**asked, "networkConfiguration": ANY}
    )
    stopped = {"lastStatus": "STOPPED", "containers": [{"name": "bootstrap", "exitCode": code}]}
    stubs["ecs"].add_response("describe_tasks", {"tasks": [stopped]})
    stubs["logs"].add_client_error("get_log_events", "ResourceNotFoundException")
    for stub in stubs.values():
        stub.activate()
    monkeypatch.setattr(Platform, "client", lambda _, service: clients[service])
    monkeypatch.setattr(tasks, "LATE_POLLS", 0)
    answer = rentalfix.run("bootstrap", "--yes", *(["--json"] if as_json else []))
    assert answer.exit_code == exit_code, answer.output
    if as_json:
        assert said.splitlines()[0] in answer.stderr
        told = json.loads(answer.stdout)
        assert (told["database"], told["done"]) == (rentalfix.said["identifier"], code == 0)
        assert any("rentfix_app" in each for each in told["changes"])
    else:
        assert said in answer.output
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def test_the_secret_of_a_variable_is_found_whatever_follows_it():
    arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/prod/database/app-AbCdEf"
    assert [bootstrap.secret_arn(arn + end) for end in ("", ":password::", ":password:AWSCURRENT:")] == [
        arn
    ] * 3
