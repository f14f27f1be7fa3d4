"""The pipeline's block: which repository, which environment, where the state is."""

import pytest

from tests.settings_examples import ABSENT, refusal, settle

STACK, SYSTEM = "Pulumi.prod.yaml: groundwork:", "systems/rentalfix/system.yaml: "


def test_both_files_together_say_who_the_pipeline_is():
    ci = settle().ci
    assert ci is not None
    assert (ci.repository, ci.branch, ci.environment) == ("rentfix/groundwork", "main", "production")
    assert ci.images is not None
    assert (ci.images.repository, ci.images.branch) == ("MalikOseni/Rentfix", "main")
    assert ci.state is not None
    assert (ci.state.bucket, ci.state.key_alias) == ("rentalfix-pulumi-state", "alias/pulumi-state")


def test_what_may_be_left_out():
    ci = settle(
        {"ci": {"environment": "production", "state": {"bucket": "state-of-all"}}},
        {"ci": {"repository": "acme/platform"}},
    ).ci
    assert ci is not None
    assert (ci.branch, ci.images, ci.create_provider) == ("main", None, True)
    assert ci.state is not None
    assert ci.state.key_alias == "alias/pulumi-state"
    assert settle({"ci": None}).ci is None


@pytest.mark.parametrize(
    ("stack", "system", "line"),
    [
        ({"ci/environment": ABSENT}, {}, f"{STACK}ci.environment: is missing."),
        ({}, {"ci/repository": ABSENT}, f"{SYSTEM}ci.repository: is missing."),
        (
            {},
            {"ci/repository": "Rentfix"},
            f"{SYSTEM}ci.repository: must be a repository on GitHub, owner/name, as GitHub spells it, got Rentfix. "
            "Write it like acme/platform.",
        ),
        (
            {},
            {"ci/repository": "https://github.com/rentfix/groundwork"},
            f"{SYSTEM}ci.repository: must be a repository on GitHub, owner/name, as GitHub spells it, "
            "got https://github.com/rentfix/groundwork.",
        ),
        (
            {},
            {"ci/images/repository": "rentfix/*"},
            f"{SYSTEM}ci.images.repository: must be a repository on GitHub,",
        ),
        (
            {},
            {"ci/images/repository": "*/Rentfix"},
            f"{SYSTEM}ci.images.repository: must be a repository on GitHub,",
        ),
        (
            {"ci/environment": "prod*"},
            {},
            f"{STACK}ci.environment: must be the name of a GitHub environment, of letters, digits, dots, hyphens and "
            "underscores, got prod*. Write it like production.",
        ),
        (
            {},
            {"ci/branch": "release/?"},
            f"{SYSTEM}ci.branch: must be the name of one branch, without refs/heads/ and without wildcards, "
            "got release/?. Write it like main.",
        ),
        (
            {"ci/state/key_alias": "pulumi-state"},
            {},
            f"{STACK}ci.state.key_alias: must be the alias of a KMS key, got pulumi-state. "
            "Write it like alias/pulumi-state.",
        ),
        (
            {"ci/state/bucket": "rentfix-backups"},
            {},
            f"{STACK}ci.state.bucket: must not be a bucket of the stack's own, backups.bucket, got rentfix-backups. "
            "The state outlives every stack: make a bucket for it as README says.",
        ),
        (
            {"ci/state/key_alias": "alias/rentalfix-prod-state"},
            {},
            f"{STACK}ci.state.key_alias: must not begin with rentalfix-prod-, as the aliases of the stack's own keys "
            "do, got alias/rentalfix-prod-state. Give the key of the state another alias, such as alias/pulumi-state.",
        ),
        ({"ci/repo": "a/b"}, {}, f"{STACK}ci.repo: is not a key of this block."),
    ],
)
def test_what_is_refused(stack, system, line):
    (said,) = refusal(stack, system)
    assert said.startswith(line)


def test_a_bucket_of_the_product_is_not_the_states_either():
    files = {"files": {"name": "rentalfix-files"}}
    (said,) = refusal({"ci/state/bucket": "rentalfix-files"}, {"buckets": files})
    assert "must not be a bucket of the stack's own, buckets.files.name, got rentalfix-files" in said


def test_without_a_state_in_s3_there_is_nothing_to_tell_apart():
    ci = settle({"ci/state": ABSENT}).ci
    assert ci is not None
    assert ci.state is None
