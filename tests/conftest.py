"""What every test gets without asking."""

import pulumi
import pytest


def pytest_configure(config):
    # The SDK warns of its own deprecated classes when a service's module is imported, used or not.
    config.addinivalue_line("filterwarnings", r"ignore:.* has been deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _no_leftover_configuration():
    """Pulumi's configuration is a global of the process; a test must not see another one's."""
    pulumi.runtime.set_all_config({})
    yield
    pulumi.runtime.set_all_config({})
