"""The data of the report: complete for what the program declares, and consistent."""

import json

import pytest

from local.provider.table import RESOURCES
from operations.report import tables
from operations.report.costs import status
from operations.report.formulas import FORMULAS
from operations.report.risk import REPLACED
from settings.data.elasticache import MEMORY_GIB_BY_NODE_TYPE
from tests.report_samples import ROOT

# Priced at what nobody could tell here; a preview that has one names it.
UNPRICED = {"aws:rds/cluster:Cluster"}


def known_inputs():
    types = json.loads((ROOT / "local" / "provider" / "known.json").read_text(encoding="utf-8"))["types"]
    return {type_: entry["inputs"] for type_, entry in types.items()}


def test_every_type_that_the_program_can_declare_has_a_price_or_is_free_or_depends_on_use():
    assert {type_ for type_ in RESOURCES if status(type_) == "unknown"} == UNPRICED


def test_a_type_is_free_or_priced_but_never_both():
    prices = tables.prices()
    priced = {*FORMULAS, *prices.fixed}
    assert not prices.free & (priced | prices.usage.keys())
    assert not FORMULAS.keys() & prices.fixed.keys()


def test_every_fixed_price_is_in_its_table():
    prices = tables.prices()
    assert all(name in prices.tables[table].prices for table, name in prices.fixed.values())


def test_every_table_says_where_and_when_it_was_read():
    for name, table in tables.prices().tables.items():
        assert table.page.startswith("https://aws.amazon.com/"), name
        assert "2025" in table.read or "2026" in table.read, name
        assert table.unit.startswith(("hour", "month", "GB-month", "run")), name
        assert all(0 < price < 20 for price in table.prices.values()), name


@pytest.mark.parametrize("engine", ["redis", "valkey"])
def test_every_node_type_that_the_settings_know_has_a_price(engine):
    assert tables.prices().tables[f"elasticache_{engine}"].prices.keys() == MEMORY_GIB_BY_NODE_TYPE.keys()


def test_a_class_twice_as_large_costs_twice_as_much():
    prices = tables.prices().tables["rds_postgres"].prices
    for name, price in prices.items():
        double = (
            name.replace(".xlarge", ".2xlarge") if ".xlarge" in name else name.replace(".large", ".xlarge")
        )
        if double != name and double in prices:
            assert prices[double] == pytest.approx(2 * price, rel=0.01), name


def test_the_state_that_the_program_can_declare_is_known():
    held = {type_ for type_ in tables.stateful() if type_ in RESOURCES}
    assert {
        *(
            "aws:rds/instance:Instance",
            "aws:rds/cluster:Cluster",
            "aws:mq/broker:Broker",
            "aws:s3/bucket:Bucket",
        ),
        *("aws:elasticache/replicationGroup:ReplicationGroup", "aws:backup/vault:Vault", "aws:kms/key:Key"),
        *(
            "aws:secretsmanager/secret:Secret",
            "aws:cloudwatch/logGroup:LogGroup",
            "aws:ecr/repository:Repository",
        ),
        *(
            "aws:eks/cluster:Cluster",
            "aws:sqs/queue:Queue",
            "aws:route53/zone:Zone",
            "aws:amp/workspace:Workspace",
        ),
        *("aws:grafana/workspace:Workspace", "aws:ssm/parameter:Parameter"),
    } == held


def test_what_makes_a_copy_is_an_input_of_its_type():
    inputs = known_inputs()
    for type_, entry in tables.stateful().items():
        assert not entry.unless or entry.unless in inputs[type_]


def test_durations_are_ordered():
    known = tables.durations()
    for duration in (known.default, *known.types.values()):
        for low, high in (duration.create, duration.update, duration.delete):
            assert 0 <= low <= high <= 3600


def test_effects_name_inputs_that_exist():
    inputs = known_inputs()
    for rule in tables.effects():
        if rule.type in inputs:
            named = {*rule.properties, *rule.when} - {"*", REPLACED}
            # `capacityProviderStrategies` and the like: known.json has every input of the SDK.
            assert named <= inputs[rule.type].keys(), rule


def test_no_effect_hides_behind_an_earlier_one():
    seen = set()
    for rule in tables.effects():
        for name in rule.properties:
            assert (rule.type, name) not in seen, f"{rule.type} {name} is never reached"
        if not rule.when and not rule.item:
            seen |= {(rule.type, name) for name in rule.properties}


def test_a_wrong_entry_is_an_error():
    with pytest.raises(ValueError, match="kind"):
        tables.Rule.model_validate({"type": "a", "properties": ["b"], "kind": "explodes", "text": "c"})
    with pytest.raises(ValueError, match="Extra inputs"):
        tables.Stateful.model_validate({"what": "a", "why": "b", "until": "c"})
