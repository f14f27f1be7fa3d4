"""Buckets in the settings: who uses them, from which pages, and names that are the world's."""

import pytest

from settings.references import known_values, variable_names
from tests.settings_examples import ABSENT, refusal, settle

SYSTEM_FILE = "systems/rentalfix/system.yaml"
FILES = {
    "access": {"core-matching": ["read", "write", "delete"], "worker-ai": ["read"]},
    "cors": {"allow_methods": ["GET", "PUT", "POST"]},
    "malware_scan": True,
    "expire_days": {"tmp/": 7},
}


def system(**changes):
    return {"buckets": {"files": {**FILES, **changes}}}


def test_what_a_bucket_is_when_nothing_is_said():
    bucket = settle(None, {"buckets": {"files": {}}}).buckets["files"]
    assert bucket.model_dump() == {
        "name": None,
        "access": {},
        "cors": None,
        "malware_scan": False,
        "expire_days": {},
        "noncurrent_expire_days": 30,
    }
    assert settle().buckets == {}


def test_the_stack_file_may_fix_its_name():
    settings = settle({"buckets": {"files": {"name": "shop-prod-files"}}}, system())
    assert settings.buckets["files"].name == "shop-prod-files"
    assert settings.buckets["files"].access["worker-ai"] == ("read",)


def test_what_variables_may_name():
    settings = settle(None, system())
    service = settings.services["core-matching"]
    assert {name for name in variable_names(settings, service) if name.startswith("buckets.")} == {
        "buckets.files.name",
        "buckets.files.endpoint",
    }
    assert known_values(settings, service)["buckets.files.endpoint"] == "s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("in_stack", "in_system", "line"),
    [
        (
            {},
            {"access": {"worker-a": ["read"]}},
            f"{SYSTEM_FILE}: buckets.files.access.worker-a: must be a service of `services`, got worker-a. "
            "Did you mean worker-ai?",
        ),
        (
            {},
            {"access": {"worker-ai": []}},
            f"{SYSTEM_FILE}: buckets.files.access.worker-ai: must name each right once, and at least one, got none. "
            "Write [read], [read, write] or [read, write, delete], or remove the service.",
        ),
        (
            {},
            {"access": {"worker-ai": ["read", "read"]}},
            f"{SYSTEM_FILE}: buckets.files.access.worker-ai: must name each right once, and at least one, got "
            "read, read. Write [read], [read, write] or [read, write, delete], or remove the service.",
        ),
        (
            {"buckets": {"files": {"name": "rentfix-backups"}}},
            {},
            "Pulumi.prod.yaml: groundwork:buckets.files.name: must differ from backups.bucket, got rentfix-backups. "
            "Choose another name.",
        ),
        (
            {},
            {"expire_days": {"tmp/": 7, "": 5}},
            f"{SYSTEM_FILE}: buckets.files.expire_days.tmp/: never comes to pass: everything goes after 5 days "
            "already, got 7. Lower it, or remove one of the two.",
        ),
        (
            {},
            {"expire_days": {"/tmp": 7}},
            f"{SYSTEM_FILE}: buckets.files.expire_days./tmp: its name must be the beginning of a key, without a slash "
            "in front, got /tmp. Write it like tmp/.",
        ),
    ],
)
def test_refusals(in_stack, in_system, line):
    assert refusal(in_stack, system(**in_system)) == (line,)


def test_cors_needs_the_pages_that_may_call():
    lines = refusal(
        {"ingress/cors": ABSENT},
        {
            **system(),
            "services/core-matching/environment/CORS_ORIGIN": ABSENT,
            "services/core-matching/checks": ABSENT,
        },
    )
    assert lines == (
        f"{SYSTEM_FILE}: buckets.files.cors: needs ingress.cors, whose allow_origins are the pages that may call the "
        "bucket. Set ingress.cors.allow_origins in the stack file, or remove cors here.",
    )


def test_two_buckets_have_two_names():
    names = {"buckets": {"files": {"name": "shop-prod"}, "pages": {"name": "shop-prod"}}}
    assert refusal(names, {"buckets": {"files": {}, "pages": {}}}) == (
        "Pulumi.prod.yaml: groundwork:buckets.pages.name: must differ from buckets.files.name, got shop-prod. "
        "Choose another name.",
    )


def test_a_longer_prefix_may_go_sooner():
    bucket = settle(None, system(expire_days={"": 365, "tmp/": 7})).buckets["files"]
    assert bucket.expire_days == {"": 365, "tmp/": 7}
