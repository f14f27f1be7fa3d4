"""Whatever stands in the two files: settings, or sentences. Never a crash."""

from hypothesis import given, settings
from hypothesis import strategies as st

from settings.loader import SettingsError
from tests.settings_examples import ABSENT, CONFIG, PRODUCT, settle

ODD = [
    None,
    5,
    -1,
    2.5,
    True,
    "",
    "x",
    "x" * 300,
    "two\nlines",
    [],
    [None],
    [{}],
    {},
    {"a": {"b": 1}},
    {"metric": 5},
    ABSENT,
]


def paths(tree, above=""):
    """Every key of a tree, as the changes of `settle` name them; keys with a slash in them are left out."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        path = f"{above}/{key}" if above else str(key)
        if "/" not in str(key):
            yield path
            if isinstance(value, dict | list):
                yield from paths(value, path)


STACK_PATHS = [path.removeprefix("groundwork:") for path in paths(CONFIG)]
SYSTEM_PATHS = list(paths(PRODUCT))


@given(
    st.dictionaries(st.sampled_from(STACK_PATHS), st.sampled_from(ODD), max_size=1),
    st.dictionaries(st.sampled_from(SYSTEM_PATHS), st.sampled_from(ODD), max_size=1),
)
@settings(max_examples=80, deadline=None)
def test_odd_values(stack, system):
    for line in told(stack, system):
        assert line.startswith(("Pulumi.prod.yaml: ", "systems/rentalfix/system.yaml: "))
        assert "\n" not in line
        assert "None" not in line


def told(stack, system):
    try:
        return settle(stack, system).warnings
    except SettingsError as error:
        return error.lines
