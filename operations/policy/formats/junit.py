"""JUnit's XML, which every CI shows: a suite for each stack, a test case for each rule."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from operations.policy.catalogue import Rule
from operations.policy.findings import Exempted, FailOn, Finding, Judgement
from operations.policy.formats import words

# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Each sum, and the element that is counted for it.
_SUMS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def render(judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn) -> str:
    top = ElementTree.Element("testsuites", name="groundwork policy check")
    for judgement in judgements:
        top.append(_suite(judgement, rules, fail_on))
    _count(top, list(top))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _suite(judgement: Judgement, rules: Sequence[Rule], fail_on: FailOn) -> ElementTree.Element:
    stack = judgement.stack
    suite = ElementTree.Element(
        "testsuite", name=f"policies.{stack.system}.{stack.name}", time=f"{judgement.seconds:.1f}"
    )
    if judgement.problem:
        case = _case(suite, "preview", judgement)
        first, _, _ = judgement.problem.partition("\n")
        _say(case, "error", judgement.problem, message=first, type="not judged")
    else:
        for rule in rules:
            _rule(_case(suite, rule.id, judgement), rule, judgement, fail_on)
        # What the pack reports beside its rules, an exemption that has expired for one.
        known = {rule.id for rule in rules}
        for name, findings in words.by_rule([each for each in judgement.findings if each.rule not in known]):
            _findings(_case(suite, name, judgement), findings, fail_on)
        _say(suite, "system-out", "\n".join([words.tally(judgement, rules), *words.asides(judgement)]))
    _count(suite, [suite])
    return suite


def _case(suite: ElementTree.Element, name: str, judgement: Judgement) -> ElementTree.Element:
    stack = judgement.stack
    return ElementTree.SubElement(
        suite,
        "testcase",
        name=name,
        classname=f"policies.{stack.system}.{stack.name}",
        file=stack.file.as_posix(),
    )


def _rule(case: ElementTree.Element, rule: Rule, judgement: Judgement, fail_on: FailOn) -> None:
    findings = [found for found in judgement.findings if found.rule == rule.id]
    exempted = [each for each in judgement.exempted if each.rule == rule.id]
    match judgement.status(rule):
        case "failed":
            _findings(case, findings, fail_on)
        case "waits":
            waiting = judgement.waiting_of(rule.id)
            _say(case, "skipped", message=f"{words.count(waiting, 'check')} not evaluated before `pulumi up`")
        case "exempt":
            _say(case, "skipped", message="; ".join(f"exempt {words.grant(each)}" for each in exempted))
        case "off":
            _say(case, "skipped", message="turned off by the configuration of the policies")
        case "not applicable":
            _say(case, "skipped", message="the stack declares nothing that the rule is about")
    if exempted:
        _say(case, "system-out", "\n".join(map(_exempted, exempted)))


def _findings(case: ElementTree.Element, findings: Sequence[Finding], fail_on: FailOn) -> None:
    """A failure as far as the findings count; what does not count is told, and the case has passed."""
    counted = [found for found in findings if found.counts(fail_on)]
    if counted:
        kind = f"{counted[0].severity}, {counted[0].level}"
        _say(case, "failure", "\n".join(map(_found, counted)), message=_found(counted[0]), type=kind)
    others = [found for found in findings if not found.counts(fail_on)]
    if others:
        _say(case, "system-out", "\n".join(map(_found, others)))


def _found(found: Finding) -> str:
    return f"{found.place}: {found.resource}: {found.found} {found.remedy}".strip()


def _exempted(exempted: Exempted) -> str:
    return f"{exempted.resource}: {exempted.found} Exempt {words.grant(exempted)}."


def _say(element: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> None:
    said = {name: _writable(value) for name, value in attributes.items()}
    ElementTree.SubElement(element, tag, said).text = _writable(text) or None


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _count(element: ElementTree.Element, suites: Sequence[ElementTree.Element]) -> None:
    """JUnit's sums, over what the suites hold."""
    cases = [case for suite in suites for case in suite.iter("testcase")]
    element.set("tests", str(len(cases)))
    for name, tag in _SUMS.items():
        element.set(name, str(sum(case.find(tag) is not None for case in cases)))
