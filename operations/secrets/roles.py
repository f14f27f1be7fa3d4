"""A role's new password, or its former one, by the stack's task `bootstrap` (wiring/bootstrap.py)."""

from operations.db import bootstrap
from operations.platform import Platform
from operations.secrets.by_task import Way
from operations.secrets.known import Known


def _holders(platform: Platform, secret: Known) -> list[str]:
    """The task puts URLs together anew, too."""
    return bootstrap.script(platform).with_password_of(secret.arn)


WAY = Way(
    task=bootstrap.TASK,
    # One makes the password, one has it read by everybody.
    told=("passwords", "publish"),
    variable="ROLE",
    store="PostgreSQL",
    mends="groundwork db bootstrap",
    holders=_holders,
)
