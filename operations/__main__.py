"""The `groundwork` command: what operators and pipelines type. `groundwork --help` lists it."""

import typer

from operations import (
    affected,
    alerts,
    backup,
    comments,
    db,
    exemptions,
    grafana,
    images,
    incident,
    maintenance,
    migrations,
    network,
    nightly,
    plans,
    probe,
    redis,
    secrets,
    services,
    tasks,
)
from operations.doctor import doctor
from operations.perf.command import perf
from operations.policy import commands as policy
from operations.repo import repo
from operations.report import command as report
from operations.status import status
from operations.verify import health, targets, verify

app = typer.Typer(
    name="groundwork",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(policy.app, name="policy")
app.add_typer(db.app, name="db")
app.add_typer(backup.app, name="backup")
app.add_typer(secrets.app, name="secrets")
app.add_typer(redis.app, name="redis")
app.add_typer(images.app, name="images")
app.add_typer(grafana.app, name="grafana")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(network.app, name="network")
app.add_typer(alerts.app, name="alerts")
app.add_typer(incident.app, name="incident")
policy.app.command("exemptions")(exemptions.exemptions)
app.command("affected")(affected.affected)
app.command("status")(status)
app.command("doctor")(doctor)
app.command("verify")(verify)
app.command("health")(health)
app.command("targets")(targets)
app.command("run")(tasks.run)
app.command("migrate")(migrations.migrate)
app.command("seed")(tasks.seed)
app.add_typer(services.app, name="service")
app.command("deploy")(services.deploy.deploy)
app.command("rollback")(services.rollback.rollback)
app.command("scale")(services.scale.scale)
app.command("logs")(services.logs.logs)
app.command("exec")(services.execute.execute)
app.command("plan-rest")(plans.plan_rest)
app.command("probe")(probe.probe)
app.command("perf")(perf)
app.command("nightly")(nightly.nightly)
app.command("report")(report)
app.command("repo")(repo)
app.command("comment")(comments.comment)


@app.callback()
def groundwork() -> None:
    """Operate and check a platform that Groundwork declares."""


def main() -> None:
    app(prog_name="groundwork")


if __name__ == "__main__":
    main()
