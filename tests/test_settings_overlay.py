"""Laying one tree over the other."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from settings.overlay import overlay, stack_paths

LEAVES = st.one_of(st.integers(0, 3), st.text("ab", max_size=2), st.lists(st.integers(0, 2), max_size=2))
KEYS = st.sampled_from("abc")
TREES = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
)
few = settings(max_examples=30, deadline=None)


@given(TREES)
@few
def test_nothing_over_a_tree_is_the_tree(tree):
    assert overlay(tree, {}) == tree


@given(TREES, TREES)
@few
def test_what_the_stack_says_holds_and_nothing_else_changes(system, stack):
    before = copy.deepcopy((system, stack))
    merged = overlay(system, stack)
    assert (system, stack) == before
    assert overlay(merged, stack) == merged
    for key in system.keys() - stack.keys():
        assert merged[key] == system[key]
    for path in stack_paths(stack, system):
        assert at(merged, path) == at(stack, path) or isinstance(at(stack, path), dict)


@given(TREES, KEYS)
@few
def test_null_takes_a_key_away(tree, key):
    assert overlay(tree, {key: None}) == {name: value for name, value in tree.items() if name != key}


def at(tree, path):
    for part in path:
        tree = tree[part]
    return tree


def test_lists_and_scalars_replace_and_blocks_merge():
    system = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert overlay(system, {"a": {"c": [3]}, "d": {"e": 2}}) == {"a": {"b": 1, "c": [3]}, "d": {"e": 2}}


def test_null_inside_a_list_entry_or_a_new_block_is_no_key():
    assert overlay({"n": None}, {"a": [{"b": None, "c": 1}], "d": {"e": None}}) == {"a": [{"c": 1}], "d": {}}


def test_a_block_that_both_hold_is_the_systems_and_its_keys_are_the_stacks():
    paths = set(stack_paths({"a": {"b": 1, "c": {"d": [2]}}}, {"a": {"b": 0}}))
    assert paths == {("a", "b"), ("a", "c"), ("a", "c", "d"), ("a", "c", "d", 0)}
