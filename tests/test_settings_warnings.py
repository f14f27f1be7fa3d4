"""What is allowed but doubtful."""

import pytest

from tests.settings_examples import settle

MEMORY = (
    "systems/rentalfix/system.yaml: database.parameters.work_mem: work_mem 65536 kB on each of 200 connections and "
    "shared_buffers are 16.5 GiB, and db.r6g.large has 16. Watch FreeableMemory; lower work_mem if it falls."
)
CALM = {"database/parameters/work_mem": 4096}


def test_production_as_it_stands():
    assert settle().warnings == (MEMORY,)
    assert settle(system=CALM).warnings == ()


@pytest.mark.parametrize("parameter", ["max_connections", "work_mem"])
def test_memory_that_rds_derives_is_not_judged(parameter):
    assert (
        settle(system={f"database/parameters/{parameter}": "{DBInstanceClassMemory/9531392}"}).warnings == ()
    )


@pytest.mark.parametrize(
    ("stack", "system", "warning"),
    [
        (
            {"caches/queue/enabled": False},
            {},
            "Pulumi.prod.yaml: groundwork:caches.queue.enabled: queue matching lives in cache cache, which evicts keys "
            "(allkeys-lru) and so may lose jobs. Enable a cache with noeviction for it (queue).",
        ),
        (
            {"database/parameters/shared_buffers": 65536},
            {},
            "Pulumi.prod.yaml: groundwork:database.parameters.shared_buffers: is 3% of the memory of db.r6g.large; "
            "PostgreSQL advises 25 to 40 %. A quarter is 524288.",
        ),
        (
            {},
            {"database/row_level_security/contractors/1/command": "UPDATE"},
            "systems/rentalfix/system.yaml: database.row_level_security.contractors: rentfix_app may INSERT, but no "
            "policy of contractors is for that, so every row is refused. "
            "Add a policy for it, or take the privilege away.",
        ),
        (
            {"network/nat_gateways": "single"},
            {},
            "Pulumi.prod.yaml: groundwork:network.nat_gateways: one zone's failure would cut all zones off from the "
            "internet, got single. Set it to per_zone.",
        ),
        (
            {"database/multi_az": False},
            {},
            "Pulumi.prod.yaml: groundwork:database.multi_az: the failure of a zone would stop the database for hours, "
            "got false. Set it to true.",
        ),
        (
            {"backups/copy_region": None},
            {},
            "Pulumi.prod.yaml: groundwork:backups.copy_region: no backup would outlive the region. "
            "Name a second region.",
        ),
        (
            {"backups/restore_test": None},
            {},
            "Pulumi.prod.yaml: groundwork:backups.restore_test: nothing proves that the backups can be restored. "
            "Set it to cron(0 6 ? * SUN *).",
        ),
    ],
)
def test_warnings(stack, system, warning):
    assert settle(stack, {**CALM, **system}).warnings == (warning,)


def test_shared_buffers_by_formula_are_not_judged():
    assert (
        settle({"database/parameters/shared_buffers": "{DBInstanceClassMemory/32768}"}, CALM).warnings == ()
    )


def test_outside_production_a_zone_may_fail():
    changes = {
        "environment": "staging",
        "network/nat_gateways": "single",
        "database/multi_az": False,
        "backups/copy_region": None,
        "backups/restore_test": None,
    }
    assert settle(changes, CALM, name="staging").warnings == ()


def test_a_policy_for_all_commands_and_all_roles_allows_every_write():
    policy = {"name": "everything", "command": "ALL", "using": "true", "check": "true"}
    assert settle(system={**CALM, "database/row_level_security/contractors": [policy]}).warnings == ()
