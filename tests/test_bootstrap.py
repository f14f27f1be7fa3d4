"""The bootstrap's SQL: what it says, in which order, and that no password can be in it."""

import pytest

from components._bootstrap import (
    Bootstrap,
    Index,
    Role,
    RowPolicy,
    identifier,
    literal,
    password_variable,
    sql,
)

RENTFIX = Bootstrap(
    database="rentfix",
    extensions=["postgis"],
    roles={"rentfix_app": Role(tables={"contractors": ["SELECT", "INSERT"]})},
    row_policies=[
        RowPolicy(name="seen", table="contractors", command="SELECT", using="deleted_at IS NULL"),
        RowPolicy(name="made", table="contractors", command="INSERT", check="true", roles=["rentfix_app"]),
    ],
    indexes=[Index(name="by_place", table="contractors", definition="USING GIST (place)")],
)


def test_the_whole_script():
    assert sql(RENTFIX).splitlines() == [
        "\\set ON_ERROR_STOP on",
        "DO $$BEGIN SET log_min_error_statement = 'panic'; EXCEPTION WHEN insufficient_privilege THEN NULL; END$$;",
        'CREATE EXTENSION IF NOT EXISTS "postgis";',
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        "SELECT 'CREATE ROLE \"rentfix_app\" LOGIN' "
        "WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rentfix_app') \\gexec",
        'GRANT "rentfix_app" TO CURRENT_USER;',
        "\\getenv password PASSWORD_RENTFIX_APP",
        "SELECT set_config('groundwork.password', :'password', false) IS NULL AS unset \\gset",
        "\\unset password",
        "DO $$BEGIN EXECUTE format('ALTER ROLE \"rentfix_app\" LOGIN PASSWORD %L', "
        "current_setting('groundwork.password')); EXCEPTION WHEN OTHERS THEN "
        "RAISE EXCEPTION 'the password of rentfix_app was not set: %', SQLERRM; END$$;",
        "SELECT set_config('groundwork.password', '', false) IS NULL AS unset \\gset",
        "BEGIN;",
        'REVOKE ALL ON DATABASE "rentfix" FROM "rentfix_app";',
        'GRANT CONNECT ON DATABASE "rentfix" TO "rentfix_app";',
        'ALTER ROLE "rentfix_app" RESET ALL;',
        'REVOKE ALL ON SCHEMA public FROM "rentfix_app";',
        'GRANT USAGE ON SCHEMA public TO "rentfix_app";',
        "COMMIT;",
        "SELECT to_regclass('public.\"contractors\"') IS NOT NULL AS found \\gset",
        "\\if :found",
        "BEGIN;",
        'REVOKE ALL ON TABLE "contractors" FROM "rentfix_app";',
        'GRANT SELECT, INSERT ON TABLE "contractors" TO "rentfix_app";',
        "SELECT format('GRANT USAGE ON SEQUENCE %s TO \"rentfix_app\"', drawn) FROM "
        "(SELECT pg_get_serial_sequence('public.\"contractors\"', attname) AS drawn FROM pg_attribute "
        "WHERE attrelid = 'public.\"contractors\"'::regclass AND attnum > 0 AND NOT attisdropped) "
        "AS columns WHERE drawn IS NOT NULL \\gexec",
        "COMMIT;",
        'ALTER TABLE "contractors" ENABLE ROW LEVEL SECURITY;',
        'DROP POLICY IF EXISTS "seen" ON "contractors";',
        'CREATE POLICY "seen" ON "contractors" FOR SELECT TO PUBLIC USING (deleted_at IS NULL);',
        'DROP POLICY IF EXISTS "made" ON "contractors";',
        'CREATE POLICY "made" ON "contractors" FOR INSERT TO "rentfix_app" WITH CHECK (true);',
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_place" ON "contractors" USING GIST (place);',
        "\\else",
        "\\warn table contractors does not exist yet: run the migration, then run this once more",
        "\\endif",
    ]


def test_a_table_without_policies_keeps_row_level_security_off():
    script = sql(Bootstrap(database="shop", roles={"reader": Role(tables={"orders": ["SELECT"]})}))
    assert 'GRANT SELECT ON TABLE "orders" TO "reader";' in script
    assert "ROW LEVEL SECURITY" not in script
    assert "SEQUENCE" not in script


def test_a_role_without_tables_may_still_connect():
    script = sql(Bootstrap(database="shop", roles={"reader": Role()}))
    assert 'GRANT CONNECT ON DATABASE "shop" TO "reader";' in script
    assert "ON TABLE" not in script


@pytest.mark.parametrize(
    ("name", "quoted"), [("plain", '"plain"'), ('odd"name', '"odd""name"'), ("Sch-ool", '"Sch-ool"')]
)
def test_identifiers_are_quoted(name, quoted):
    assert identifier(name) == quoted


def test_literals_are_quoted():
    assert literal("it's") == "'it''s'"


def test_the_password_comes_from_the_environment():
    assert password_variable("rentfix_app") == "PASSWORD_RENTFIX_APP"
    assert ":'password'" in sql(RENTFIX)


def test_everything_on_the_database_and_the_schema_may_be_granted_and_settings_given():
    role = Role(
        database=["ALL"],
        schemas={"public": ["ALL"], "reports": ["USAGE"]},
        settings={"statement_timeout": "30s", "pg_trgm.similarity_threshold": "0.4"},
    )
    lines = sql(Bootstrap(database="shop", extensions=["uuid-ossp"], roles={"owner": role})).splitlines()
    assert 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";' in lines
    start = lines.index("BEGIN;")
    assert lines[start : lines.index("COMMIT;") + 1] == [
        "BEGIN;",
        'REVOKE ALL ON DATABASE "shop" FROM "owner";',
        'GRANT ALL ON DATABASE "shop" TO "owner";',
        'ALTER ROLE "owner" RESET ALL;',
        'ALTER ROLE "owner" SET "statement_timeout" = \'30s\';',
        'ALTER ROLE "owner" SET "pg_trgm"."similarity_threshold" = \'0.4\';',
        'REVOKE ALL ON SCHEMA public FROM "owner";',
        'GRANT ALL ON SCHEMA public TO "owner";',
        "COMMIT;",
    ]
    assert 'GRANT USAGE ON SCHEMA "reports" TO "owner";' in lines
    assert lines[-1] == "\\endif"


def test_a_privilege_beside_the_right_to_connect():
    script = sql(
        Bootstrap(database="shop", roles={"maker": Role(database=["CREATE"], schemas={"public": ["CREATE"]})})
    )
    assert 'GRANT CONNECT, CREATE ON DATABASE "shop" TO "maker";' in script
    assert 'GRANT USAGE, CREATE ON SCHEMA public TO "maker";' in script


def test_all_on_a_table_includes_its_sequences():
    script = sql(Bootstrap(database="shop", roles={"owner": Role(tables={"orders": ["ALL"]})}))
    assert "GRANT USAGE ON SEQUENCE" in script
