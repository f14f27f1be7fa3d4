"""Every rule of the pack, topic by topic."""

import access
import cache
import clusters
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
    access,
    cache,
    clusters,
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
