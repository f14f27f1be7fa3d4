"""Security groups and their edges: a rule at each end, and nothing that is not declared."""

import pytest

from components.firewall import Edge, Firewall, FirewallArgs
from tests.recorder import record

GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
PUBLIC = Edge(source="internet", target="balancer", port=443, why="visitors")
QUERY = Edge(source="api", target="database", port=5432, why="queries")
IMAGES = Edge(source="api", target="s3", port=443, why="image layers")


def args(edges, groups=("balancer", "api", "database")):
    return FirewallArgs(
        vpc_id="vpc-1",
        groups=groups,
        edges=edges,
        prefix_lists={"s3": "pl-s3"},
        tags={"owner": "platform"},
    )


def declare(*edges):
    return record(lambda: Firewall("firewall", args(edges)))


def test_groups_are_made_without_any_rule_of_their_own():
    declared = declare()
    assert declared.names(GROUP) == ["firewall-api", "firewall-balancer", "firewall-database"]
    group = declared.one(GROUP, "firewall-api")
    # An inline list, even an empty one, would revoke the rules that are resources of their own.
    assert "ingress" not in group
    assert "egress" not in group
    assert group["tags"] == {"owner": "platform", "Name": "firewall-api"}
    assert declared.names(INGRESS) == declared.names(EGRESS) == []
    assert set(declared.outputs("firewall")["group_ids"]) == {"balancer", "api", "database"}


def test_an_edge_between_groups_is_a_rule_at_each_end():
    declared = declare(QUERY)
    ids = declared.outputs("firewall")["group_ids"]
    expected = {"ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "description": "queries"}
    out, into = declared.one(EGRESS), declared.one(INGRESS)
    assert out.name == "firewall-api-to-database-5432-egress"
    assert into.name == "firewall-api-to-database-5432-ingress"
    assert {k: v for k, v in out.inputs.items() if k != "tags"} == {
        **expected,
        "securityGroupId": ids["api"],
        "referencedSecurityGroupId": ids["database"],
    }
    assert {k: v for k, v in into.inputs.items() if k != "tags"} == {
        **expected,
        "securityGroupId": ids["database"],
        "referencedSecurityGroupId": ids["api"],
    }
    assert declared.orphans() == []


def test_the_internet_has_no_group_and_so_only_one_rule():
    declared = declare(PUBLIC)
    assert declared.one(INGRESS)["cidrIpv4"] == "0.0.0.0/0"
    assert "referencedSecurityGroupId" not in declared.one(INGRESS)
    assert declared.names(EGRESS) == []


def test_a_way_out_to_the_internet_and_to_a_prefix_list():
    declared = declare(Edge(source="api", target="internet", port=443, why="third parties"), IMAGES)
    out = {rule.name: rule for rule in declared.all(EGRESS)}
    assert out["firewall-api-to-internet-443-egress"]["cidrIpv4"] == "0.0.0.0/0"
    images = out["firewall-api-to-s3-443-egress"]
    assert images["prefixListId"] == "pl-s3"
    assert "cidrIpv4" not in images
    assert declared.names(INGRESS) == []


def test_tcp_and_udp_on_one_port_are_two_edges():
    dns = [Edge(source="api", target="database", port=53, why="names", protocol=p) for p in ("tcp", "udp")]
    assert declare(*dns).names(EGRESS) == [
        "firewall-api-to-database-53-egress",
        "firewall-api-to-database-53-udp-egress",
    ]


def test_a_group_may_talk_to_itself():
    declared = declare(Edge(source="api", target="api", port=4400, why="between its tasks"))
    assert declared.one(EGRESS)["securityGroupId"] == declared.one(INGRESS)["referencedSecurityGroupId"]


def test_another_edge_leaves_the_others_alone():
    before, after = declare(QUERY), declare(PUBLIC, QUERY)
    assert set(before.names()) < set(after.names())
    assert before.one(EGRESS).inputs == after.one(EGRESS).inputs


@pytest.mark.parametrize(
    ("edges", "groups", "sentence"),
    [
        ([QUERY, QUERY], ["api", "database"], r"edge api -> database:5432/tcp is listed twice"),
        ([QUERY], ["api"], r"'database' is not one of api, internet, s3"),
        ([Edge(source="internet", target="api", port=4400, why="x")], ["api"], "ports 80 and 443 only"),
        (
            [Edge(source="internet", target="s3", port=443, why="x")],
            ["api"],
            "one of its ends must be a group",
        ),
        ([Edge(source="api", target="api", port=0, why="x")], ["api"], "port must be 1 to 65535"),
        ([Edge(source="api", target="api", port=1, why="")], ["api"], "why must be 1 to 255 .* got ''"),
        ([Edge(source="api", target="api", port=1, why="l'API")], ["api"], "why must be"),
        ([], ["api", "api"], "group 'api' is listed twice"),
        ([], ["s3", "internet"], "group 'internet' has the name of something outside the VPC"),
    ],
)
def test_refusals(edges, groups, sentence):
    with pytest.raises(ValueError, match=sentence):
        args(edges, groups)


@pytest.mark.parametrize("port", [80, 443])
def test_the_internet_may_reach_the_web_ports(port):
    args([Edge(source="internet", target="api", port=port, why="visitors")], ["api"])


def test_every_problem_at_once():
    with pytest.raises(ValueError, match=r"group 'api' is listed twice; .*'database' is not one of"):
        args([QUERY], ["api", "api"])


def test_a_preview_sees_every_resource():
    def program():
        return Firewall("firewall", args([PUBLIC, QUERY, IMAGES]))

    assert record(program, preview=True).names() == record(program).names()


def test_of_an_edge_to_a_neighbours_group_only_this_end_is_opened():
    names = Edge(source="api", target="nodes", port=53, why="names", protocol="udp")
    probe = Edge(source="nodes", target="api", port=4400, why="probes")
    given = FirewallArgs(
        vpc_id="vpc-1", groups=["api"], edges=[names, probe], neighbours={"nodes": "sg-theirs"}
    )
    declared = record(lambda: Firewall("firewall", given))
    out, into = declared.one(EGRESS), declared.one(INGRESS)
    assert out["referencedSecurityGroupId"] == into["referencedSecurityGroupId"] == "sg-theirs"
    assert out["ipProtocol"] == "udp"
    assert declared.names(GROUP) == ["firewall-api"]


def test_a_neighbour_has_another_name_than_a_group():
    with pytest.raises(ValueError, match="group 'api' has the name of something outside the VPC"):
        FirewallArgs(vpc_id="vpc-1", groups=["api"], edges=[], neighbours={"api": "sg-theirs"})
