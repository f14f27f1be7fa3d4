"""What every test gets without asking."""

import functools
import gc
import hashlib
import json
import os
import sys

import pulumi
import pytest
import typer.main
import typer.testing

pytest_plugins = ("tests.real_servers",)


def pytest_configure(config):
    # Without bytecode, which some containers turn off, each worker would compile all modules anew, ten seconds of CPU,
    # and each program that a test starts those that it imports.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # The SDK warns of its own deprecated classes when a service's module is imported, used or not.
    config.addinivalue_line("filterwarnings", r"ignore:.* has been deprecated:DeprecationWarning")
    # A worker keeps some thirty recorded stacks; walking through all of them again and again finds no garbage.
    gc.set_threshold(100_000, 50, 1000)
    # Typer makes the whole tree of commands anew for each call of one: a tenth of a second, some thousand times.
    setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))  # noqa: B010 it has another type


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items):
    """Tests of one stack go to one worker, which runs the program for it once; others go where there is room.

    The longest come first, or one worker would wait for the other at the end.
    """
    items.sort(key=lambda item: item.get_closest_marker("engine") is None)
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        stack = params.get("stack")
        if isinstance(stack, str) and not item.get_closest_marker("xdist_group"):
            # A row of the requirements may ask for another shape of the stack; `prod on Kubernetes` is one of prod's.
            shape = getattr(params.get("row"), "shape", None)
            digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest() if shape else ""
            item.add_marker(pytest.mark.xdist_group(f"{stack.partition(' on ')[0]} {digest[:8]}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    """xdist puts the group behind a test's name, by which --last-failed would not find it again; workers need it."""
    name, _, group = report.nodeid.rpartition("@")
    if name and "]" not in group and "PYTEST_XDIST_WORKER" not in os.environ:
        report.nodeid = name


@pytest.fixture(autouse=True)
def _no_leftover_configuration():
    """Pulumi's configuration is a global of the process; a test must not see another one's."""
    pulumi.runtime.set_all_config({})
    yield
    pulumi.runtime.set_all_config({})
