"""The picture in README is drawn from what a stack declares."""

import pytest

from local.picture import BEGIN, END, INGRESS, markdown, put_into, resources
from tests.program import ROOT, declared

URN = "urn:pulumi:prod::groundwork::"


def rule(name, *, source=None, cidr=None, port=5432, last=None):
    dependencies = {"securityGroupId": [f"{URN}aws:ec2/securityGroup:SecurityGroup::firewall-database"]}
    if source:
        dependencies["referencedSecurityGroupId"] = [
            f"{URN}aws:ec2/securityGroup:SecurityGroup::firewall-{source}"
        ]
    inputs = {"fromPort": port, "toPort": last or port, **({"cidrIpv4": cidr} if cidr else {})}
    return {"urn": URN + name, "type": INGRESS, "inputs": inputs, "propertyDependencies": dependencies}


def test_an_arrow_per_pair_of_groups_with_its_ports():
    drawn = markdown([rule("a", source="worker"), rule("b", source="worker", port=9000, last=9009)])
    assert "  worker -- 5432, 9000-9009 --> database" in drawn


@pytest.mark.parametrize(("cidr", "node"), [("0.0.0.0/0", "internet"), ("10.1.0.0/16", "10_1_0_0_16")])
def test_a_rule_without_a_source_group_shows_the_address_range(cidr, node):
    assert f"  {node} -- 5432 --> database" in markdown([rule("a", cidr=cidr)])


def test_components_are_listed_with_what_they_declare():
    component = {"urn": URN + "groundwork:network:Network::network", "type": "groundwork:network:Network"}
    subnet = {"type": "aws:ec2/subnet:Subnet", "parent": component["urn"]}
    vpc = {"type": "aws:ec2/vpc:Vpc", "parent": component["urn"], "urn": URN + "v"}
    drawn = markdown([component, {**subnet, "urn": URN + "1"}, {**subnet, "urn": URN + "2"}, vpc])
    assert "| Network `network` | Subnet 2, Vpc |" in drawn


def test_previews_and_exported_stacks_are_both_read():
    state = {"urn": URN + "x", "type": "t"}
    assert resources({"steps": [{"newState": state}, {"op": "delete", "oldState": state}]}) == [state]
    assert resources({"deployment": {"resources": [state]}}) == [state]


def test_the_picture_replaces_the_old_one():
    assert put_into(f"a\n{BEGIN}\nold\n{END}\nb", f"{BEGIN}\nnew\n{END}") == f"a\n{BEGIN}\nnew\n{END}\nb"


def test_a_document_without_markers_is_refused():
    with pytest.raises(ValueError, match="has no place for the picture"):
        put_into("nothing here", "x")


def test_the_picture_in_readme_is_what_production_declares():
    """Drawn here without an engine; `make docs` draws the same from a preview."""
    drawn = markdown(
        [
            {
                "urn": resource.urn,
                "type": resource.type,
                "parent": resource.parent,
                "inputs": resource.inputs,
                "propertyDependencies": {
                    key: sorted(urns) for key, urns in resource.property_dependencies.items()
                },
            }
            for resource in declared("prod")
        ]
    )
    assert drawn in (ROOT / "README.md").read_text(encoding="utf-8"), "run `make docs`"
