"""A broker's new password, or its former one, by the stack's task `broker-logins` (wiring/broker_logins.py)."""

from operations.platform import Platform, Refusal
from operations.secrets.by_task import Way
from operations.secrets.known import Known

TASK = "broker-logins"
# A variable of its container: a line a broker, which ends with the URLs that hold its password.
BROKERS = "BROKERS"


def _holders(platform: Platform, secret: Known) -> list[str]:
    """Raises Refusal where a URL would keep the old one."""
    task = platform.outputs["tasks"].get(TASK)
    if task is None:
        raise Refusal(f"{platform} has no task {TASK}. `pulumi up` declares it with the broker.")
    arn = task["taskDefinition"]
    answer = platform.client("ecs").describe_task_definition(taskDefinition=arn)
    [container] = answer["taskDefinition"]["containerDefinitions"]
    variables = {each["name"]: each["value"] for each in container["environment"]}
    lines = [line.split() for line in variables[BROKERS].splitlines()]
    held_by = {login: urls for _name, _user, login, _console, *urls in lines}
    if secret.arn not in held_by:
        raise Refusal(f"{arn} knows no broker with the login {secret.arn}. `pulumi up` declares it anew.")
    if urls := held_by[secret.arn]:
        raise Refusal(
            f"The password of {secret.name} is in {', '.join(urls)}, too, which would keep the old one. Give those who "
            "read that the broker's host, port, username and password as variables of their own (system file), and run "
            "`pulumi up`; then rotate it."
        )
    return [secret.arn]


WAY = Way(
    task=TASK,
    told=(TASK,),
    variable="BROKER",
    store="RabbitMQ",
    mends=f"groundwork run {TASK}",
    holders=_holders,
)
