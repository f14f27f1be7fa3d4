"""What a person changes once a database is upgraded, so that the next `pulumi up` finds nothing to do."""

from collections.abc import Mapping, Sequence

from operations.db import aws_state
from operations.db.aws_ask import Answers, rows
from operations.db.instances import Described, major
from operations.platform import Platform


def steps(
    platform: Platform, version: str, ids: Mapping[str, str], old: Sequence[Described], *, is_major: bool
) -> list[str]:
    """In their order. `ids` are RDS' own, before and after: blue/green makes new instances, in place keeps them."""
    told = [f'In the stack file: database.engine_version: "{version}".']
    if is_major:
        told.append(
            f"In the stack file: operations.postgres_image of PostgreSQL {major(version)}: an older pg_dump refuses a "
            "newer "
            "server, and there would be no dump."
        )
    told += aws_state.steps(platform, ids)
    told.append("pulumi up: it must replace nothing.")
    if is_major:
        told.append(
            "Take rds.logical_replication out again, if it was only for this: it keeps more of the log."
        )
    if old:
        names = ", ".join(each.identifier for each in old)
        told.append(
            f"When everybody is content: `groundwork db upgrade --stack {platform.stack} --to {version} --until "
            "clean-up` "
            f"takes a last snapshot and removes {names}, which are paid for until then."
        )
    return told


def extension_updates(answers: Answers) -> list[str]:
    """SQL for what the new version has newer."""
    return [
        "SELECT postgis_extensions_upgrade()" if name == "postgis" else f"ALTER EXTENSION {name} UPDATE"
        for name, installed, newest in rows(answers.get("extensions", ()))
        if installed != newest and not name.startswith("postgis_")
    ]
