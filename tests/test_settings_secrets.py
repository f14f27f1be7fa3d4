"""Secrets: characters or bytes, and names of their own where scripts know them."""

import base64

import pytest

from tests.program import configuration, run
from tests.settings_examples import refusal, settle

SECRET = "aws:secretsmanager/secret:Secret"
PATH = "systems/rentalfix/system.yaml: secrets.api-key"


def test_bytes_stand_beside_characters():
    generated = settle(system={"secrets/api-key/generate": {"bytes": 64}}).secrets["api-key"].generate
    assert generated is not None
    assert (generated.bytes, generated.length) == (64, None)


@pytest.mark.parametrize(
    ("generate", "sentence"),
    [
        (
            {},
            "generate: must say either length or bytes. length: 64 makes so many characters, bytes: 64 the base64 of "
            "so many bytes.",
        ),
        (
            {"length": 64, "bytes": 64},
            "generate: must say either length or bytes. length: 64 makes so many characters, bytes: 64 the base64 of "
            "so many bytes.",
        ),
        ({"bytes": 31}, "generate.bytes: must be 32 to 384 bytes, got 31. Set it to 64."),
        ({"bytes": 385}, "generate.bytes: must be 32 to 384 bytes, got 385. Set it to 64."),
        ({"length": 31}, "generate.length: must be 32 to 512 characters, got 31. Set it to 64."),
    ],
)
def test_a_secret_that_is_not_made_one_way_or_is_weak_is_refused(generate, sentence):
    assert refusal(system={"secrets/api-key/generate": generate}) == (f"{PATH}.{sentence}",)


def test_a_name_is_the_accounts():
    names = {"api-key": {"name": "shop/key"}, "sentry-dsn": {"name": "shop/key"}}
    assert refusal({"secrets": names}) == (
        "Pulumi.prod.yaml: groundwork:secrets.sentry-dsn.name: is that of the secret api-key, got shop/key. Give each "
        "secret a name of its own.",
    )
    assert settle({"secrets": {"api-key": {"name": "shop/key"}}}).secrets["api-key"].name == "shop/key"


@pytest.mark.parametrize("name", ["/shop/key", "shop/key/", "shop key", "a" * 513])
def test_a_name_that_secrets_manager_does_not_take_is_refused(name):
    (line,) = refusal({"secrets": {"api-key": {"name": name}}})
    assert "groundwork:secrets.api-key.name: must be letters, digits and /_+=.@-" in line


@pytest.mark.parametrize(("protect", "days"), [(True, 7), (False, 0)])
def test_the_program_makes_bytes_under_a_fixed_name(protect, days):
    config = configuration("staging")
    named = {"api-key": {"name": "shop/key", "generate": {"length": None, "bytes": 64}}}
    stack = run("staging", {**config, "groundwork:secrets": named, "groundwork:protect": protect})
    secret = stack.one(SECRET, "secret-api-key")
    # A name stays taken for so long; where everything may be made anew it must be free at once.
    assert (secret["name"], secret["recoveryWindowInDays"]) == ("shop/key", days)
    version = stack.one("aws:secretsmanager/secretVersion:SecretVersion", "secret-api-key")
    assert len(base64.b64decode(version["secretString"], validate=True)) == 64
    other = stack.one(SECRET, "secret-sentry-dsn")
    assert (other["namePrefix"], other["recoveryWindowInDays"]) == ("rentalfix/staging/sentry-dsn-", 7)
