"""The load balancer's side of a diagnosis: itself, the rule that leads to the service, the health of its targets."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from operations.network import stands
from operations.network.case import MINUTES, Case, Why
from operations.network.declared import LOAD_BALANCER
from operations.network.ends import End, Is
from operations.network.live import Network, Said
from operations.show import printable

# Why a target gets no request (ELB guide, "Target health status").
REASONS = {
    "Target.ResponseCodeMismatch": "the health check is answered with something else than 200",
    "Target.Timeout": "the health check is not answered in time: it hangs, or a firewall is in the way",
    "Target.FailedHealthChecks": "nothing takes the health check's connection, or it breaks off",
    "Target.DeregistrationInProgress": "it is being taken out",
    "Target.NotInUse": "its zone is not the balancer's, or no rule leads to it",
    "Target.InvalidState": "it is stopped",
    "Elb.InitialHealthChecking": "it is new and not yet checked",
    "Elb.RegistrationInProgress": "it is being registered",
    "Elb.InternalError": "the balancer itself failed",
}


def balancer(network: Network, case: Case) -> None:
    stand = stands.of(network, End(LOAD_BALANCER, Is.balancer, LOAD_BALANCER))
    if stand.trouble:
        case.broken("load balancer", stand.trouble, Why.balancer, stand.trouble, stand.remedy)
    else:
        case.well("load balancer", stand.state)


def group(elb: Any, arn: str) -> Said | None:
    try:
        return elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    except elb.exceptions.TargetGroupNotFoundException:
        return None


def rule(network: Network, case: Case, group: Said) -> None:
    elb, arn = network.platform.client("elbv2"), network.platform.outputs["loadBalancer"]["arn"]
    try:
        listeners = [
            each
            for page in elb.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
            for each in page["Listeners"]
        ]
    except elb.exceptions.LoadBalancerNotFoundException:
        return  # told with the balancer itself
    rules = [
        rule
        for each in listeners
        for page in elb.get_paginator("describe_rules").paginate(ListenerArn=each["ListenerArn"])
        for rule in page["Rules"]
        if group["TargetGroupArn"] in _forwards(rule)
    ]
    if rules:
        case.well("listener rule", "; ".join(_condition(rule) for rule in rules))
        return
    case.broken(
        "listener rule",
        f"no rule leads to {group['TargetGroupName']}",
        Why.rule,
        f"No rule of the load balancer leads to {case.service}, so its requests get 404 or 503.",
        f"`pulumi up --refresh --stack {network.platform.stack}` makes it again.",
    )


def _forwards(rule: Said) -> Iterator[str]:
    for action in rule["Actions"]:
        yield action.get("TargetGroupArn", "")
        yield from (
            each["TargetGroupArn"] for each in action.get("ForwardConfig", {}).get("TargetGroups", [])
        )


def _condition(rule: Said) -> str:
    values = [
        value
        for each in rule["Conditions"]
        for config in ("HostHeaderConfig", "PathPatternConfig")
        for value in each.get(config, {}).get("Values", [])
    ]
    return f"{', '.join(values) or 'everything else'} (priority {rule['Priority']})"


def health(network: Network, case: Case, group: Said, said: Said) -> None:
    elb, stack = network.platform.client("elbv2"), network.platform.stack
    targets = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    states = Counter(each["TargetHealth"]["State"] for each in targets)
    shown = ", ".join(f"{count} {state}" for state, count in states.items()) or "no target"
    if not targets and said["runningCount"]:
        text = f"no target is registered, and {said['runningCount']} tasks run"
        if network.is_emulated:
            case.unknown("targets", f"{text}: the emulator registers none")
            return
        case.broken(
            "targets",
            text,
            Why.not_registered,
            f"The tasks of {case.service} run, and none is registered at the load balancer.",
            f"`groundwork service restart {case.service} --stack {stack}`; then `pulumi up --refresh --stack {stack}`.",
        )
        return
    bad = [
        each for each in targets if each["TargetHealth"]["State"] in ("unhealthy", "unavailable", "unused")
    ]
    if not targets or not bad:
        # Having none without a task running is told with the tasks.
        (case.well if states["healthy"] else case.unknown)("targets", shown)
        return
    reasons = [
        (each["TargetHealth"].get("Reason", ""), each["TargetHealth"].get("Description", "")) for each in bad
    ]
    reason, described = Counter(reasons).most_common(1)[0][0]
    meant = REASONS.get(reason, reason or "ELB gives no reason")
    all_bad = not states["healthy"]
    # With none left that is healthy the balancer asks all of them (ELB guide, "Target group health").
    rest = "all of them, so that the balancer sends requests to sick ones" if all_bad else "not all of them"
    case.broken(
        "targets",
        f"{shown}: {meant} ({printable(described) or reason})",
        Why.unhealthy,
        f"Tasks of {case.service} fail the load balancer's health check, {rest}: {meant}.",
        f"`groundwork logs {case.service} --errors --since {MINUTES}m --stack {stack}` says what they were doing.",
    )


def health_check(network: Network, case: Case, group: Said) -> None:
    asked, url = (
        group.get("HealthCheckPath", ""),
        network.platform.outputs["healthUrls"].get(case.service, ""),
    )
    declared = urlsplit(url).path
    every_s, within_s = group["HealthCheckIntervalSeconds"], group["HealthCheckTimeoutSeconds"]
    text = f"{asked} every {every_s} s, {within_s} s for an answer"
    if not declared or asked == declared:
        case.well("health check", text)
        return
    case.broken(
        "health check",
        f"{text}, and {declared} is declared",
        Why.health_check,
        f"The load balancer asks {asked} whether {case.service} is well, and the stack declares {declared}.",
        f"`pulumi up --refresh --stack {network.platform.stack}` puts it back.",
    )
