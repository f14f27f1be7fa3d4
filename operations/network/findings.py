"""What an audit finds: a sentence that says what stands there, and one that says how it goes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """In the order in which they are shown."""

    open = "open to the world"
    outside = "answers from outside"
    address = "public address"
    store = "public data store"
    balancer = "load balancer"
    undeclared = "rule that nobody declared"
    missing = "declared rule that is missing"
    group = "security group that the stack does not know"
    route = "way out of a private subnet"
    acl = "network ACL"
    flow_log = "flow log"


@dataclass(frozen=True)
class Finding:
    """`what` is the id of the rule, group or interface, for a program."""

    kind: Kind
    what: str
    said: str
    remedy: str

    def row(self) -> dict[str, Any]:
        return {"kind": self.kind.name, "what": self.what, "said": self.said, "remedy": self.remedy}


@dataclass
class Found:
    """`seen` says what was looked at, `notes` what is worth knowing and harms nobody."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def add(self, kind: Kind, what: str, said: str, remedy: str) -> None:
        self.findings.append(Finding(kind, what, said, remedy))

    def sorted(self) -> Sequence[Finding]:
        order = list(Kind)
        return sorted(self.findings, key=lambda each: (order.index(each.kind), each.said))
