"""Each rule is broken in the really declared resources of every stack: it says so, and no other rule does.

Of resources that are alike one is broken (tests/mutations/sampling.py says which are), and of the rules only those that
can see a change are asked about it (judging.py), so that a mutant takes a millisecond or two. What takes most time is
running the programs, which other tests of the same stack share.
"""

from dataclasses import replace

import pytest
from catalogue import RULES
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE
from rules import Stack

from tests.mutations import __main__ as command
from tests.mutations import document, figures
from tests.mutations.breaches import BREACHES
from tests.mutations.breaking import new
from tests.mutations.figures import ON_KUBERNETES, STACKS, outcome
from tests.mutations.judging import WAITS, Bench, _Changed, _Whole, in_a_preview, unknown_in_a_preview
from tests.mutations.offences import NEVER_APPLIED, NO_OFFENCES, TWO_AT_ONCE
from tests.mutations.sampling import form, one_of_each, places, shape
from tests.mutations.trial import Trial, Unapplied
from tests.policy_builders import INSTANCE, PASSWORD, REPLICATION_GROUP
from tests.policy_examples import GOOD

BY_ID = {rule.id: rule for rule in RULES}
CASES = [*((stack, False) for stack in STACKS), *((stack, True) for stack in ON_KUBERNETES)]
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"
every_stack = pytest.mark.parametrize(("stack", "on_kubernetes"), CASES)


@every_stack
def test_the_pack_finds_nothing_in_a_stack_as_it_stands(stack, on_kubernetes):
    """In production no advice either; staging gets some, above all of what its configuration relaxes to that."""
    for bench in outcome(stack, on_kubernetes=on_kubernetes).benches:
        allowed = {"advisory"} if stack.endswith("staging") else set()
        assert [(key, said) for key, said in bench.said.items() if bench.levels[key[0]] not in allowed] == []


@every_stack
def test_what_a_rule_must_know_is_known_in_a_preview_and_everything_afterwards(stack, on_kubernetes):
    made, previewed, *_ = outcome(stack, on_kubernetes=on_kubernetes).benches
    assert [key for key, said in made.findings.items() if WAITS in said] == []
    waiting = {rule_id for (rule_id, _), said in previewed.findings.items() if WAITS in said}
    assert waiting  # of task definitions at least, or nothing was unknown
    assert [rule_id for rule_id in waiting if BY_ID[rule_id].must_know] == []


@every_stack
def test_each_mutant_is_caught_by_its_rule_and_no_other_rule_says_anything(stack, on_kubernetes):
    mutants = outcome(stack, on_kubernetes=on_kubernetes).mutants
    assert mutants
    assert [str(each) for each in mutants if not each.caught] == []
    assert [f"{each}; also {', '.join(each.others)}" for each in mutants if each.others] == []


@every_stack
def test_a_preview_finds_each_mutant_or_says_that_it_waits(stack, on_kubernetes):
    mutants = outcome(stack, on_kubernetes=on_kubernetes).mutants
    assert [str(each) for each in mutants if each.preview == "passed over"] == []


@every_stack
def test_no_rule_about_a_type_that_is_declared_is_left_out(stack, on_kubernetes):
    found = outcome(stack, on_kubernetes=on_kubernetes)
    assert found.about - {(each.rule, each.type) for each in (*found.mutants, *found.unapplied)} == set()


@every_stack
def test_the_figures_are_current(stack, on_kubernetes):
    measured = figures.without_zeros(figures.figures(outcome(stack, on_kubernetes=on_kubernetes)))
    kept = figures.kept()[figures.name(stack, on_kubernetes=on_kubernetes)]
    assert kept == measured, "run `make docs`, or python -m tests.mutations"


def test_the_page_is_current():
    assert document.PATH.read_text("utf-8") == document.text(figures.kept()), "run python -m tests.mutations"


def test_the_figures_are_those_of_every_stack():
    assert list(figures.kept()) == figures.names()


def every(table):
    """What stands in a table of any stack."""
    return {key for each in figures.kept().values() for key in each[table]}


def test_every_rule_is_broken_for_every_type_that_a_stack_declares_or_says_why_not():
    given_up = {(rule, type_) for rule, type_, *_ in every("unapplied")} - every("rules")
    for_all = {rule for rule, breaches in BREACHES.items() if any(breach.is_for_all for breach in breaches)}
    assert {(rule, type_) for rule, type_ in given_up if rule not in for_all} == set(NEVER_APPLIED)


def test_every_whole_stack_rule_has_breaches():
    assert set(BREACHES) == {rule.id for rule in RULES if rule.whole_stack}


def test_every_way_to_break_a_rule_is_taken_somewhere():
    broken = {rule for rule, _ in every("rules")}
    ways = {(rule, breach.says) for rule, breaches in BREACHES.items() for breach in breaches}
    assert {way for way in ways - every("breaches") if way[0] in broken} == set()


def test_every_reason_that_is_written_down_is_needed():
    reasons = {reason for *_, reason in every("unapplied")}
    assert [each.because for each in NO_OFFENCES if each.because not in reasons] == []
    said = {(rule, each.other, each.because) for each in TWO_AT_ONCE for rule in each.rules}
    assert said - every("also") == set()


def test_the_command_writes_the_figures_and_the_page(tmp_path, monkeypatch, capsys):
    found = figures.kept()
    monkeypatch.setattr(figures, "measured", lambda: found)
    monkeypatch.setattr(figures, "PATH", tmp_path / "figures.json")
    monkeypatch.setattr(document, "PATH", tmp_path / "page.md")
    command.main()
    assert capsys.readouterr().out == "wrote figures.json\nwrote page.md\n"
    assert figures.kept() == found
    assert document.PATH.read_text("utf-8") == document.text(found)


# That these tests could fail


def resource(type_, name, inputs, **refers):
    made = new(type_, name, inputs, **refers)
    arn = f"arn:aws:test:us-east-1:111122223333:{name}"
    return replace(made, outputs={"id": f"{name}-0123456", "arn": arn})


def tried(rules, *resources):
    stack = {each.urn: each for each in resources}
    trial = Trial(stack, {}, rules=rules)
    return trial, list(trial.attempts(set(stack)))


DATABASE = resource(INSTANCE, "db", GOOD[INSTANCE])


def test_a_rule_that_has_gone_blunt_is_found_out():
    blunt = replace(BY_ID["rds-multi-az"], check=lambda _: iter(()))
    _, attempts = tried([blunt], DATABASE)
    assert [(each.rule, each.caught, each.preview) for each in attempts] == [
        ("rds-multi-az", False, "passed over")
    ]


def test_a_rule_that_joins_in_is_found_out():
    eager = replace(
        BY_ID["rds-encrypted"],
        check=lambda props: iter([] if props.get("multiAz") else ["multiAz is not true"]),
    )
    _, attempts = tried([BY_ID["rds-multi-az"], eager], DATABASE)
    (mutant,) = [each for each in attempts if each.rule == "rds-multi-az"]
    assert mutant.caught
    assert mutant.others == ["rds-encrypted"]


def test_a_false_alarm_is_found_out():
    shrill = replace(BY_ID["rds-multi-az"], check=lambda _: iter(["I do not like it"]))
    trial, _ = tried([shrill], DATABASE)
    assert list(trial.made.said.values()) == [["I do not like it"]]


def test_a_rule_that_looks_at_the_first_container_alone_is_found_out():
    rule = BY_ID["k8s-probes-and-limits"]
    kind = "kubernetes:apps/v1:Deployment"
    (container,) = GOOD[kind]["spec"]["template"]["spec"]["containers"]
    containers = [container, {**container, "name": "second"}]

    def first_only(props):
        first = props["spec"]["template"]["spec"]["containers"][0]
        return iter([] if "livenessProbe" in first else ["livenessProbe is not set"])

    deployment = resource(
        kind, "api", {"spec": {"template": {"spec": {"securityContext": {}, "containers": containers}}}}
    )
    _, attempts = tried([replace(rule, check=first_only)], deployment)
    about_probes = [each for each in attempts if "livenessProbe" in each.says]
    assert [each.caught for each in about_probes] == [True, False]


def test_a_rule_that_waits_in_a_preview_is_not_one_that_passes_over():
    key = resource("aws:kms/key:Key", "key", {})
    cache = resource(REPLICATION_GROUP, "cache", GOOD[REPLICATION_GROUP], parameterGroupName=key)

    def reads_the_name(props):
        if props["parameterGroupName"] == "default.redis7" or not props.get("atRestEncryptionEnabled"):
            yield "atRestEncryptionEnabled is not true"

    rule = replace(BY_ID["cache-at-rest-encryption"], check=reads_the_name)
    _, attempts = tried([rule], key, cache)
    assert [(each.caught, each.preview) for each in attempts] == [(True, "waits")]


def test_what_a_configuration_allows_is_no_mutant():
    stack = {DATABASE.urn: DATABASE}
    allowed = {"rds-backup-retention": {"enforcementLevel": "advisory", "minimum_days": 1}}
    (attempt,) = Trial(stack, allowed, rules=[BY_ID["rds-backup-retention"]]).attempts(set(stack))
    assert isinstance(attempt, Unapplied)
    assert attempt.reason == "the stack's configuration of the pack allows it"


def test_a_rule_that_is_disabled_is_not_tried():
    stack = {DATABASE.urn: DATABASE}
    rules = [BY_ID["rds-multi-az"]]
    assert list(Trial(stack, {"rds-multi-az": "disabled"}, rules=rules).attempts(set(stack))) == []


def test_a_preview_knows_what_was_asked_for_and_not_what_came_of_it():
    key = replace(
        resource("aws:kms/key:Key", "key", {"description": "of data"}), outputs={"arn": "arn:aws:kms:1"}
    )
    policy = resource(
        "aws:sns/topicPolicy:TopicPolicy",
        "policy",
        {"name": "of data", "arn": "arn:aws:kms:1", "policy": "{}"},
    )
    policy = replace(policy, refers=dict.fromkeys(("name", "arn"), frozenset({key.urn})))
    alarm = resource(ALARM, "alarm", {"alarmActions": ["arn:aws:kms:1"], "threshold": 1})
    alarm = replace(alarm, refers={"alarmActions": frozenset({policy.urn})})
    unknown = unknown_in_a_preview({each.urn: each for each in (key, policy, alarm)})
    seen = in_a_preview(policy, unknown)
    assert seen.inputs == {"name": "of data", "arn": UNKNOWN_STRING_VALUE, "policy": "{}"}
    assert set(seen.outputs.values()) == {UNKNOWN_STRING_VALUE}
    assert in_a_preview(alarm, unknown).inputs == {"alarmActions": [UNKNOWN_STRING_VALUE], "threshold": 1}


def test_only_rules_that_can_see_a_change_are_asked_about_it():
    asked = []
    watching = replace(
        BY_ID["backup-vault-locked"],
        check=lambda _, stack: iter(asked.append(stack.of(["aws:backup/selection:Selection"])) or ()),
    )
    vault = resource("aws:backup/vault:Vault", "vault", {})
    selection = resource("aws:backup/selection:Selection", "selection", {})
    password = resource(PASSWORD, "password", GOOD[PASSWORD])
    bench = Bench({each.urn: each for each in (vault, selection, password)}, {}, rules=[watching])
    assert len(asked) == 1
    bench.judged({password.urn: None})
    assert len(asked) == 1
    bench.judged({selection.urn: None})
    assert asked[1:] == [[]]


def test_every_question_to_a_stack_is_noticed():
    """`_Whole` and `_Changed` have to override whatever asks a stack for resources; `is_first` does so by `of`."""
    questions = {name for name, each in vars(Stack).items() if callable(each) and not name.startswith("_")}
    assert questions == {"of", "referring", "referred", "called", "is_first"}
    for kind in (_Whole, _Changed):
        assert questions - {"is_first"} <= set(vars(kind))


def test_a_changed_stack_is_the_stack_that_it_would_be_from_the_start():
    topic, other = resource(TOPIC, "topic", {}), resource(TOPIC, "other", {"name": "other-topic"})
    first = resource(ALARM, "first", {}, alarmActions=topic)
    second = resource(ALARM, "second", {"alarmActions": ["other-topic"]})
    added = resource(ALARM, "added", {}, alarmActions=topic)
    turned = replace(first, inputs={"alarmActions": ["other-topic"]}, refers={})
    changes = {first.urn: turned, other.urn: None, added.urn: added}
    left = [each.policy_resource for each in (topic, turned, second, added)]
    whole = _Whole([each.policy_resource for each in (topic, other, first, second)])
    changed = _Changed(
        whole, {urn: None if each is None else each.policy_resource for urn, each in changes.items()}
    )
    anew = Stack(left)
    for ask in (
        lambda stack: stack.of([ALARM, TOPIC]),
        lambda stack: stack.referring([ALARM], "alarmActions", topic.policy_resource),
        lambda stack: stack.referring([ALARM], "alarmActions", other.policy_resource),
        lambda stack: stack.referred(added.policy_resource, "alarmActions", [TOPIC]),
        lambda stack: stack.referred(second.policy_resource, "alarmActions", [TOPIC]),
        lambda stack: stack.called(["other-topic", topic.urn], [TOPIC]),
    ):
        assert sorted(each.name for each in ask(changed)) == sorted(each.name for each in ask(anew))


def test_what_is_alike_differs_in_names_and_figures_alone():
    listener = {"protocol": "HTTPS", "port": 443, "tags": [{"key": "a"}, {"key": "b"}], "log": '{"on": true}'}
    alike = {"port": 80, "protocol": "HTTPS", "tags": [{"key": "c"}], "log": '{"on":true}'}
    assert shape(listener) == shape(alike)
    for other in ({"protocol": "HTTP"}, {"log": '{"on": false}'}, {"tags": []}, {"more": 1}):
        assert shape({**listener, **other}) != shape(listener)


def test_one_of_each_form_stands_for_the_others_and_around_it_stand_the_same_types():
    topic = resource(TOPIC, "topic", {})
    told, also_told = (resource(ALARM, name, {"threshold": 1}, alarmActions=topic) for name in ("a", "b"))
    silent = resource(ALARM, "c", {"threshold": 2, "alarmActions": "nobody"})
    stack = {each.urn: each for each in (topic, told, also_told, silent)}
    assert one_of_each([told, also_told, silent], form) == [told]
    assert one_of_each([told, also_told, silent], places(stack)) == [told, silent]
