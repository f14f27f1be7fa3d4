"""A picture of a stack, drawn from what it declares: who talks to whom, and what stands by component.

Reads the JSON of `pulumi preview --json` or `pulumi stack export` on standard input and prints Markdown: a Mermaid
diagram whose arrows are the security groups' ingress rules, and a table of the components with what each declares.
`make docs` puts it between the picture's markers in README.md.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- picture: made by `make docs` -->", "<!-- end of picture -->"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
Resource = Mapping[str, Any]


def resources(document: Mapping[str, Any]) -> list[Resource]:
    """The resources of a preview (its steps' new states) or of an exported stack."""
    if "steps" in document:
        states = [step.get("newState") for step in document["steps"]]
    else:
        states = document.get("deployment", {}).get("resources", [])
    return [state for state in states if state]


def name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def markdown(declared: Sequence[Resource]) -> str:
    return "\n".join([BEGIN, "", *_diagram(declared), "", *_table(declared), "", END])


def put_into(text: str, picture: str) -> str:
    """`text` with what stands between the markers replaced; ValueError when it has no markers."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the document has no place for the picture: it needs the lines {BEGIN} and {END}")
    return f"{before}{picture}{after}"


def _diagram(declared: Sequence[Resource]) -> Iterator[str]:
    edges: dict[tuple[str, str], set[str]] = {}
    for rule in declared:
        if rule["type"] == INGRESS:
            target, source = _end(rule, "securityGroupId"), _end(rule, "referencedSecurityGroupId")
            edges.setdefault((source, target), set()).add(_ports(rule["inputs"]))
    yield "```mermaid"
    yield "flowchart LR"
    for node in sorted({end for edge in edges for end in edge}):
        yield f'  {_id(node)}["{node}"]'
    for (source, target), ports in sorted(edges.items()):
        yield f"  {_id(source)} -- {', '.join(sorted(ports))} --> {_id(target)}"
    yield "```"


def _end(rule: Resource, key: str) -> str:
    """The group at one end of a rule; a rule whose source is no group opens to an address range."""
    dependencies = rule.get("propertyDependencies", {}).get(key)
    if dependencies:
        return name(dependencies[0]).removeprefix("firewall-")
    return "internet" if rule["inputs"].get("cidrIpv4") == "0.0.0.0/0" else rule["inputs"]["cidrIpv4"]


def _ports(inputs: Mapping[str, Any]) -> str:
    first, last = int(inputs["fromPort"]), int(inputs["toPort"])
    return str(first) if first == last else f"{first}-{last}"


def _id(node: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in node)


def _table(declared: Sequence[Resource]) -> Iterator[str]:
    components = {resource["urn"]: resource for resource in declared if _is_component(resource)}
    children: dict[str, Counter[str]] = {urn: Counter() for urn in components}
    for resource in declared:
        if resource.get("parent") in components and not _is_component(resource):
            children[resource["parent"]][resource["type"].rsplit(":", 1)[-1]] += 1
    yield "| component | declares |"
    yield "| --- | --- |"
    for urn, counts in sorted(
        children.items(), key=lambda item: (components[item[0]]["type"], name(item[0]))
    ):
        parts = ", ".join(f"{kind} {count}" if count > 1 else kind for kind, count in sorted(counts.items()))
        yield f"| {components[urn]['type'].rsplit(':', 1)[-1]} `{name(urn)}` | {parts} |"


def _is_component(resource: Resource) -> bool:
    return resource["type"].startswith("groundwork:")


def main() -> None:
    picture = markdown(resources(json.load(sys.stdin)))
    if len(sys.argv) == 1:
        print(picture)
        return
    document = Path(sys.argv[1])
    document.write_text(put_into(document.read_text(encoding="utf-8"), picture), encoding="utf-8")


if __name__ == "__main__":
    main()
