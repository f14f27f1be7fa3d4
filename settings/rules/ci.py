"""The pipeline: roles whose names fit, and a state that the stack does not own."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Problem


def state_is_not_the_stacks(settings: Settings) -> Iterator[Problem]:
    ci = settings.ci
    if ci is None or ci.state is None:
        return
    own = {settings.backups.bucket: "backups.bucket"}
    own |= {bucket.name: f"buckets.{name}.name" for name, bucket in settings.buckets.items() if bucket.name}
    if ci.state.bucket in own:
        yield Problem(
            path=("ci", "state", "bucket"),
            rule=f"must not be a bucket of the stack's own, {own[ci.state.bucket]}",
            got=ci.state.bucket,
            remedy="The state outlives every stack: make a bucket for it as README says.",
        )


def keys_are_told_apart(settings: Settings) -> Iterator[Problem]:
    """The stack's pipeline may move aliases that begin with the stack's name, and so take over the state's key."""
    ci = settings.ci
    if ci is None or ci.state is None:
        return
    if ci.state.key_alias.startswith(f"alias/{settings.name_prefix}-"):
        yield Problem(
            path=("ci", "state", "key_alias"),
            rule=f"must not begin with {settings.name_prefix}-, as the aliases of the stack's own keys do",
            got=ci.state.key_alias,
            remedy="Give the key of the state another alias, such as alias/pulumi-state.",
        )


RULES = (state_is_not_the_stacks, keys_are_told_apart)
