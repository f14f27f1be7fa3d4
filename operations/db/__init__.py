"""`groundwork db`: what an operator does to a stack's database, by SQL and by RDS."""

import typer

from operations.db import (
    activity,
    asking,
    aws_failover,
    aws_pitr,
    aws_reboot,
    aws_restore,
    aws_upgrade,
    bootstrap,
    care,
    check,
    failover,
    reboot,
    sessions,
    sizes,
    status,
)

app = typer.Typer(
    help="The database: bootstrap, checks, care, failover, restore, upgrade.", no_args_is_help=True
)
app.command("bootstrap")(bootstrap.bootstrap)
app.command("status")(status.status)
app.command("check")(check.check)
app.command("ping")(asking.ping)
app.command("verify")(asking.verify)
app.command("activity")(activity.activity)
app.command("connections")(activity.connections)
app.command("slow")(activity.slow)
app.command("cancel")(activity.cancel)
app.command("tables")(sizes.tables)
app.command("indexes")(sizes.indexes)
app.command("explain")(asking.explain)
app.command("vacuum")(care.vacuum)
app.command("reindex")(care.reindex)
app.command("connect")(sessions.connect)
app.command("tunnel")(sessions.tunnel)
app.command("reboot")(reboot.reboot)
app.command("reboot-if-pending")(aws_reboot.reboot_if_pending)
app.command("failover")(failover.failover)
app.command("failover-drill")(aws_failover.failover_drill)
app.command("restore")(aws_restore.restore)
app.command("restore-pitr")(aws_pitr.restore_pitr)
app.command("upgrade")(aws_upgrade.upgrade)
