"""`groundwork db restore-pitr`: the database as it was at a moment, in a new one beside the original."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations import show
from operations.db import aws_state, instances
from operations.db.instances import MADE_BY, OF, Described, declared, get, tag_list, wait_available
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.waits import Patience, carried_out

MAKER = "db-restore-pitr"
LATEST = "latest"
LONGEST = 63


def moment(text: str, database: Described, earliest: datetime | None) -> datetime:
    """`latest`, or ISO 8601 with a zone. Raises Refusal for another form, and for a time that RDS does not keep."""
    latest = database.said.get("LatestRestorableTime")
    if latest is None:
        raise Refusal(
            f"RDS keeps no automated backups of {database.identifier}, so no moment comes back. Set "
            "database.backup_retention_days; for now `groundwork backup status` shows what there is."
        )
    if text == LATEST:
        return latest
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--time is like 2026-04-01T12:00:00Z or `latest`, and not {text}.") from None
    if when.tzinfo is None:
        raise Refusal(
            f"--time needs its zone, such as {text}Z or {text}+01:00: an hour off would be another database."
        )
    if when > latest or (earliest is not None and when < earliest):
        since = f"from {_utc(earliest)} " if earliest else ""
        raise Refusal(
            f"RDS keeps {database.identifier} {since}to {_utc(latest)}, and {_utc(when)} is outside. The last five "
            "minutes "
            "come a moment later; what is older is in the vault (`groundwork backup status`)."
        )
    return when.astimezone(UTC)


def _utc(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def earliest(rds: Any, database: Described) -> datetime | None:
    """The first moment that RDS still has; None where it does not say."""
    if database.is_cluster:
        return database.said.get("EarliestRestorableTime")
    said = rds.describe_db_instance_automated_backups(DBInstanceIdentifier=database.identifier)
    windows = [each.get("RestoreWindow", {}) for each in said["DBInstanceAutomatedBackups"]]
    return min((window["EarliestTime"] for window in windows if "EarliestTime" in window), default=None)


def name_of(database: Described, when: datetime) -> str:
    """The same moment gives the same name, so that running it again goes on where it was."""
    ending = f"-at-{when:%Y%m%d%H%M%S}"
    return f"{database.identifier[: LONGEST - len(ending)].rstrip('-')}{ending}"


def request(rds: Any, database: Described, copy: str, when: datetime) -> None:
    """Everything that RDS takes and would else choose itself, as the original has it."""
    if database.is_cluster:
        rds.restore_db_cluster_to_point_in_time(**cluster_arguments(database, copy, when))
    else:
        rds.restore_db_instance_to_point_in_time(**instance_arguments(database, copy, when))


def _shared(database: Described, when: datetime) -> dict[str, Any]:
    said = database.said
    own = {key: value for key, value in database.tags.items() if not key.startswith("aws:") and key != "Name"}
    return {
        "DBSubnetGroupName": database.subnet_group,
        "VpcSecurityGroupIds": database.security_groups,
        "PubliclyAccessible": False,
        "CopyTagsToSnapshot": said.get("CopyTagsToSnapshot", True),
        "EnableIAMDatabaseAuthentication": said.get("IAMDatabaseAuthenticationEnabled", False),
        "EnableCloudwatchLogsExports": list(said.get("EnabledCloudwatchLogsExports", [])),
        "DeletionProtection": True,
        "Tags": tag_list({**own, MADE_BY: MAKER, OF: database.identifier, "groundwork:time": _utc(when)}),
    }


def instance_arguments(database: Described, copy: str, when: datetime) -> dict[str, Any]:
    said = database.said
    kept = {
        key: said[key]
        for key in ("MaxAllocatedStorage", "CACertificateIdentifier", "StorageType")
        if said.get(key) is not None
    }
    # gp3 has its figures by itself below 400 GiB, and refuses to be told them there.
    fast = said.get("StorageType") != "gp3" or said.get("AllocatedStorage", 0) >= 400
    if fast and said.get("Iops"):
        kept["Iops"] = said["Iops"]
    return {
        "SourceDBInstanceIdentifier": database.identifier,
        "TargetDBInstanceIdentifier": copy,
        "RestoreTime": when,
        "DBInstanceClass": database.instance_class,
        "MultiAZ": bool(said.get("MultiAZ")),
        "DBParameterGroupName": database.parameter_group,
        "AutoMinorVersionUpgrade": said.get("AutoMinorVersionUpgrade", True),
        **kept,
        **_password(database),
        **_shared(database, when),
    }


def cluster_arguments(database: Described, copy: str, when: datetime) -> dict[str, Any]:
    said = database.said
    return {
        "SourceDBClusterIdentifier": database.identifier,
        "DBClusterIdentifier": copy,
        "RestoreToTime": when,
        "DBClusterInstanceClass": database.instance_class,
        "DBClusterParameterGroupName": database.parameter_group,
        **({"StorageType": said["StorageType"]} if said.get("StorageType") else {}),
        **({"Iops": said["Iops"]} if said.get("Iops") else {}),
        **_shared(database, when),
    }


def _password(database: Described) -> dict[str, Any]:
    """Where RDS keeps the original's password, it keeps the copy's, too."""
    if not database.keeps_password:
        return {}
    key = database.said["MasterUserSecret"].get("KmsKeyId")
    return {"ManageMasterUserPassword": True, **({"MasterUserSecretKmsKeyId": key} if key else {})}


def switch_over(platform: Platform, database: Described, copy: Described) -> list[str]:
    """How the copy takes the original's place, a step each; or how single rows are taken over."""
    kind = "cluster" if database.is_cluster else "instance"
    new = f"--new-db-{kind}-identifier"
    identified = (
        f"aws rds modify-db-{kind} --region {platform.region} --apply-immediately --db-{kind}-identifier"
    )
    aside = f"{database.identifier}-before"
    proxy = f"{database.identifier}-proxy"
    cluster = "db-cluster-identifiers" if database.is_cluster else "db-instance-identifiers"
    proxied = [
        f"aws rds deregister-db-proxy-targets --db-proxy-name {proxy} --{cluster} {aside}",
        f"aws rds register-db-proxy-targets --db-proxy-name {proxy} --{cluster} {database.identifier}",
    ]
    replicas = database.said.get("ReadReplicaDBInstanceIdentifiers", [])
    return [
        "Only some rows are wanted: dump those tables from the new address and load them into the old database, then "
        f"delete {copy.identifier}. Else:",
        "Scale the services to nothing, so that nobody writes to the old one.",
        f"{identified} {database.identifier} {new} {aside}",
        f"{identified} {copy.identifier} {new} {database.identifier}",
        *(proxied if declared(platform).get("proxyAddress") else []),
        *aws_state.steps(platform, {aws_state.resource_id(database): aws_state.resource_id(copy)}),
        f"groundwork db bootstrap --stack {platform.stack}: the roles' passwords of today.",
        *(
            [f"Make the replicas {', '.join(replicas)} anew: they still follow the old one."]
            if replicas
            else []
        ),
        "Scale the services up, then `pulumi up`: it puts back what a restore does not take over (monitoring, backup "
        "window).",
        f"Keep {aside} until everybody is content, then delete it by hand, with a final snapshot.",
    ]


def restore_pitr(
    time: Annotated[
        str, typer.Option("--time", help="The moment, with its zone: 2026-04-01T12:00:00Z; or `latest`.")
    ],
    timeout_minutes: Annotated[int, typer.Option(min=1, help="Until it must stand.")] = 120,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Bring the database back as it was at a moment, in a new one beside the original, which is never touched.

    With the original's subnets, security groups, parameters, size and tags, and deletion protection. Interrupted, the
    same command with the same --time goes on. It says at the end how to switch over.

    \b
    Exit code
      0  it stands
      1  it did not come up in time
      2  it could not be begun

    \b
    Examples
      groundwork db restore-pitr --stack prod --time 2026-04-01T12:00:00Z
      groundwork db restore-pitr --stack prod --time latest --dry-run
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        rds = platform.client("rds")
        database = instances.find(platform, rds)
        when = moment(time, database, earliest(rds, database))
        copy = name_of(database, when)
        standing = get(rds, copy)
        if standing is None:
            said = [f"make {copy}: {database} as it was at {_utc(when)}; it costs what the original costs"]
            if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
                return
            request(rds, database, copy, when)
        elif standing.tags.get(OF) != database.identifier:
            raise Refusal(
                f"{copy} stands already, and is not of this command. Give another --time, a second later."
            )
        otherwise = "RDS goes on with it: the same command with the same --time waits again."
        made = wait_available(rds, copy, Patience.of(timeout_minutes), otherwise=otherwise)
        steps = switch_over(platform, database, made)
        if json_output:
            row = {
                "identifier": copy,
                "address": address(made),
                "time": _utc(when),
                "switch_over": steps,
            }
            typer.echo(show.as_text(row))
            return
        typer.echo(f"{copy} stands, as of {_utc(when)}: {address(made)}. Nothing uses it yet.")
        for number, step in enumerate(steps):
            typer.echo(f"  {number}. {step}" if number else f"  {step}")


def address(database: Described) -> str:
    said = database.said.get("Endpoint", "")
    return said if isinstance(said, str) else said.get("Address", "")
