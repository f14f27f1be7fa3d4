"""Physical names within AWS's limits, with what Pulumi adds to a name that must be unique."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Path, Problem

# A hyphen and seven hexadecimal digits (Pulumi, "Auto-naming").
SUFFIX = 8
# API references: CreateLoadBalancer and CreateTargetGroup 32, CreateReplicationGroup 40, CreateDBInstance 63.
LOAD_BALANCER, TARGET_GROUP, REPLICATION_GROUP, DB_INSTANCE = 32, 32, 40, 63


def names_fit(settings: Settings) -> Iterator[Problem]:
    checked: list[tuple[Path, str, int, str]] = [
        (("environment",), settings.name_prefix, LOAD_BALANCER - SUFFIX, "a load balancer's name has 32"),
    ]
    if settings.database:
        database = settings.database
        checked.append((("database", "identifier"), database.identifier, DB_INSTANCE, "RDS takes no more"))
        checked += [
            (
                ("database", "replicas", index, "identifier"),
                replica.identifier,
                DB_INSTANCE,
                "RDS takes no more",
            )
            for index, replica in enumerate(database.replicas)
        ]
    if settings.names.load_balancer:
        path = ("names", "load_balancer")
        checked.append(
            (path, settings.names.load_balancer, LOAD_BALANCER, "Elastic Load Balancing takes no more")
        )
    for name, service in settings.services.items():
        fixed = service.names.target_group
        if fixed:
            path = ("services", name, "names", "target_group")
            checked.append((path, fixed, TARGET_GROUP, "Elastic Load Balancing takes no more"))
    checked += [
        (("services", name), name, TARGET_GROUP - SUFFIX, "a target group's name has 32")
        for name in settings.services
    ]
    checked += [
        (("caches", name), name, REPLICATION_GROUP - SUFFIX, "a replication group's name has 40")
        for name in settings.caches
    ]
    checked += [
        (
            ("caches", name, "replication_group_id"),
            cache.replication_group_id,
            REPLICATION_GROUP,
            "ElastiCache takes no more",
        )
        for name, cache in settings.caches.items()
        if cache.replication_group_id
    ]
    for path, name, longest, reason in checked:
        if len(name) > longest:
            with_suffix = f", of which Pulumi adds {SUFFIX}" if reason[0] == "a" else ""
            yield Problem(
                path=path,
                rule=f"makes a name of {len(name)} characters, and {longest} are possible ({reason}{with_suffix})",
                got=name,
                remedy=f"Shorten it by {len(name) - longest}.",
            )


RULES = (names_fit,)
