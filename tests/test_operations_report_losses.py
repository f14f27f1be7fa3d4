"""What is replaced or destroyed, why, and whether somebody has taken responsibility."""

import pytest

from operations.report.acknowledgement import Acknowledgement, read
from operations.report.losses import losses
from tests.report_previews import BUCKET, CACHE, INSTANCE, ROLE, SERVICE, TASK, preview, step, urn

DATABASE = urn(INSTANCE, "database")
REPLACED = step(
    "replace", INSTANCE, "database", old={"dbName": "a"}, new={"dbName": "b"}, replacing=["dbName"]
)


def of(*steps, said="", **more):
    return losses(preview(*steps, **more), read(said))


def the(*steps, **more):
    (item,) = of(*steps, **more).items
    return item


def test_nothing_is_lost_where_things_are_made_or_changed():
    assert (
        of(step("create", INSTANCE, "a"), step("update", INSTANCE, "b"), step("same", INSTANCE, "c")).items
        == ()
    )


def test_a_database_that_is_replaced_blocks_and_says_which_input_is_the_reason():
    item = the(REPLACED)
    assert item.blocks
    assert (item.what, item.verb) == ("database", "replace")
    assert item.because == "`dbName` (a → b) cannot be changed in place"


def test_a_value_that_may_be_secret_is_not_said():
    item = the(
        step("replace", CACHE, "c", old={"authToken": "a"}, new={"authToken": "b"}, replacing=["authToken"])
    )
    assert item.because == "`authToken` cannot be changed in place"


def test_what_holds_no_data_does_not_block():
    item = the(step("replace", ROLE, "role", replacing=["path"]))
    assert not item.stateful
    assert not item.blocks


def test_a_component_is_nothing_that_could_be_lost():
    gone = step("delete", "groundwork:data:Database", "database")
    gone["oldState"]["custom"] = False
    assert of(gone).items == ()


def test_a_read_replica_holds_a_copy_only():
    assert not the(step("replace", INSTANCE, "replica", old={"replicateSourceDb": "database"})).stateful


def test_one_that_follows_another_says_by_which_input():
    task = step("replace", TASK, "api", propertyDependencies={"containerDefinitions": [DATABASE]})
    (_, follower) = of(REPLACED, task).items
    assert follower.because == "its `containerDefinitions` comes from `database`, which is replaced"


def test_one_that_depends_on_others_without_an_input_says_so():
    other = step("replace", CACHE, "cache", replacing=["engine"])
    task = step("replace", TASK, "api", dependencies=[DATABASE, urn(CACHE, "cache")])
    assert (
        of(REPLACED, other, task).items[-1].because == "it depends on `cache`, `database`, which are replaced"
    )


def test_one_without_any_reason_says_that_too():
    assert the(step("replace", INSTANCE, "a")).because == "the preview does not say which input is the reason"


def test_what_is_destroyed_may_be_a_new_name():
    gone, new = step("delete", BUCKET, "uploads"), step("create", BUCKET, "files")
    assert (
        "the program does not declare it any more; `files` of the same type is created"
        in of(gone, new).items[0].because
    )
    assert of(gone).items[0].because == "the program does not declare it any more"
    role = (step("delete", ROLE, "a"), step("create", ROLE, "b"))
    assert of(*role).items[0].because == "the program does not declare it any more"


@pytest.mark.parametrize(
    ("inputs", "name"),
    [({"identifier": "x"}, "identifier"), ({"identifier": "x", "__defaults": ["identifier"]}, ""), ({}, "")],
)
def test_old_and_new_may_have_one_name(inputs, name):
    assert the(step("replace", INSTANCE, "database", old=inputs, retainOnDelete=True)).same_name == name


def test_protected_and_retained_ones_are_told_apart():
    kept = the(step("delete", BUCKET, "b", protect=True, retainOnDelete=True))
    free = the(step("delete", BUCKET, "b"))
    assert (kept.protected, kept.retained) == (True, True)
    assert (free.protected, free.retained) == (False, False)


def test_one_at_which_the_engine_stopped_blocks_too():
    message = f'unable to replace resource "{DATABASE}"\nas it is currently marked for protection.'
    item = the(diagnostics=[{"message": message, "severity": "error"}])
    assert item.blocks
    assert item.protected
    assert "does not say which input is the reason" in item.because


def test_the_engine_stopping_at_one_that_is_listed_adds_nothing():
    message = f'unable to replace resource "{DATABASE}" as it is currently marked for protection.'
    item = the(REPLACED, diagnostics=[{"message": message, "severity": "error"}])
    assert item.protected
    assert "dbName" in item.because


def test_those_that_block_come_first():
    found = of(
        step("delete", ROLE, "a"),
        step("delete", BUCKET, "acknowledged"),
        REPLACED,
        said="groundwork: destroy acknowledged",
    )
    assert [item.name for item in found.items] == ["database", "acknowledged", "a"]
    assert [item.name for item in found.blocking] == ["database"]


@pytest.mark.parametrize("line", ["groundwork: replace database", f"groundwork: replace {DATABASE}"])
def test_a_name_or_a_urn_acknowledges(line):
    found = of(REPLACED, said=line)
    assert found.items[0].acknowledged
    assert (found.blocking, found.idle) == ((), ())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "groundwork: replace data-base",
            "`groundwork: replace data-base` names nothing that is replaced or destroyed here",
        ),
        (
            "groundwork: destroy database",
            "names what would be replaced: write `groundwork: replace` if that is meant",
        ),
        ("groundwork: replace api", "names what holds no data: it needs no acknowledgement"),
    ],
)
def test_an_acknowledgement_of_no_use_is_said_and_excuses_nothing(line, sentence):
    found = of(REPLACED, step("replace", TASK, "api"), said=line)
    assert found.blocking
    assert [sentence in said for said in found.idle] == [True]


def test_a_name_that_several_have_acknowledges_none_of_them():
    both = (step("delete", BUCKET, "backups"), step("delete", "aws:backup/vault:Vault", "backups"))
    found = of(*both, said="groundwork: destroy backups")
    assert len(found.blocking) == 2
    assert found.idle == (
        "`groundwork: destroy backups` could mean any of `s3.Bucket`, `backup.Vault`: write the URN",
    )
    assert len(of(*both, said=f"groundwork: destroy {urn(BUCKET, 'backups')}").blocking) == 1


def test_a_urn_of_another_stack_is_for_that_stack():
    found = of(REPLACED, said=f"groundwork: replace {urn(INSTANCE, 'database', 'staging')}")
    assert found.blocking
    assert found.idle == ()


@pytest.mark.parametrize(
    "line",
    [
        "groundwork: replace database",
        "  groundwork:  replace   database  ",
        "- groundwork: replace database",
        "* [x] groundwork: replace database",
        "`groundwork: replace database`",
        "GROUNDWORK: Replace database",
        "text before\r\ngroundwork: replace database\r\nand after",
    ],
)
def test_a_line_is_found_as_people_write_it(line):
    assert read(line) == [Acknowledgement("replace", "database")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "we groundwork: replace database",
        "> groundwork: replace database",
        "- [ ] groundwork: replace database",
        "<!-- write\ngroundwork: replace database\n-->",
        "<!-- not closed\ngroundwork: replace database",
        "```\ngroundwork: replace database\n```",
        "```text\ngroundwork: replace database\n",
        "~~~\ngroundwork: replace database\n~~~",
        "groundwork: rebuild database",
        "groundwork: replace",
        "    groundwork: replace database",
    ],
)
def test_what_the_author_has_not_said_is_not_heard(text):
    assert read(text) == []


def test_several_lines_are_several_acknowledgements_each_once():
    text = "groundwork: replace a\ngroundwork: destroy b\ngroundwork: replace a\n"
    assert read(text) == [Acknowledgement("replace", "a"), Acknowledgement("destroy", "b")]


def test_a_service_is_none_of_these():
    assert not the(step("delete", SERVICE, "api")).stateful
