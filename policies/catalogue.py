"""Every rule of the pack, topic by topic."""

import json

import access
import apis
import cache
import cdn
import clusters
import connections
import containers
import credentials
import data_stores
import database
import edge
import entry
import environment
import exposure
import functions
import identity
import machines
import messaging
import network
import observability
import pods
import recovery
import registries
import sharing
import storage
import waf
from rules import Rule

TOPICS = [
    access,
    apis,
    cache,
    cdn,
    clusters,
    connections,
    containers,
    credentials,
    data_stores,
    database,
    edge,
    entry,
    environment,
    exposure,
    functions,
    identity,
    machines,
    messaging,
    network,
    observability,
    pods,
    recovery,
    registries,
    sharing,
    storage,
    waf,
]
RULES: list[Rule] = [rule for topic in TOPICS for rule in topic.RULES]


def document() -> str:
    """Every rule as JSON, for programs that do not import this pack: all that a rule says of itself, and its topic."""
    rules = [
        {"topic": topic.__name__, "about": (topic.__doc__ or "").partition("\n")[0], **_said(rule)}
        for topic in TOPICS
        for rule in topic.RULES
    ]
    return json.dumps(rules, default=sorted, indent=2)


def _said(rule: Rule) -> dict[str, object]:
    return {name: value for name, value in vars(rule).items() if not callable(value)}


if __name__ == "__main__":
    print(document())
