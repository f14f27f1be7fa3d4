"""Every rule of the pack, topic by topic."""

import cache
import containers
import credentials
import database
import edge
import exposure
import identity
import observability
import recovery
import storage
from rules import Rule

TOPICS = [
    cache,
    containers,
    credentials,
    database,
    edge,
    exposure,
    identity,
    observability,
    recovery,
    storage,
]
RULES: list[Rule] = [rule for topic in TOPICS for rule in topic.RULES]
