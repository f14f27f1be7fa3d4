"""How long a change takes, and what stops meanwhile."""

import pytest

from operations.report import tables
from operations.report.preview import UNKNOWN
from operations.report.risk import risk
from tests.report_previews import CACHE, INSTANCE, ROLE, SERVICE, TASK, preview, step, urn

GROUP = "aws:rds/parameterGroup:ParameterGroup"
NODES = "aws:eks/nodeGroup:NodeGroup"


def chain(*steps):
    return [(link.name, link.work) for link in risk(preview(*steps)).chain]


def effect(type_, changed, inputs, op="update"):
    (item,) = risk(preview(step(op, type_, "it", old=inputs, changed=changed))).consequences
    return item


# Time.


def test_what_waits_for_another_comes_after_it():
    first = step("create", INSTANCE, "database")
    second = step("create", SERVICE, "api", dependencies=[urn(INSTANCE, "database")])
    beside = step("create", CACHE, "cache")
    assert chain(first, second, beside) == [("database", "create"), ("api", "create")]


def test_the_time_is_that_of_the_longest_chain():
    found = risk(preview(step("create", INSTANCE, "database"), step("create", ROLE, "role")))
    assert found.seconds == tables.durations().types[INSTANCE].create


def test_a_chain_goes_through_what_stays():
    role = step("update", ROLE, "role")
    task = step("same", TASK, "task", dependencies=[urn(ROLE, "role")])
    service = step("update", SERVICE, "api", propertyDependencies={"taskDefinition": [urn(TASK, "task")]})
    assert chain(role, task, service) == [("role", "update"), ("api", "update")]


def test_the_old_ones_go_at_the_end_those_that_need_another_before_it():
    database = step("delete", INSTANCE, "database")
    service = step("delete", SERVICE, "api", dependencies=[urn(INSTANCE, "database")])
    assert chain(database, service) == [("api", "delete"), ("database", "delete")]


def test_a_replacement_is_a_creation_and_a_deletion():
    assert chain(step("replace", CACHE, "cache")) == [("cache", "create"), ("cache", "delete")]


def test_what_stays_in_aws_takes_no_time_to_delete():
    assert chain(step("delete", CACHE, "cache", retainOnDelete=True)) == []


def test_nothing_takes_no_time():
    found = risk(preview(step("same", INSTANCE, "database")))
    assert (found.chain, found.seconds) == ((), (0, 0))


def test_a_component_takes_no_time():
    part = step("create", "groundwork:data:Database", "database")
    part["newState"]["custom"] = False
    assert chain(part) == []


def test_an_unknown_type_takes_the_time_of_most():
    (link,) = risk(preview(step("create", "aws:quantum/computer:Computer", "q"))).chain
    assert link.seconds == tables.durations().default.create


def test_a_circle_ends():
    one = step("create", ROLE, "a", dependencies=[urn(ROLE, "b")])
    two = step("create", ROLE, "b", dependencies=[urn(ROLE, "a")])
    assert chain(one, two) == []


def test_a_chain_of_thousands_is_no_trouble():
    steps = [
        step("create", ROLE, f"r{n}", dependencies=[urn(ROLE, f"r{n - 1}")] if n else []) for n in range(3000)
    ]
    assert len(chain(*steps)) == 3000


# What stops.


@pytest.mark.parametrize(
    ("inputs", "kind", "words"),
    [
        (
            {"applyImmediately": False, "multiAz": True, "maintenanceWindow": "sun:04:00-sun:05:00"},
            "failover",
            "window (sun:04:00-sun:05:00 UTC)",
        ),
        ({"applyImmediately": True, "multiAz": True}, "failover", "at once"),
        (
            {"multiAz": False, "maintenanceWindow": "sun:04:00-sun:05:00"},
            "restart",
            "waits for the maintenance window",
        ),
        ({"applyImmediately": True}, "restart", "at once: no connection"),
    ],
)
def test_a_larger_class_restarts_or_fails_over(inputs, kind, words):
    item = effect(INSTANCE, ["instanceClass"], inputs)
    assert item.kind == kind
    assert words in item.text


@pytest.mark.parametrize(("method", "kind"), [("pending-reboot", "pending"), ("immediate", "none")])
def test_a_static_parameter_waits_for_a_reboot(method, kind):
    parameters = [
        {"name": "a", "applyMethod": "immediate"},
        {"name": "shared_buffers", "applyMethod": method},
    ]
    item = effect(GROUP, ["parameters[1].value"], {"parameters": parameters})
    assert item.kind == kind
    assert ("shared_buffers is static" in item.text) == (kind == "pending")


@pytest.mark.parametrize("path", ["parameters", "parameters[7].value", "parameters[0]"])
def test_a_path_into_nothing_is_no_static_parameter(path):
    assert effect(GROUP, [path], {"parameters": ["x"]}).kind == "none"


@pytest.mark.parametrize(("least", "words"), [(100, "nothing is refused"), (50, "capacity falls to 50 %")])
def test_a_new_revision_of_a_service_is_rolled(least, words):
    item = effect(SERVICE, ["taskDefinition"], {"deploymentMinimumHealthyPercent": least})
    assert item.kind == "rolling"
    assert words in item.text


@pytest.mark.parametrize(
    ("type_", "changed", "kind"),
    [
        (CACHE, "nodeType", "failover"),
        (CACHE, "numNodeGroups", "rolling"),
        ("aws:mq/broker:Broker", "hostInstanceType", "restart"),
        (NODES, "version", "rolling"),
        (INSTANCE, "allocatedStorage", "none"),
        (INSTANCE, "identifier", "interruption"),
        ("aws:route53/record:Record", "records", "interruption"),
    ],
)
def test_each_kind_of_change_has_its_effect(type_, changed, kind):
    assert effect(type_, [changed], {}).kind == kind


@pytest.mark.parametrize(
    "type_", [INSTANCE, CACHE, SERVICE, "aws:lb/loadBalancer:LoadBalancer", "aws:ec2/eip:Eip"]
)
def test_what_is_replaced_is_made_anew(type_):
    item = effect(type_, [], {}, op="replace")
    assert (item.kind, item.input) == ("remade", "(replaced)")


def test_tags_do_nothing_and_what_no_table_knows_is_counted():
    found = risk(
        preview(
            step("update", INSTANCE, "a", changed=["tags.Name"]), step("update", ROLE, "r", changed=["path"])
        )
    )
    assert (found.consequences, found.silent) == ((), 2)


def test_a_replacement_that_no_table_knows_is_not_counted_as_an_update():
    assert risk(preview(step("replace", ROLE, "r"))).silent == 0


def test_the_worst_comes_first_and_the_same_only_once():
    found = risk(
        preview(
            step("update", SERVICE, "api", changed=["taskDefinition", "networkConfiguration"]),
            step("update", INSTANCE, "db", changed=["instanceClass", "port"]),
            step(
                "update",
                GROUP,
                "g",
                old={"parameters": [{}, {}]},
                changed=["parameters[0].value", "parameters[1].value"],
            ),
        )
    )
    assert [item.kind for item in found.consequences] == ["restart", "restart", "rolling", "rolling", "none"]


@pytest.mark.parametrize("value", [UNKNOWN, "[secret]", "a`b | <c>", ["x"], None, "x" * 50])
def test_an_input_that_is_no_plain_word_is_not_said(value):
    item = effect(INSTANCE, ["instanceClass"], {"maintenanceWindow": value})
    assert "(not said here UTC)" in item.text
