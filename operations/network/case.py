"""What a diagnosis has seen so far, and which of the causes is the likeliest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from operations.network.link import Link

MINUTES = 15  # how far back answers and lines are looked at


class Why(StrEnum):
    balancer = "load balancer"
    rule = "listener rule"
    stopped = "stopped"
    deaths = "deaths"
    no_task = "no task"
    to_service = "way to the service"
    not_registered = "not registered"
    health_check = "health check"
    unhealthy = "unhealthy"
    store = "store"
    own_answer = "its own answers"
    lines = "error lines"


# What each status begins with; the rest follows in the order above. ELB guide, "Troubleshoot your Application Load
# Balancers": 502 is a connection that the task closed, 503 having no task, 504 one that does not answer in time.
FIRST: Mapping[int, Sequence[Why]] = {
    502: (Why.balancer, Why.deaths, Why.health_check, Why.unhealthy, Why.own_answer),
    503: (),
    504: (Why.balancer, Why.to_service, Why.store, Why.unhealthy, Why.deaths),
}


@dataclass(frozen=True)
class Cause:
    """`said` is a sentence; `next` is what to type, or to do."""

    why: Why
    said: str
    next: str


@dataclass
class Case:
    service: str
    status: int
    links: list[Link] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)

    def well(self, step: str, said: str) -> None:
        self.links.append(Link(step, True, said))

    def unknown(self, step: str, said: str) -> None:
        self.links.append(Link(step, None, said))

    def broken(self, step: str, said: str, why: Why, cause: str, then: str) -> None:
        self.links.append(Link(step, False, said, then))
        self.causes.append(Cause(why, cause, then))

    @property
    def likeliest(self) -> Cause | None:
        order = list(dict.fromkeys([*FIRST[self.status], *Why]))
        return min(self.causes, key=lambda each: order.index(each.why), default=None)
