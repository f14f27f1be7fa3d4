"""The subnet plan: a table by hand, and properties over many VPCs and zones."""

import ipaddress
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components._subnets import LETTERS, Blocks, plan, problems

REGION = "eu-west-1"


def zones_of(letters):
    return [f"{REGION}{letter}" for letter in letters]


vpcs = st.builds(
    lambda prefix, place: str(list(ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=prefix))[place]),
    st.integers(16, 21),
    st.integers(0, 255),
)
some_letters = st.lists(st.sampled_from(LETTERS), min_size=2, max_size=8, unique=True)


def blocks_of(zone):
    return [ipaddress.IPv4Network(block) for block in (zone.public, zone.private, zone.isolated)]


def test_the_plan_of_a_sixteen():
    a, c = plan("10.20.0.0/16", zones_of("ac"))
    assert (a.zone, a.letter) == ("eu-west-1a", "a")
    assert (a.private, a.isolated, a.public) == ("10.20.0.0/20", "10.20.128.0/21", "10.20.192.0/22")
    assert (c.private, c.isolated, c.public) == ("10.20.32.0/20", "10.20.144.0/21", "10.20.200.0/22")


def test_the_smallest_vpc_still_gives_the_load_balancer_its_27():
    (a, _) = plan("10.20.0.0/21", zones_of("ab"))
    assert (a.private, a.isolated, a.public) == ("10.20.0.0/25", "10.20.4.0/26", "10.20.6.0/27")


@given(vpcs, some_letters)
def test_blocks_lie_within_the_vpc_and_apart_from_each_other(cidr_block, letters):
    vpc = ipaddress.IPv4Network(cidr_block)
    blocks = [block for zone in plan(cidr_block, zones_of(letters)) for block in blocks_of(zone)]
    assert all(block.subnet_of(vpc) for block in blocks)
    ordered = sorted(blocks)
    assert all(one.broadcast_address < other.network_address for one, other in itertools.pairwise(ordered))


@given(vpcs, some_letters)
def test_public_is_smallest_and_private_largest(cidr_block, letters):
    for zone in plan(cidr_block, zones_of(letters)):
        public, private, isolated = blocks_of(zone)
        assert 28 > public.prefixlen > isolated.prefixlen > private.prefixlen


@given(vpcs, some_letters, some_letters)
def test_a_zone_keeps_its_blocks_whatever_the_others_are(cidr_block, before, after):
    old = {zone.letter: zone for zone in plan(cidr_block, zones_of(before))}
    new = {zone.letter: zone for zone in plan(cidr_block, zones_of(after))}
    assert [old[letter] for letter in old if letter in new] == [
        new[letter] for letter in old if letter in new
    ]


@given(vpcs, some_letters)
def test_the_plan_is_in_the_order_of_the_zones(cidr_block, letters):
    assert [zone.letter for zone in plan(cidr_block, zones_of(letters))] == letters
    assert problems(cidr_block, zones_of(letters), REGION) == []


@pytest.mark.parametrize(
    ("cidr_block", "sentence"),
    [
        ("10.20.3.0/24", "10.20.3.0/24 is too small.*at least a /21; 10.20.0.0/21 is the smallest"),
        ("10.20.0.0/22", "too small"),
        ("10.0.0.0/15", "too large: the largest VPC that AWS makes is a /16"),
        ("10.20.0.1/16", "without host bits.*got '10.20.0.1/16'"),
        ("ten", "must be an IPv4 block.*got 'ten'"),
        ("fd00::/48", "must be an IPv4 block"),
    ],
)
def test_a_block_that_does_not_do(cidr_block, sentence):
    (problem,) = problems(cidr_block, zones_of("ab"), REGION)
    assert re.search(sentence, problem)


@pytest.mark.parametrize(
    ("zones", "sentence"),
    [
        (["eu-west-1a", "us-east-1b"], "zone 'us-east-1b' must be eu-west-1 and a letter from a to h"),
        (["eu-west-1a", "eu-west-1i"], "zone 'eu-west-1i' must be"),
        (["eu-west-1a", ""], "zone '' must be"),
        (["eu-west-1a", "eu-west-1b", "eu-west-1a"], "zone 'eu-west-1a' is listed twice"),
        (["eu-west-1a"], "zones must name at least two"),
    ],
)
def test_zones_that_do_not_do(zones, sentence):
    (problem,) = problems("10.20.0.0/16", zones, REGION)
    assert problem.startswith(sentence)


def test_every_problem_at_once():
    assert len(problems("10.0.0.0/24", ["a", "eu-west-1a"], REGION)) == 2


LAID_DOWN = Blocks(
    private=["10.0.1.0/24", "10.0.2.0/24"],
    public=["10.0.101.0/24", "10.0.102.0/24"],
    isolated=["10.0.201.0/24", "10.0.202.0/24"],
)


def test_blocks_that_are_laid_down_are_taken_as_they_are():
    a, c = plan("10.0.0.0/16", zones_of("ac"), LAID_DOWN)
    assert (a.private, a.public, a.isolated) == ("10.0.1.0/24", "10.0.101.0/24", "10.0.201.0/24")
    assert (c.letter, c.private) == ("c", "10.0.2.0/24")
    assert problems("10.0.0.0/16", zones_of("ac"), REGION, LAID_DOWN) == []


def test_blocks_that_are_laid_down_badly_are_told_at_once():
    assert problems("10.1.0.0/24", zones_of("abc"), REGION, LAID_DOWN)[:4] == [
        "subnets.private must have one block for each of 3 zones, got 2",
        "subnets.public must have one block for each of 3 zones, got 2",
        "subnets.isolated must have one block for each of 3 zones, got 2",
        "subnets.private: 10.0.1.0/24 lies outside 10.1.0.0/24",
    ]
