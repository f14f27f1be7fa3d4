"""What must hold before an upgrade is begun: all that is wrong, and all that is worth knowing, in one go."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from operations import show
from operations.db import instances
from operations.db.aws_ask import Answers, rows
from operations.db.aws_reboot import is_pending
from operations.db.instances import Described, major
from operations.platform import Platform, Refusal

ENGINE = "postgres"
FREE_SHARE = 0.2  # of the storage: what a blue/green deployment's slots may hold back meanwhile
GIB = 1024**3
# RDS guide, "PostgreSQL replication methods for blue/green deployments": older ones have no logical replication for it.
LEAST_FOR_MAJOR = {11: 21, 12: 16, 13: 12, 14: 9, 15: 4, 16: 1}
LOGICAL = "rds.logical_replication"
# RDS guide, "RDS for PostgreSQL limitations for blue/green deployments with logical replication".
UNFIT_EXTENSIONS = {
    "pg_partman": "its background worker must be off on the source",
    "pg_cron": "its jobs must be off on the copy until the switch-over",
    "pglogical": "it must be off on the source",
    "pgactive": "it must be off on the source",
}
_OWN = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
_TABLES = f"FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND {_OWN}"


class Method(StrEnum):
    blue_green = "blue-green"
    in_place = "in-place"


@dataclass(frozen=True)
class Target:
    """A version that RDS takes this database to."""

    version: str
    family: str
    is_major: bool
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """`stops` is one that must be mended first; else it is worth knowing."""

    said: str
    stops: bool = True


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that was asked of AWS beforehand. Bytes; `parameters` of the current group that somebody has set, by name."""

    database: Described
    replicas: Sequence[Described]
    parameters: Mapping[str, Mapping[str, Any]]
    known_parameters: frozenset[str]
    extensions_offered: frozenset[str] | None
    groups: Sequence[str]
    free_bytes: float | None
    deployments: Sequence[Mapping[str, Any]]
    is_proxied: bool = False


def valid_targets(rds: Any, database: Described) -> list[Mapping[str, Any]]:
    found = rds.describe_db_engine_versions(Engine=ENGINE, EngineVersion=database.version)
    return [
        target for version in found["DBEngineVersions"] for target in version.get("ValidUpgradeTarget", [])
    ]


def target(rds: Any, database: Described, wanted: str) -> Target | str:
    """What `wanted` (17, or 17.4) means; or a sentence why it is none. A major version is its newest minor one."""
    valid = valid_targets(rds, database)
    names = [each["EngineVersion"] for each in valid]
    fitting = [name for name in names if name == wanted or name.startswith(f"{wanted}.")]
    if not fitting:
        if _key(wanted) <= _key(database.version):
            return (
                f"{database.identifier} is at {database.version} already, and nothing goes back to {wanted}."
            )
        known = ", ".join(sorted(names, key=_key)) or "none: it is the newest"
        return f"RDS takes {database.version} to no version {wanted}. It offers {known}."
    version = max(fitting, key=_key)
    [said] = rds.describe_db_engine_versions(Engine=ENGINE, EngineVersion=version)["DBEngineVersions"][:1]
    return Target(version, said["DBParameterGroupFamily"], major(version) > major(database.version))


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def seen(platform: Platform, rds: Any, database: Described, family: str) -> Seen:
    defaults = _defaults(rds, family, is_cluster=database.is_cluster)
    return Seen(
        database=database,
        replicas=instances.replicas(rds, database),
        parameters={each["ParameterName"]: each for each in _parameters_set(rds, database)},
        known_parameters=frozenset(each["ParameterName"] for each in defaults),
        extensions_offered=_offered(defaults),
        groups=parameter_groups(rds, database, family),
        free_bytes=_free(platform, database),
        deployments=deployments(rds, database),
        is_proxied=bool(instances.declared(platform).get("proxyAddress")),
    )


def _parameters_set(rds: Any, database: Described) -> Iterator[Mapping[str, Any]]:
    """Of its group, those that somebody has set."""
    kind = "Cluster" if database.is_cluster else ""
    pages = rds.get_paginator(f"describe_db_{kind.lower() + '_' if kind else ''}parameters").paginate(
        **{f"DB{kind}ParameterGroupName": database.parameter_group}, Source="user"
    )
    yield from (each for page in pages for each in page["Parameters"])


def _defaults(rds: Any, family: str, *, is_cluster: bool) -> list[Mapping[str, Any]]:
    """Every parameter of the family."""
    if is_cluster:
        said = rds.describe_engine_default_cluster_parameters(DBParameterGroupFamily=family)
        return said["EngineDefaults"].get("Parameters", [])
    pages = rds.get_paginator("describe_engine_default_parameters").paginate(DBParameterGroupFamily=family)
    return [each for page in pages for each in page["EngineDefaults"].get("Parameters", [])]


def _offered(defaults: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """The names of `rds.extensions`, where RDS says them."""
    text = next(
        (each.get("ParameterValue") for each in defaults if each["ParameterName"] == "rds.extensions"), None
    )
    return frozenset(name.strip() for name in text.split(",")) if text else None


def parameter_groups(rds: Any, database: Described, family: str) -> list[str]:
    """The database's own of that family: the one it has, or those that its stack has made, by their description."""
    kind = "DBClusterParameterGroup" if database.is_cluster else "DBParameterGroup"
    operation = (
        "describe_db_cluster_parameter_groups" if database.is_cluster else "describe_db_parameter_groups"
    )
    pages = rds.get_paginator(operation).paginate()
    return sorted(
        each[f"{kind}Name"]
        for page in pages
        for each in page[f"{kind}s"]
        if each["DBParameterGroupFamily"] == family
        and (
            each[f"{kind}Name"] == database.parameter_group
            # components/database.py and database_cluster.py begin it so.
            or each.get("Description", "").startswith((f"{database.identifier} ", f"{database.identifier},"))
        )
    )


def with_group(rds: Any, saw: Seen, group: str, wanted: Target) -> Seen:
    """The one that somebody names. Raises Refusal where it is of another family."""
    is_cluster = saw.database.is_cluster
    if is_cluster:
        [said] = rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName=group)[
            "DBClusterParameterGroups"
        ]
    else:
        [said] = rds.describe_db_parameter_groups(DBParameterGroupName=group)["DBParameterGroups"]
    if said["DBParameterGroupFamily"] != wanted.family:
        raise Refusal(
            f"{group} is of the family {said['DBParameterGroupFamily']}, and {wanted.version} wants {wanted.family}."
        )
    return replace(saw, groups=[group])


def _free(platform: Platform, database: Described) -> float | None:
    """The least of the last hour; None where CloudWatch has no figure. A cluster's members are alike."""
    name = database.members[0]["DBInstanceIdentifier"] if database.is_cluster else database.identifier
    now = datetime.now(UTC)
    said = platform.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="FreeStorageSpace",
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": name}],
        StartTime=now - timedelta(hours=1),
        EndTime=now,
        Period=3600,
        Statistics=["Minimum"],
    )
    return min((each["Minimum"] for each in said["Datapoints"]), default=None)


def deployments(rds: Any, database: Described) -> list[Mapping[str, Any]]:
    """Blue/green deployments of this database, whoever made them."""
    pages = rds.get_paginator("describe_blue_green_deployments").paginate()
    return [each for page in pages for each in page["BlueGreenDeployments"] if database.arn in _ends(each)]


def _ends(deployment: Mapping[str, Any]) -> set[str | None]:
    """Both sides, whatever they are called by now."""
    members = {end for detail in deployment.get("SwitchoverDetails", []) for end in detail.values()}
    return {deployment.get("Source"), deployment.get("Target"), *members}


def method(database: Described) -> Method:
    """Blue/green where RDS makes it: not of a Multi-AZ DB cluster, nor where it keeps the master password itself.

    RDS guide, "Limitations and considerations for Amazon RDS blue/green deployments".
    """
    return Method.in_place if database.is_cluster or database.keeps_password else Method.blue_green


def findings(
    saw: Seen, wanted: Target, chosen: Method, answers: Answers | None, deployment_name: str
) -> Iterator[Finding]:
    yield from _state(saw)
    yield from _fit(saw, wanted, chosen, deployment_name)
    yield from _parameters(saw, wanted, chosen)
    yield from _room(saw)
    if answers is None:
        yield Finding(
            "The database itself was not asked (--without-sql): extensions and tables are unchecked.",
            stops=False,
        )
    else:
        yield from _inside(saw, wanted, chosen, answers)


def _state(saw: Seen) -> Iterator[Finding]:
    for each in (saw.database, *saw.replicas):
        if each.status != "available":
            yield Finding(f"{each.identifier} is {each.status}: wait until it is available.")
        if is_pending(each):
            yield Finding(
                f"{each.identifier} has parameters that wait for a restart: `groundwork db reboot-if-pending` first."
            )
        if waiting := {**(each.said.get("PendingModifiedValues") or {})}:
            yield Finding(
                f"{each.identifier} has changes that wait ({', '.join(sorted(waiting))}): have them made first."
            )
    for replica in saw.replicas:
        if replica.version != saw.database.version:
            yield Finding(
                f"The replica {replica.identifier} is at {replica.version}, its primary at {saw.database.version}: "
                "bring "
                "it there first (`aws rds modify-db-instance --engine-version`)."
            )
        if replica.said.get("ReadReplicaDBInstanceIdentifiers"):
            yield Finding(
                f"The replica {replica.identifier} has replicas of its own, and RDS upgrades no such chain."
            )
    if not saw.database.said.get("BackupRetentionPeriod"):
        yield Finding(
            "Automated backups are off, and nothing would lead back: set database.backup_retention_days."
        )


def _fit(saw: Seen, wanted: Target, chosen: Method, deployment_name: str) -> Iterator[Finding]:
    database = saw.database
    for each in saw.deployments:
        if each["BlueGreenDeploymentName"] != deployment_name:
            yield Finding(
                f"An unfinished blue/green deployment {each['BlueGreenDeploymentName']} ({each['Status']}) has this "
                "database: finish it, or `aws rds delete-blue-green-deployment "
                f"--blue-green-deployment-identifier {each['BlueGreenDeploymentIdentifier']}`."
            )
    if chosen is Method.in_place:
        minutes = "some ten minutes or more" if wanted.is_major else "a few minutes"
        yield Finding(f"In place means that nobody can read or write for {minutes}.", stops=False)
        return
    if database.is_cluster:
        yield Finding("RDS makes no blue/green deployment of a Multi-AZ DB cluster: --method in-place.")
    if database.keeps_password:
        yield Finding(
            "RDS makes no blue/green deployment of an instance whose master password it keeps itself: --method "
            "in-place; or one read replica in the stack file first, since then the stack keeps the password."
        )
    if saw.replicas:
        names = ", ".join(each.identifier for each in saw.replicas)
        yield Finding(
            f"The provider's own blue_green_update does nothing for an instance with replicas ({names}), so it is not "
            "used: this command upgrades them together.",
            stops=False,
        )
    if saw.is_proxied:
        yield Finding(
            "A connection proxy stands before it: after the switch-over `aws rds describe-db-proxy-targets "
            f"--db-proxy-name {database.identifier}-proxy` must show the new instance as AVAILABLE; else register it.",
            stops=False,
        )
    if wanted.is_major:
        version = _key(database.version)
        if version[1:] < (LEAST_FOR_MAJOR.get(version[0], 0),):
            yield Finding(
                f"Blue/green takes {version[0]} to another major version from "
                f"{version[0]}.{LEAST_FOR_MAJOR[version[0]]} "
                f"on, and this is {database.version}: the newest {version[0]} first."
            )
        value = saw.parameters.get(LOGICAL, {}).get("ParameterValue")
        if value != "1":
            yield Finding(
                f"{LOGICAL} is {value or '0'}: between major versions blue/green needs it. Set database.parameters "
                f'{LOGICAL}: "1", `pulumi up`, then `groundwork db reboot-if-pending`.'
            )


def _parameters(saw: Seen, wanted: Target, chosen: Method) -> Iterator[Finding]:
    gone = sorted(saw.parameters.keys() - saw.known_parameters) if saw.known_parameters else []
    if len(saw.groups) != 1:
        yield Finding(_group_problem(saw, wanted))
    if gone:
        yield Finding(
            f"{wanted.family} knows no parameter {', '.join(gone)}: take them out of database.parameters first."
        )
    static = sorted(name for name, each in saw.parameters.items() if each.get("ApplyType") == "static")
    if static:
        end = (
            "the switch-over brings them"
            if chosen is Method.blue_green
            else "the upgrade's restart brings them"
        )
        yield Finding(f"Static parameters of the group: {', '.join(static)}; {end}.", stops=False)


def _group_problem(saw: Seen, wanted: Target) -> str:
    if saw.groups:
        return f"Several parameter groups may be meant ({', '.join(saw.groups)}): name one with --parameter-group."
    major_version = major(wanted.version)
    return (
        f"There is no parameter group of the family {wanted.family} for it. Set database.engine_version: "
        f'"{wanted.version}" in the stack file, and have only the group made: `pulumi up --target '
        f"'**::database-postgres{major_version}'`. No other `pulumi up` until the upgrade is done."
    )


def _room(saw: Seen) -> Iterator[Finding]:
    allocated = saw.database.said.get("AllocatedStorage", 0) * GIB
    if saw.free_bytes is None:
        yield Finding(
            "CloudWatch has no FreeStorageSpace of the last hour, so the room is unchecked.", stops=False
        )
    elif allocated and saw.free_bytes < allocated * FREE_SHARE:
        yield Finding(
            f"{show.size(saw.free_bytes)} of {show.size(allocated)} are free, and an upgrade wants {FREE_SHARE:.0%}: "
            "raise "
            "database.allocated_storage_gib first."
        )


QUESTIONS: Mapping[str, str] = {
    "extensions": (
        "SELECT e.extname, e.extversion, a.default_version FROM pg_extension e "
        "JOIN pg_available_extensions a ON a.name = e.extname ORDER BY 1"
    ),
    "prepared": "SELECT gid FROM pg_prepared_xacts",
    "slots": "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical'",
    "keyless": (
        f"SELECT format('%I.%I', nspname, relname) {_TABLES} AND relpersistence = 'p' AND relreplident IN ('d', 'n') "
        "AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary) AND NOT EXISTS "
        "(SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') ORDER BY 1"
    ),
    "unlogged": f"SELECT format('%I.%I', nspname, relname) {_TABLES} AND relpersistence = 'u' ORDER BY 1",
    "objects": "SELECT count(*) FROM pg_largeobject_metadata HAVING count(*) > 0",
    # pg_upgrade refuses these: what they point at has another number afterwards.
    "regs": (
        "SELECT format('%I.%I.%I', nspname, relname, attname) FROM pg_class c JOIN pg_namespace n ON n.oid = "
        "relnamespace "
        f"JOIN pg_attribute ON attrelid = c.oid AND NOT attisdropped WHERE relkind IN ('r', 'm', 'i') AND {_OWN} AND "
        "atttypid IN ('regcollation'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype, "
        "'regnamespace'::regtype, "
        "'regoper'::regtype, 'regoperator'::regtype, 'regproc'::regtype, 'regprocedure'::regtype) ORDER BY 1"
    ),
    "broken": "SELECT datname FROM pg_database WHERE datconnlimit = -2",
    "databases": "SELECT count(*) FROM pg_database WHERE datallowconn AND datname <> 'rdsadmin'",
    "slot-limit": "SHOW max_replication_slots",
}


def _inside(saw: Seen, wanted: Target, chosen: Method, answers: Answers) -> Iterator[Finding]:
    yield from _extensions(saw, wanted, chosen, answers)
    if names := answers["prepared"]:
        yield Finding(
            f"Prepared transactions are open ({', '.join(names)}): COMMIT PREPARED or ROLLBACK PREPARED first."
        )
    if names := answers["broken"]:
        yield Finding(f"The databases {', '.join(names)} were half dropped: DROP DATABASE them first.")
    if not wanted.is_major:
        return
    if names := answers["slots"]:
        yield Finding(
            f"Logical replication slots ({', '.join(names)}): drop them, and make them anew afterwards."
        )
    if names := answers["regs"]:
        yield Finding(
            f"Columns of a type that pg_upgrade refuses: {', '.join(names)}. Change them to text first."
        )
    if chosen is not Method.blue_green:
        return
    if names := answers["keyless"]:
        yield Finding(
            f"Tables without primary key: {', '.join(names)}. Updates and deletes there would stop: give each a key, "
            "or "
            "ALTER TABLE ... REPLICA IDENTITY FULL."
        )
    if names := answers["unlogged"]:
        yield Finding(
            f"Unlogged tables are not carried over: {', '.join(names)}. ALTER TABLE ... SET LOGGED."
        )
    if counts := answers["objects"]:
        yield Finding(
            f"{counts[0]} large objects are not carried over: move them into a table or a bucket first."
        )
    databases, slots = int(answers["databases"][0]), int(answers["slot-limit"][0])
    if slots < databases + len(saw.replicas):
        yield Finding(
            f"max_replication_slots is {slots}, and {databases} databases want one each beside those of the replicas: "
            "raise it."
        )
    yield Finding(
        "Until the switch-over nobody may change the schema, refresh a materialised view or make a large object: only "
        "rows are carried over. No migration meanwhile.",
        stops=False,
    )


def _extensions(saw: Seen, wanted: Target, chosen: Method, answers: Answers) -> Iterator[Finding]:
    for name, installed, newest in rows(answers["extensions"]):
        if saw.extensions_offered is not None and name not in saw.extensions_offered and name != "plpgsql":
            yield Finding(f"{wanted.version} offers no extension {name}: drop it, or choose another version.")
        if wanted.is_major and installed != newest:
            how = (
                "SELECT postgis_extensions_upgrade()"
                if name.startswith("postgis")
                else f"ALTER EXTENSION {name} UPDATE"
            )
            yield Finding(
                f"The extension {name} is at {installed}, and {newest} is there: `{how}` first, so that the new "
                "version "
                "knows it."
            )
        if wanted.is_major and chosen is Method.blue_green and name in UNFIT_EXTENSIONS:
            yield Finding(f"The extension {name}: {UNFIT_EXTENSIONS[name]}.", stops=False)
