"""How Pulumi's state follows when another instance has taken a name: RDS' own id of an instance stays with it.

pulumi-aws reads an instance by that id (`db-...`, DbiResourceId), so after a blue/green switch-over or a renaming the
state still means the old one, whatever it is called now.
"""

from collections.abc import Mapping

from operations.db.instances import Described
from operations.platform import ROOT, Platform
from operations.policy import stacks


def stack_name(platform: Platform) -> str:
    """What the engine calls the stack."""
    try:
        [found] = stacks.choose(ROOT, platform.system, [platform.stack])
    except stacks.Unknown:
        return f"{platform.system}-{platform.stack}"
    is_shared = str(found.file.parent) == "."
    return found.name if is_shared else f"{found.system}-{found.name}"


def resource_id(database: Described) -> str:
    return database.said.get("DbClusterResourceId" if database.is_cluster else "DbiResourceId", "")


def steps(platform: Platform, ids: Mapping[str, str]) -> list[str]:
    """What brings the state from the old ids to the new ones, and proves it; nothing where none has changed."""
    changed = {old: new for old, new in ids.items() if old and new and old != new}
    if not changed:
        return []
    name, script = stack_name(platform), "; ".join(f"s/{old}/{new}/g" for old, new in changed.items())
    return [
        f"pulumi stack export --stack {name} --file state.json",
        f"perl -pi -e '{script}' state.json",
        f"pulumi stack import --stack {name} --file state.json && rm state.json",
        f"pulumi preview --stack {name} --refresh --diff: it must replace nothing",
    ]
