"""Every type of the table against the emulator: created, read back, changed, deleted, gone."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.provider import known
from local.provider.differences import differences
from local.provider.engine import Engine
from local.provider.table import RESOURCES
from local.provider.values import UNKNOWN, reveal
from tests.provider_support import Bench, Made, endpoints, engine_for, running_emulator


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_emulator(Path(tmp_path_factory.mktemp("emulator")) / "log") as address:
        yield address


@pytest.fixture(scope="module")
def engine(url: str) -> Engine:
    return engine_for(url)


@pytest.fixture
def bench(engine: Engine) -> Bench:
    return Bench(engine)


@pytest.mark.parametrize("token", sorted(RESOURCES))
def test_conforms(bench: Bench, url: str, token: str):
    entry = RESOURCES[token]
    made = bench.example(token, "one")
    assert_taken_over(engine_for(url), made)
    sibling(bench, made)
    assert_read_back(bench, made)
    missing = [name for name in entry.outputs if made.state.get(name) is None and name not in entry.sometimes]
    assert missing == [], "outputs that the table declares and the emulator does not give"

    changed = {**made.inputs, **bench.filled(entry.change, "two", "change")}
    changed = {name: value for name, value in changed.items() if value is not None}
    plan = bench.engine.diff(made.urn, made.id, made.inputs, made.state, changed)
    assert plan.differences, "the entry's change changes nothing"
    if plan.replaces:
        assert {path.split(".")[0].split("[")[0] for path in plan.replaces} <= set(entry.replace)
        if plan.delete_first:
            bench.delete(made)
            assert_gone(bench, made)
        else:
            changed = renamed(bench, made, changed)
        new_id, state = bench.engine.create(made.urn, changed)
        replacement = Made(token, made.urn, new_id, changed, state)
        assert_read_back(bench, replacement)
        if not plan.delete_first:
            bench.delete(made)
        bench.made[bench.made.index(made)] = replacement
        made = replacement
    else:
        made.state = bench.engine.update(made.urn, made.id, made.inputs, made.state, changed)
        made.inputs = changed
        assert_read_back(bench, made)

    leftovers = [other for other in bench.made if other is not made]
    bench.delete(made)
    assert_gone(bench, made)
    bench.delete(made)
    bench.made[:] = leftovers
    bench.take_down()
    # In an emulator that has nothing it needs either, as after a restart.
    assert bench.engine.read(made.urn, made.id, made.inputs, made.state) is None
    bench.delete(made)


def assert_taken_over(next_run: Engine, made: Made) -> None:
    """A run that was killed before it wrote its state: the next one, which knows nothing, makes nothing twice."""
    resource_id, state = next_run.create(made.urn, made.inputs)
    assert resource_id == made.id
    assert reveal(state) == reveal(made.state)


def sibling(bench: Bench, made: Made) -> None:
    """A second one with another made-up name: a read that takes the first it finds would now find the wrong one."""
    if RESOURCES[made.token].auto_name in made.inputs.get("__defaults", []):
        given = {name: value for name, value in made.inputs.items() if name not in made.inputs["__defaults"]}
        given.pop("__defaults")
        bench.make(made.token, "sibling", given)


def renamed(bench: Bench, made: Made, changed: dict[str, Any]) -> dict[str, Any]:
    """A replacement is checked without its old inputs, and so gets another made-up name."""
    given = {name: value for name, value in changed.items() if name not in changed.get("__defaults", [])}
    given.pop("__defaults", None)
    bench.engine.check(made.urn, made.inputs, given, b"")
    return bench.engine.check(made.urn, {}, given, os.urandom(8)).inputs


def assert_read_back(bench: Bench, made: Made) -> None:
    """What was sent is there: no drift, neither in the inputs nor in an output."""
    found = bench.engine.read(made.urn, made.id, made.inputs, made.state)
    assert found is not None
    assert differences(made.inputs, found.inputs) == []
    assert reveal(found.state) == reveal(made.state)
    assert bench.engine.diff(made.urn, made.id, found.inputs, found.state, made.inputs).differences == []
    assert UNKNOWN not in found.state.values()


def assert_gone(bench: Bench, made: Made) -> None:
    entry = RESOURCES[made.token]
    if not entry.stays and (entry.delete or entry.recorded):
        assert bench.engine.read(made.urn, made.id, made.inputs, made.state) is None


def test_every_entry_has_an_example_and_a_change():
    assert [token for token, entry in RESOURCES.items() if not entry.example or not entry.change] == []


def test_the_inputs_file_is_what_the_sdk_and_the_table_say():
    assert known.due() == [], "run `python -m local.provider.known`"


def test_no_entry_names_an_input_that_the_type_does_not_have():
    """A misspelt name in `replace`, `kept` ... would be a rule that never applies."""
    wrong: dict[str, Any] = {}
    for token, entry in RESOURCES.items():
        named = {*entry.replace, *entry.kept, *entry.local, *entry.names, *entry.reads}
        outputs = {*known.outputs_of(token), *known.inputs_of(token)}
        unknown = sorted(named - outputs) + sorted(entry.outputs.keys() - outputs)
        if unknown:
            wrong[token] = unknown
    assert wrong == {}


def test_the_endpoints_of_the_tests_name_every_service():
    assert len(endpoints("http://127.0.0.1:1")) == len({entry.service for entry in RESOURCES.values()})
