"""From the load balancer to the stores, for one service: each step is told, and what is broken becomes a cause."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from operations.network import chain, ends, front
from operations.network.case import MINUTES, Case, Why
from operations.network.check import first_broken
from operations.network.declared import BROKER, CACHE, DATABASE, DATABASE_PROXY, LOAD_BALANCER
from operations.network.ends import End, Hop, Is
from operations.network.link import Link
from operations.network.live import Network, Said
from operations.platform import Refusal
from operations.services import deaths, fleet, logs
from operations.services.fleet import Service
from operations.show import printable

SHOWN_LINES = 5


def walk(network: Network, service: Service, status: int) -> Case:
    """Raises Refusal for a service that the balancer does not serve."""
    case, platform = Case(service.name, status), network.platform
    said = fleet.describe(platform.client("ecs"), [service])[service.name]
    served = [each["targetGroupArn"] for each in said.get("loadBalancers", []) if "targetGroupArn" in each]
    if not served:
        raise Refusal(
            f"{service.name} is not behind the load balancer: nobody gets {status} from it. Services that are: "
            f"{', '.join(platform.outputs['healthUrls']) or 'none'}."
        )
    front.balancer(network, case)
    group = front.group(platform.client("elbv2"), served[0])
    if group is None:
        case.broken(
            "target group",
            f"{served[0]} is gone",
            Why.rule,
            f"The target group of {service.name} is not there any more.",
            f"`pulumi up --refresh --stack {platform.stack}`.",
        )
    else:
        front.rule(network, case, group)
        front.health(network, case, group, said)
        front.health_check(network, case, group)
    _service(network, case, service, said)
    _answers(network, case, group)
    _reach(network, case)
    _lines(network, case)
    return case


def _service(network: Network, case: Case, service: Service, said: Said) -> None:
    platform, running, desired = network.platform, said["runningCount"], said["desiredCount"]
    text = f"{running} of {desired} tasks run"
    died = deaths.of(platform.client("ecs"), platform.client("logs"), service)
    if not desired:
        case.broken(
            "tasks",
            text,
            Why.stopped,
            f"{service.name} is stopped: it should have no task.",
            f"`groundwork service start {service.name} --stack {platform.stack}`.",
        )
    elif running < desired and not died:
        events = said.get("events", [])
        latest = printable(events[0]["message"]).rstrip(".") if events else "ECS says nothing"
        case.broken(
            "tasks",
            f"{text}; {latest}",
            Why.no_task,
            f"{service.name} has {running} of {desired} tasks, and none has died: {latest}.",
            f"`groundwork service show {service.name} --stack {platform.stack}`.",
        )
    elif running < desired:
        case.links.append(Link("tasks", False, text))
    else:
        case.well("tasks", text)
    if not died:
        case.well("deaths", "none in the last hour")
        return
    newest = died[0]
    case.broken(
        "deaths",
        f"{len(died)} in the last hour; the last: {printable(newest.reason) or newest.cause.said}",
        Why.deaths,
        f"Tasks of {service.name} die: {newest.cause.said}",
        f"{newest.cause.remedy} `groundwork service show {service.name} --stack {platform.stack}` has each of them.",
    )


def _answers(network: Network, case: Case, group: Said | None) -> None:
    """Who gave the answers: the balancer, or the service itself."""
    balancer = network.platform.outputs["loadBalancer"]["arn"].partition("loadbalancer/")[2]
    dimensions = [{"Name": "LoadBalancer", "Value": balancer}]
    suffix = group["TargetGroupArn"].rpartition(":")[2] if group else ""
    queries = [("elb", f"HTTPCode_ELB_{case.status}_Count", dimensions)]
    if suffix:
        of_target = [*dimensions, {"Name": "TargetGroup", "Value": suffix}]
        queries.append(("target", "HTTPCode_Target_5XX_Count", of_target))
    counts = _counts(network, queries)
    if not any(counts.values()):
        case.well("answers", f"no {case.status} by the balancer and no 5xx by its tasks in {MINUTES} minutes")
        return
    text = (
        f"{counts.get('elb', 0):.0f} times {case.status} by the balancer itself, {counts.get('target', 0):.0f} "
        f"times 5xx by its tasks in {MINUTES} minutes"
    )
    if counts.get("target") and not counts.get("elb"):
        case.broken(
            "answers",
            text,
            Why.own_answer,
            f"{case.service} itself answers with 5xx; the load balancer only hands it on.",
            f"`groundwork logs {case.service} --errors --since {MINUTES}m --stack {network.platform.stack}`.",
        )
    else:
        case.links.append(Link("answers", False, text))


def _counts(network: Network, queries: Sequence[tuple[str, str, list[dict[str, str]]]]) -> dict[str, float]:
    now = datetime.now(UTC)
    answer = network.platform.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": name,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ApplicationELB",
                        "MetricName": metric,
                        "Dimensions": dimensions,
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for name, metric, dimensions in queries
        ],
        StartTime=now - timedelta(minutes=MINUTES),
        EndTime=now,
    )
    return {each["Id"]: sum(each["Values"]) for each in answer["MetricDataResults"]}


def _reach(network: Network, case: Case) -> None:
    """From the balancer to the service, and from it to each of its stores, as `network check` looks at it."""
    service = End(case.service, Is.service, case.service)
    balancer = End(LOAD_BALANCER, Is.balancer, LOAD_BALANCER)
    edges = [each for each in network.edges if each.target == case.service and each.source == LOAD_BALANCER]
    for edge in edges:
        hop = Hop(balancer, service, edge.port, edge.protocol)
        _one(
            network,
            case,
            hop,
            Why.to_service,
            f"The load balancer does not reach {case.service}",
            "load-balancer",
        )
    for edge in network.edges:
        is_store = edge.target in (DATABASE, DATABASE_PROXY) or edge.target.startswith((CACHE, BROKER))
        if edge.source == case.service and is_store:
            hop = Hop(service, ends.end(network.platform, edge.target), edge.port, edge.protocol)
            said = f"{case.service} does not reach {hop.target.name}"
            _one(network, case, hop, Why.store, said, case.service)


def _one(network: Network, case: Case, hop: Hop, why: Why, said: str, source: str) -> None:
    # Whether the service's own tasks run is told by a step of its own.
    links = [each for each in chain.of(network, [hop]) if each.step != Is.service.value]
    broken = first_broken(links)
    if broken is None:
        case.well("reach", str(hop))
        return
    case.broken(
        "reach",
        f"{hop}: {broken.said}",
        why,
        f"{said}: {broken.said}",
        f"{broken.remedy} `groundwork network check --from {source} --to {hop.target.group}:{hop.port} --stack "
        f"{network.platform.stack}` shows every step.",
    )


def _lines(network: Network, case: Case) -> None:
    client = network.platform.client("logs")
    [source] = logs.sources(network.platform, [case.service])
    pattern = logs.error_pattern(client, source)
    reader = logs.Reader(client, [logs.Source(source.name, source.group, pattern)])
    lines = reader.since(datetime.now(UTC) - timedelta(minutes=MINUTES))[-SHOWN_LINES:]
    if not lines:
        case.well("error lines", f"none in {MINUTES} minutes")
        return
    shown = " | ".join(printable(line.text)[:160] for line in lines)
    case.broken(
        "error lines",
        shown,
        Why.lines,
        f"{case.service} writes errors: {printable(lines[-1].text)[:160]}",
        f"`groundwork logs {case.service} --errors --since {MINUTES}m --stack {network.platform.stack}`.",
    )
