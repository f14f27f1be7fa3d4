"""The blue/green deployment of an upgrade: at which stage it is, as RDS says it, and what leads to the next one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operations.db.aws_reboot import is_pending
from operations.db.aws_snapshots import snapshot
from operations.db.aws_upgrade.preflight import Target, deployments
from operations.db.instances import (
    MADE_BY,
    OF,
    Described,
    all_instances,
    get_instance,
    tag_list,
    wait_available,
)
from operations.platform import Refusal
from operations.waits import Failed, Look, Patience

MAKER = "db-upgrade"
LONGEST_NAME = 60  # RDS API: BlueGreenDeploymentName
SWITCHOVER_TIMEOUT_S = 300
OTHERWISE = "RDS goes on with it: run the same command again, and it waits on."
Deployment = Mapping[str, Any]


class Stage(StrEnum):
    """In their order. `upgraded` is one without a deployment: nothing is left to be done but to look for old ones."""

    begin = "to be begun"
    making = "the copy is being made"
    made = "the copy stands"
    switching = "switching over"
    switched = "switched over"
    upgraded = "upgraded"


# RDS API, BlueGreenDeployment.Status.
_STAGES = {
    "PROVISIONING": Stage.making,
    "AVAILABLE": Stage.made,
    "SWITCHOVER_IN_PROGRESS": Stage.switching,
    "SWITCHOVER_COMPLETED": Stage.switched,
}
# What to do about the others.
_REMEDIES = {
    "SWITCHOVER_FAILED": "Everything is as it was before. Mend it and run this again: it switches over anew",
    "INVALID_CONFIGURATION": "The copy no longer fits its original. Delete the deployment and run this again",
    "PROVISIONING_FAILED": "Delete the deployment, mend it, and run the same command again",
    "DELETING": "Run the same command again once it is gone",
}
RETRIED = "SWITCHOVER_FAILED"


@dataclass(frozen=True)
class Found:
    stage: Stage
    deployment: Deployment | None = None


def name_of(database: Described, version: str) -> str:
    """The same upgrade has the same name, so that running it again finds it."""
    ending = f"-to-{version.replace('.', '-')}"
    return f"{database.identifier[: LONGEST_NAME - len(ending)].rstrip('-')}{ending}"


def look(rds: Any, database: Described, wanted: Target | str) -> Found:
    """Where the upgrade stands. `wanted` is its name where RDS has that version already. Raises Refusal if it broke."""
    version = wanted if isinstance(wanted, str) else wanted.version
    name = name_of(database, version)
    found = next(
        (each for each in deployments(rds, database) if each["BlueGreenDeploymentName"] == name), None
    )
    if found is None:
        return Found(Stage.upgraded if database.version == version else Stage.begin)
    status = found["Status"]
    if status in _STAGES:
        return Found(_STAGES[status], found)
    if status == RETRIED:
        return Found(Stage.made, found)
    why = found.get("StatusDetails") or "RDS gives no reason"
    raise Refusal(
        f"The blue/green deployment {name} is {status}: {why}. {_REMEDIES.get(status, 'Look at it in the console')}. "
        f"`aws rds delete-blue-green-deployment --delete-target --blue-green-deployment-identifier {_id(found)}` "
        "removes "
        "the copy, and nothing of the original."
    )


def _id(deployment: Deployment) -> str:
    return deployment["BlueGreenDeploymentIdentifier"]


def begin(rds: Any, database: Described, wanted: Target, group: str, patience: Patience) -> Deployment:
    """Has the copy made, replicas and all. It changes nothing of the original."""
    rds.create_blue_green_deployment(
        BlueGreenDeploymentName=name_of(database, wanted.version),
        Source=database.arn,
        TargetEngineVersion=wanted.version,
        TargetDBParameterGroupName=group,
        Tags=tag_list({MADE_BY: MAKER, OF: database.identifier}),
    )
    return wait_made(rds, database, wanted, patience)


def wait_made(rds: Any, database: Described, wanted: Target, patience: Patience) -> Deployment:
    def seen() -> Look[Deployment]:
        found = look(rds, database, wanted)
        tasks = (found.deployment or {}).get("Tasks", [])
        done = sum(task.get("Status") == "COMPLETED" for task in tasks)
        state = f"{found.stage}, {done} of {len(tasks)} steps" if tasks else found.stage
        return Look(state, found.deployment if found.stage is Stage.made else None)

    return patience.until("Blue/green deployment", seen, otherwise=OTHERWISE, every_s=30)


def identifier(arn: str) -> str:
    return arn.rpartition(":")[-1]


def pairs(deployment: Deployment) -> dict[str, str]:
    """By name of each member before: its counterpart. After the switch-over the first are the old ones."""
    details = deployment.get("SwitchoverDetails") or [
        {"SourceMember": deployment["Source"], "TargetMember": deployment["Target"]}
    ]
    return {
        identifier(each["SourceMember"]): identifier(each["TargetMember"])
        for each in details
        if each.get("SourceMember") and each.get("TargetMember")
    }


def copy_problems(rds: Any, deployment: Deployment, wanted: Target) -> list[str]:
    """What is wrong with the members of the copy, as RDS sees them."""
    problems = []
    for original, copy in pairs(deployment).items():
        seen = get_instance(rds, copy)
        if seen is None:
            problems.append(f"{copy}, the copy of {original}, is gone.")
            continue
        if seen.version != wanted.version:
            problems.append(f"{copy} is at {seen.version}, and not at {wanted.version}.")
        if seen.status != "available":
            problems.append(f"{copy} is {seen.status}.")
        if is_pending(seen):
            problems.append(
                f"{copy} waits for a restart: `aws rds reboot-db-instance --db-instance-identifier {copy}`."
            )
    return problems


def switch_over(
    rds: Any, database: Described, wanted: Target, deployment: Deployment, patience: Patience
) -> Deployment:
    """Raises `Failed` where RDS rolled it back; everything is as it was before then."""
    rds.switchover_blue_green_deployment(
        BlueGreenDeploymentIdentifier=_id(deployment), SwitchoverTimeout=SWITCHOVER_TIMEOUT_S
    )
    return wait_switched(rds, database, wanted, patience)


def wait_switched(rds: Any, database: Described, wanted: Target, patience: Patience) -> Deployment:
    def seen() -> Look[Deployment]:
        found = look(rds, database, wanted)
        said = found.deployment or {}
        if said.get("Status") == RETRIED:
            why = said.get("StatusDetails") or "RDS gives no reason"
            raise Failed(f"RDS did not switch over: {why}. {_REMEDIES[RETRIED]}.")
        return Look(found.stage, found.deployment if found.stage is Stage.switched else None)

    return patience.until("Switch-over", seen, otherwise=OTHERWISE, every_s=5)


def old_ones(rds: Any, database: Described, deployment: Deployment | None) -> list[Described]:
    """What the switch-over has put aside, replicas first: by the deployment, or once that is deleted by their names."""
    if deployment is not None:
        found = [get_instance(rds, name) for name in pairs(deployment)]
        aside = [each for each in found if each is not None]
    else:
        names = [database.identifier, *database.said.get("ReadReplicaDBInstanceIdentifiers", [])]
        pattern = re.compile(rf"({'|'.join(map(re.escape, names))})-old\d+")
        aside = [each for each in all_instances(rds) if pattern.fullmatch(each.identifier)]
    older = [each for each in aside if _is_older(each, database) and each.status != "deleting"]
    return sorted(older, key=lambda each: not each.said.get("ReadReplicaSourceDBInstanceIdentifier"))


def _is_older(each: Described, database: Described) -> bool:
    """Never the one that works: neither its name nor its version."""
    return each.identifier != database.identifier and [*map(int, each.version.split("."))] < [
        *map(int, database.version.split("."))
    ]


def clean_up(
    rds: Any, database: Described, old: Sequence[Described], deployment: Deployment | None, patience: Patience
) -> list[str]:
    """A last snapshot of the old primary, then the old ones and the deployment; the names of the snapshots.

    Raises `Failed`; run again it goes on.
    """
    if deployment is not None:
        rds.delete_blue_green_deployment(BlueGreenDeploymentIdentifier=_id(deployment))
    kept = []
    for each in old:
        if not each.said.get("ReadReplicaSourceDBInstanceIdentifier"):
            name = f"{database.identifier}-before-{database.version.replace('.', '-')}"
            wait_available(rds, each.identifier, patience, otherwise=OTHERWISE)
            snapshot(rds, each, name, {MADE_BY: MAKER, OF: database.identifier}, patience)
            kept.append(name)
        if each.said.get("DeletionProtection"):
            rds.modify_db_instance(
                DBInstanceIdentifier=each.identifier, DeletionProtection=False, ApplyImmediately=True
            )
        rds.delete_db_instance(
            DBInstanceIdentifier=each.identifier, SkipFinalSnapshot=True, DeleteAutomatedBackups=False
        )
    return kept
