"""Profiles: another shape of the product, between the system file and the stack file."""

from typing import Any

import pytest

from tests.settings_examples import CONFIG, refusal, settle

LARGE = {"large": {"services": {"core-matching": {"cpu": 2048, "memory_mib": 4096}}}}
SYSTEM = "systems/rentalfix/system.yaml"
# The stack file would overrule the profile.
UNSIZED = {
    name: {key: value for key, value in service.items() if key not in ("cpu", "memory_mib")}
    for name, service in CONFIG["groundwork:services"].items()
}


def test_a_profile_lies_over_the_system_file_and_the_stack_file_over_both():
    own = {**UNSIZED, "worker-ai": CONFIG["groundwork:services"]["worker-ai"]}
    settings = settle({"profile": "large", "services": own}, {"profiles": LARGE})
    assert settings.profile == "large"
    assert settings.services["core-matching"].cpu == 2048
    assert settings.services["core-matching"].command == ("node", "dist/main.js")
    assert settle({"profile": "large"}, {"profiles": LARGE}).services["core-matching"].cpu == 1024


def test_without_a_choice_the_system_file_stands_as_it_is():
    settings = settle(system={"profiles": LARGE})
    assert settings.profile is None
    assert settings.services["core-matching"].cpu == 1024


def test_a_profile_takes_away_what_it_sets_to_null():
    without = {"alone": {"services": {"worker-ai": None}}}
    services = {**CONFIG["groundwork:services"], "worker-ai": None}
    settings = settle({"profile": "alone", "services": services}, {"profiles": without})
    assert list(settings.services) == ["core-matching"]


def test_a_profile_may_bring_a_service_that_the_stack_file_says_more_about():
    extra: dict[str, Any] = {"image_of": "worker-ai", "user": "1000", "health": {"command": ["true"]}}
    extra |= {"cpu": 256, "memory_mib": 512, "desired_count": 1, "min_count": 1, "max_count": 2}
    services = {**CONFIG["groundwork:services"], "extra": {"image_tag": "1.0.0", "max_count": 3}}
    settings = settle(
        {"profile": "more", "services": services}, {"profiles": {"more": {"services": {"extra": extra}}}}
    )
    assert settings.services["extra"].max_count == 3
    assert settings.repository_of("extra") == "worker-ai"


@pytest.mark.parametrize(
    ("profile", "remedy"),
    [("larg", "Did you mean large?"), ("huge-one", "Known: large.")],
)
def test_an_unknown_profile_is_told_with_the_nearest(profile, remedy):
    assert refusal({"profile": profile}, {"profiles": LARGE}) == (
        f"Pulumi.prod.yaml: groundwork:profile: must be one of `profiles` of {SYSTEM}, got {profile}. {remedy}",
    )


def test_a_profile_of_a_system_without_any_is_refused():
    assert refusal({"profile": "large"}) == (
        f"Pulumi.prod.yaml: groundwork:profile: must be one of `profiles` of {SYSTEM}, got large. "
        "There is none to choose from.",
    )


def test_what_is_wrong_in_a_profile_is_told_where_it_stands():
    odd = {"large": {"services": {"core-matching": {"cpu": 2048, "memory_mib": 1000}}}}
    assert refusal(
        {"profile": "large", "services": UNSIZED | {"worker-ai": CONFIG["groundwork:services"]["worker-ai"]}},
        {"profiles": odd},
    ) == (
        f"{SYSTEM}: profiles.large.services.core-matching.memory_mib: must be 4096 to 16384 in steps of 1024 for cpu "
        "2048 (Fargate sizes), got 1000. Set it to 4096.",
    )


def test_profiles_stand_in_the_system_file_only():
    assert refusal({"profiles": LARGE}) == (
        "Pulumi.prod.yaml: groundwork:profiles: is not a key of this block. They stand in the system file; a stack "
        "chooses one with groundwork:profile.",
    )
