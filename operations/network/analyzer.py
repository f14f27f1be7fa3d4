"""A connection asked of AWS' Reachability Analyzer, which knows rules that this command does not, and costs money.

It needs a path and an analysis in the account; both are removed whatever happens. What a killed run left is known by
its tag, and the next run removes it.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import typer

from operations.db.instances import MADE_BY, OF, tag_list
from operations.network import stands
from operations.network.ends import Hop, Is
from operations.network.link import Link, shortened
from operations.network.live import Network, Said
from operations.network.rules import interface_name
from operations.platform import Refusal, confirm
from operations.waits import Failed, Look, Patience

PRICE_USD = 0.10  # an analysis (AWS, "Amazon VPC pricing", Reachability Analyzer)
WAIT_MINUTES = 10
POLL_S = 5
REMOVALS = 6  # AWS does not delete an analysis that runs
NAME = "network check"
# Another person's run may last so long; what is older was left.
LEFT_AFTER = timedelta(minutes=WAIT_MINUTES + 5)

# Codes that a connection within one VPC meets (Reachability Analyzer guide, "Explanation codes"); {at} is where.
SENTENCES: Mapping[str, str] = {
    "ENI_SG_RULES_MISMATCH": "no rule of the security groups {at} lets it {way}",
    "SG_HAS_NO_RULES": "the security group {at} has no rule at all",
    "SUBNET_ACL_RESTRICTION": "the network ACL {at} does not let it {way}",
    "NO_ROUTE_TO_DESTINATION": "the route table {at} has no route there",
    "CANNOT_ROUTE": "a route of {at} does not match the address",
    "HIGHER_PRIORITY_ROUTE": "a narrower route of {at} leads elsewhere",
    "BAD_STATE": "{at} is not in working order",
    "BAD_STATE_ROUTE": "a route of {at} leads to something that is gone",
    "NO_POSSIBLE_DESTINATION": "nothing that it passes leads on from {at}",
    "NO_PATH": "there is no way between the two",
    "ENI_SOURCE_DEST_CHECK_RESTRICTION": "{at} only takes what has its own address",
}
# Where an explanation says what it speaks of; the first that it has.
_PLACES = ("SecurityGroup", "Acl", "RouteTable", "Component", "NetworkInterface", "Subnet", "Vpc")


def ask(network: Network, hops: Sequence[Hop], *, yes: bool, dry_run: bool) -> list[Link]:
    """A link for each hop; none on a dry run. Raises Refusal where no interface stands, Failed where AWS ends badly."""
    pairs = [(hop, _interface(network, hop, "source"), _interface(network, hop, "target")) for hop in hops]
    left = _left(network)
    touches = [
        f"analyze {source['NetworkInterfaceId']} -> {target['NetworkInterfaceId']}, {hop.protocol} {hop.port}: "
        f"{PRICE_USD:.2f} USD to AWS; its path and analysis are removed afterwards"
        for hop, source, target in pairs
    ]
    touches += [f"remove {each['NetworkInsightsPathId']}, which an earlier run left" for each in left]
    # What was read without it is shown all the same.
    if not confirm(network.platform, touches, as_json=False, yes=yes, dry_run=dry_run):
        return []
    patience = Patience.of(WAIT_MINUTES)
    for each in left:
        _remove(network.ec2, each["NetworkInsightsPathId"], patience)
    return [_asked(network, hop, source, target, patience) for hop, source, target in pairs]


def _interface(network: Network, hop: Hop, side: str) -> Said:
    end = hop.source if side == "source" else hop.target
    if end.kind is Is.outside:
        raise Refusal(
            f"--analyze asks from one network interface to another, and {end.name} has none of the stack's."
        )
    found = stands.interfaces_of(network, end)
    if not found:
        raise Refusal(
            f"No network interface bears the security group {end.group} now, so AWS has nothing to analyze: "
            f"{'start it first' if end.kind is Is.service else 'it has to stand first'}."
        )
    return found[0]


def _tags(network: Network) -> dict[str, str]:
    return {MADE_BY: NAME, OF: f"{network.platform.system}/{network.platform.stack}"}


def _left(network: Network) -> list[Said]:
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in _tags(network).items()]
    before = datetime.now(UTC) - LEFT_AFTER
    pages = network.ec2.get_paginator("describe_network_insights_paths").paginate(Filters=filters)
    found = [each for page in pages for each in page["NetworkInsightsPaths"]]
    return [each for each in found if each["CreatedDate"] < before]


def _asked(network: Network, hop: Hop, source: Said, target: Said, patience: Patience) -> Link:
    with _path(network, hop, source, target, patience) as path:
        started = network.ec2.start_network_insights_analysis(
            NetworkInsightsPathId=path,
            ClientToken=str(uuid4()),
            TagSpecifications=_specified(network, "analysis"),
        )
        identifier = started["NetworkInsightsAnalysis"]["NetworkInsightsAnalysisId"]

        def look() -> Look[Said]:
            answer = network.ec2.describe_network_insights_analyses(NetworkInsightsAnalysisIds=[identifier])
            [said] = answer["NetworkInsightsAnalyses"]
            return Look(said["Status"], said if said["Status"] != "running" else None)

        said = patience.until(
            f"Reachability Analyzer, {hop}", look, otherwise="Ask again in some minutes.", every_s=POLL_S
        )
    if said["Status"] != "succeeded":
        raise Failed(
            f"Reachability Analyzer could not tell: {said.get('StatusMessage', 'it gives no reason')}."
        )
    between = f"{interface_name(source)} -> {interface_name(target)}, {hop.protocol} {hop.port}"
    if said["NetworkPathFound"]:
        return Link("Reachability Analyzer", True, f"AWS finds a way: {between}")
    reasons = list(dict.fromkeys(sentence(each) for each in said.get("Explanations", [])))
    return Link(
        "Reachability Analyzer",
        False,
        f"AWS finds no way, {between}: {shortened(reasons) or 'it gives no reason'}.",
        f"Put that right; `groundwork network audit --stack {network.platform.stack}` shows what is not as declared.",
    )


def sentence(said: Said) -> str:
    """An explanation in words; one whose code is not known here is told by it."""
    place = next((said[key] for key in _PLACES if said.get(key)), None)
    groups = [each["Id"] for each in said.get("SecurityGroups", [])]
    at = ", ".join(groups) or (place or {}).get("Id", "there")
    way = {"ingress": "in", "egress": "out"}.get(said.get("Direction", ""), "through")
    code = said.get("ExplanationCode", "no code")
    known = SENTENCES.get(code)
    return known.format(at=at, way=way) if known else f"{code} at {at}"


def _specified(network: Network, kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": f"network-insights-{kind}", "Tags": tag_list(_tags(network))}]


@contextmanager
def _path(network: Network, hop: Hop, source: Said, target: Said, patience: Patience) -> Generator[str]:
    made = network.ec2.create_network_insights_path(
        Source=source["NetworkInterfaceId"],
        Destination=target["NetworkInterfaceId"],
        Protocol=hop.protocol,
        DestinationPort=hop.port,
        TagSpecifications=_specified(network, "path"),
        ClientToken=str(uuid4()),
    )
    path = made["NetworkInsightsPath"]["NetworkInsightsPathId"]
    try:
        yield path
    finally:
        _remove(network.ec2, path, patience)


def _remove(ec2: Any, path: str, patience: Patience) -> None:
    """The analyses of a path, then the path. What AWS does not let go is named, with the command that does it."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 so that `--help` stays quick

    for attempt in range(REMOVALS):
        try:
            pages = ec2.get_paginator("describe_network_insights_analyses").paginate(
                NetworkInsightsPathId=path
            )
            for each in [one for page in pages for one in page["NetworkInsightsAnalyses"]]:
                ec2.delete_network_insights_analysis(
                    NetworkInsightsAnalysisId=each["NetworkInsightsAnalysisId"]
                )
            ec2.delete_network_insights_path(NetworkInsightsPathId=path)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code.endswith("NotFound"):
                return
            if attempt == REMOVALS - 1:
                typer.echo(
                    f"{path} could not be removed ({code}). The next `groundwork network check --analyze` does it, or "
                    f"`aws ec2 delete-network-insights-path --network-insights-path-id {path}`.",
                    err=True,
                )
            else:
                patience.sleep(POLL_S)
        else:
            return
