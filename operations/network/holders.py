"""The links at the ends themselves: the store is up, its login filled, its tasks bear their group."""

from collections.abc import Iterator, Sequence

from operations.network import stands
from operations.network.ends import End, Hop, Is
from operations.network.link import SHOWN, Link, shortened
from operations.network.live import Network, Said
from operations.network.stands import Stand
from operations.secrets import known
from operations.services import fleet

_SECRET_PARTS = 7  # of a secret's ARN; what follows in a task definition is key, stage and version


def is_up(network: Network, end: End, stand: Stand) -> Iterator[Link]:
    if end.kind in (Is.outside, Is.other):
        return
    is_well = None if stand.trouble is None else not stand.trouble
    yield Link(end.kind.value, is_well, stand.trouble or stand.state, stand.remedy)
    wanted = network.group_ids.get(end.group)
    if stand.groups is not None and wanted not in stand.groups:
        yield Link(
            "its security group",
            False,
            f"{end.name} does not bear the security group {end.group} ({wanted}), but "
            f"{', '.join(stand.groups) or 'none'}.",
            f"`pulumi up --refresh --stack {network.platform.stack}` gives it back.",
        )


def login(network: Network, hops: Sequence[Hop]) -> Iterator[Link]:
    """Whether the secrets of the login hold something; nobody reads what."""
    source, target = hops[0].source, hops[-1].target
    logins, read = _of_store(network, target), _read_by(network, source)
    # A service reads one of the store's logins; one that it composes into an address of its own is not known as such.
    wanted = [arn for arn in logins if arn in read] or logins
    if problems := _empty(network, wanted):
        yield Link("login", False, f"{shortened(list(problems))}.", next(iter(problems.values())))
    elif wanted:
        yield Link(
            "login", True, f"{', '.join(name for _, name, _ in _known(network, wanted))}: a value is there"
        )
    if others := _empty(network, [arn for arn in read if arn not in wanted]):
        said = f"{shortened(list(others))}: no new task of {source.name} starts without"
        yield Link("its secrets", None, said, next(iter(others.values())))


def _read_by(network: Network, source: End) -> list[str]:
    """The secrets with which the service starts."""
    platform = network.platform
    if source.kind is not Is.service or platform.outputs["kubernetes"]["namespace"]:
        return []
    if source.name not in platform.outputs["services"]:
        return []
    [service] = fleet.choose(platform, [source.name])
    ecs = platform.client("ecs")
    said = fleet.describe(ecs, [service])[source.name]
    revision = fleet.revision(ecs, said["taskDefinition"])
    found = [each["valueFrom"] for one in revision.containers for each in one.get("secrets", [])]
    return list(
        dict.fromkeys(":".join(arn.split(":")[:_SECRET_PARTS]) for arn in found if ":secretsmanager:" in arn)
    )


def _of_store(network: Network, target: End) -> list[str]:
    said = network.platform.outputs
    found: list[str] = []
    if target.kind in (Is.database, Is.proxy):
        found = [*said["database"]["roleSecretArns"].values(), said["database"]["masterSecretArn"]]
    elif target.kind is Is.cache:
        found = [said["caches"][target.name]["tokenSecretArn"]]
    elif target.kind is Is.broker:
        found = [said["brokers"][target.name]["loginSecretArn"]]
    return [arn for arn in found if arn]


def _known(network: Network, arns: Sequence[str]) -> list[tuple[str, str, str]]:
    """ARN, name, and the command that fills it."""
    known_by_arn = {each.arn: each for each in known.every(network.platform)}
    return [
        (arn, each.name, each.filler)
        if (each := known_by_arn.get(arn))
        else (arn, arn.rpartition(":")[2], "pulumi up")
        for arn in arns
    ]


def _empty(network: Network, arns: Sequence[str]) -> dict[str, str]:
    """What is wrong with each secret, and what to do about it; nothing of those that hold a value."""
    client, found = network.platform.client("secretsmanager"), {}
    stack = network.platform.stack
    for arn, name, filler in _known(network, arns):
        try:
            said: Said = client.describe_secret(SecretId=arn)
        except client.exceptions.ResourceNotFoundException:
            found[f"The secret {name} is not there any more"] = (
                f"`pulumi up --refresh --stack {stack}` makes it again."
            )
            continue
        if said.get("DeletedDate"):
            found[f"The secret {name} is being deleted"] = (
                f"`aws secretsmanager restore-secret --secret-id {arn}` keeps it."
            )
        elif not any("AWSCURRENT" in each for each in said.get("VersionIdsToStages", {}).values()):
            found[f"The secret {name} is empty"] = f"`{filler} --stack {stack}` fills it."
    return found


def tasks(network: Network, source: End, stand: Stand) -> Iterator[Link]:
    """Whether its tasks really stand where the rules are meant for."""
    platform = network.platform
    if source.kind is not Is.service:
        return
    if platform.outputs["kubernetes"]["namespace"]:
        yield Link(
            "its tasks",
            None,
            "not looked at: pods get their group by a SecurityGroupPolicy, `kubectl get sgp`",
        )
        return
    yield from is_up(network, source, stand)
    private, wanted = platform.outputs["runTask"]["subnets"], network.group_ids[source.group]
    if stray := sorted(set(stand.subnets) - set(private)):
        yield Link(
            "its subnets",
            False,
            f"{source.name} is to run in {', '.join(map(network.label, stray))}, which is no private subnet.",
            f"`pulumi up --refresh --stack {platform.stack}` puts it back.",
        )
    if stand.trouble or source.name not in platform.outputs["services"]:
        return
    [service] = fleet.choose(platform, [source.name])
    borne_by = stands.task_interfaces(platform.client("ecs"), service)
    borne = {
        each["NetworkInterfaceId"]: {group["GroupId"] for group in each.get("Groups", [])}
        for each in network.interfaces
    }
    wrong = [task for task, interface in borne_by.items() if wanted not in borne.get(interface, {wanted})]
    if not borne_by:
        yield Link("its tasks", None, "ECS shows no network interface of a task")
    elif wrong:
        yield Link(
            "its tasks",
            False,
            f"{len(wrong)} of {len(borne_by)} tasks do not bear {source.group} ({wanted}): {', '.join(wrong[:SHOWN])}.",
            f"`groundwork service restart {source.name} --stack {platform.stack}`.",
        )
    else:
        yield Link("its tasks", True, f"{len(borne_by)} tasks bear {source.group} ({wanted})")
