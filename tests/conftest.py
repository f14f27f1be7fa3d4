"""What every test gets without asking."""

import functools
import gc
import json

import pulumi
import pytest
import typer.main
import typer.testing

from tests.requirements.table import Row

pytest_plugins = ("tests.real_servers",)


def pytest_configure(config):
    # The SDK warns of its own deprecated classes when a service's module is imported, used or not.
    config.addinivalue_line("filterwarnings", r"ignore:.* has been deprecated:DeprecationWarning")
    # A worker keeps some thirty recorded stacks; walking through all of them again and again finds no garbage.
    gc.set_threshold(100_000, 50, 1000)
    # Typer makes the whole tree of commands anew for each call of one: a tenth of a second, some thousand times.
    setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))  # noqa: B010 it has another type


def pytest_collection_modifyitems(items):
    """Tests of one stack go to one worker, which runs the program for it once; others go where there is room.

    The longest come first, or one worker would wait for the other at the end.
    """
    items.sort(key=lambda item: item.get_closest_marker("engine") is None)
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        stack, row = params.get("stack"), params.get("row")
        if isinstance(stack, str):
            shape = json.dumps(row.shape, sort_keys=True) if isinstance(row, Row) and row.shape else ""
            item.add_marker(pytest.mark.xdist_group(f"{stack} {shape}"))


@pytest.fixture(autouse=True)
def _no_leftover_configuration():
    """Pulumi's configuration is a global of the process; a test must not see another one's."""
    pulumi.runtime.set_all_config({})
    yield
    pulumi.runtime.set_all_config({})
