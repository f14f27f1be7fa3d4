"""Reading what `pulumi preview --json` wrote, that of a failed one included."""

import json
from typing import Any

import pytest

from operations.report.preview import Unreadable, read, short, with_unchanged
from tests.report_previews import BUCKET, INSTANCE, preview, state, step, urn

PROTECTED = (
    f'error: unable to replace resource "{urn(INSTANCE, "database")}"\nas it is currently marked for protection. '
    "To unprotect the resource, remove the `protect` flag"
)
UNDELETABLE = (
    f'error: resource "{urn(BUCKET, "uploads")}" cannot be deleted\nbecause it is protected. To unprotect it'
)


def said(message, severity="error"):
    return {"message": message, "severity": severity}


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        ("create", "create"),
        ("update", "update"),
        ("replace", "replace"),
        ("delete", "destroy"),
        ("same", "same"),
    ],
)
def test_each_operation_of_the_engine_has_a_kind(op, kind):
    found = preview(step(op, BUCKET, "uploads"))
    assert [change.kind for change in found.changes.values()] == [kind]


def test_what_changes_nothing_is_left_out():
    assert not preview(step("refresh", BUCKET, "uploads"), step("discard", BUCKET, "b")).changes


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_the_three_steps_of_a_replacement_are_one(order):
    steps = [
        {**step("create-replacement", INSTANCE, "db", new={"a": 2}), "oldState": None},
        step("replace", INSTANCE, "db", old={"a": 1}, new={"a": 2}, replacing=["a"]),
        {**step("delete-replaced", INSTANCE, "db", old={"a": 1}), "newState": None},
    ]
    found = preview(*(steps[index] for index in order))
    (change,) = found.changes.values()
    assert (change.kind, change.replacing) == ("replace", ("a",))
    assert [state.inputs for state in (change.old, change.new) if state] == [{"a": 1}, {"a": 2}]


def test_without_a_detailed_diff_the_reasons_say_what_changes():
    bare = {**step("replace", INSTANCE, "db"), "diffReasons": ["a", "b"], "replaceReasons": ["b"]}
    (change,) = preview(bare).changes.values()
    assert (change.changed, change.replacing) == (("a", "b"), ("b",))


def test_nulls_of_the_engine_are_nothing():
    more: dict[str, Any] = {"dependencies": None, "propertyDependencies": {"engine": None}}
    null = {**step("update", INSTANCE, "db", **more), "detailedDiff": None, "diffReasons": None}
    (change,) = preview(null).changes.values()
    assert change.state.needs() == set()


def test_errors_are_said_once_and_without_their_echo():
    found = preview(
        diagnostics=[
            said("error: no settings\n"),
            said("error: no settings"),
            said("error: preview failed\n"),
            said("w", "warning"),
        ]
    )
    assert found.errors == ("no settings",)
    assert not found.is_whole


def test_a_preview_that_only_policies_refuse_came_to_its_end():
    assert preview(diagnostics=[said("error: preview failed\n")]).is_whole


def test_protected_resources_at_which_the_engine_stopped_are_known():
    found = preview(diagnostics=[said(PROTECTED), said(UNDELETABLE)])
    assert found.refused == {urn(INSTANCE, "database"): "replace", urn(BUCKET, "uploads"): "destroy"}
    assert found.errors == ()
    assert not found.is_whole


def test_it_lists_all_only_when_everything_unchanged_is_there():
    same, create = step("same", BUCKET, "a"), step("create", BUCKET, "b")
    assert preview(same, create, changeSummary={"same": 1, "create": 1}).lists_all
    assert not preview(same, create, changeSummary={"same": 5}).lists_all
    assert not preview(same, diagnostics=[said("error: broken")]).lists_all


def test_unchanged_ones_are_counted_though_they_are_not_listed():
    assert (
        preview(step("create", BUCKET, "b"), changeSummary={"same": 400, "create": 1}).counts["same"] == 400
    )


def test_what_the_event_log_has_is_added_and_replaces_nothing():
    found = preview(step("update", BUCKET, "a", new={"x": 2}), changeSummary={"same": 1, "update": 1})
    states = {urn(BUCKET, name): read(json.dumps({"steps": [step("same", BUCKET, name)]})) for name in "ab"}
    added = with_unchanged(found, {key: value.changes[key].state for key, value in states.items()})
    assert {change.name: change.kind for change in added.changes.values()} == {"a": "update", "b": "same"}
    assert added.lists_all


def test_names_come_from_the_settings_and_the_urns():
    found = preview(step("create", BUCKET, "b"))
    assert (found.system, found.stack, found.region) == ("rentalfix", "prod", "us-east-1")
    foreign = read(json.dumps({"config": {"aws:region": {"secret": True}}}))
    assert (foreign.system, foreign.stack, foreign.region) == (None, None, None)


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (INSTANCE, "rds.Instance"),
        ("kubernetes:apps/v1:Deployment", "kubernetes.Deployment"),
        ("random:index/randomPassword:RandomPassword", "random.RandomPassword"),
        ("groundwork:data:Database", "groundwork.Database"),
    ],
)
def test_types_are_shown_short(type_, name):
    assert short(type_) == name


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty: the engine ended before it could say anything"),
        ("Previewing update (prod)", "is no JSON"),
        ('{"steps": [{"op": "create"}]}', r"is not what `pulumi preview --json` writes \(steps.0.urn"),
        ("[]", "is not what `pulumi preview --json` writes"),
    ],
)
def test_a_file_that_is_something_else_is_refused_in_a_sentence(content, sentence):
    with pytest.raises(Unreadable, match=sentence):
        read(content)


def test_a_dependency_is_one_whatever_names_it():
    made = state(BUCKET, {}, parent="p", dependencies=["d"], propertyDependencies={"x": ["s"]})
    (change,) = preview({"op": "create", "urn": urn(BUCKET, "a"), "newState": made}).changes.values()
    assert change.state.needs() == {"p", "d", "s"}
