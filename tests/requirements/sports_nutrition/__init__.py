"""The sports-nutrition app's production deployment guide, version 1.0.0 of 2025-12-21: its 107 rows."""

from tests.requirements.sports_nutrition import (
    architecture,
    database,
    deployment,
    environment,
    infrastructure,
    load_balancer,
    monitoring,
    quality,
    rollback,
    security,
    tiers,
    troubleshooting,
    verification,
)

TITLE = "Sports nutrition"
SOURCE = "Production Deployment Guide of the sports-nutrition app, version 1.0.0 (2025-12-21)"
PREFIX, COUNT = "S", 107
STACK, SYSTEM = "sports-nutrition/prod", "sports-nutrition"
CHAPTERS = [
    module.CHAPTER
    for module in (
        security,
        quality,
        infrastructure,
        tiers,
        architecture,
        environment,
        database,
        deployment,
        load_balancer,
        verification,
        monitoring,
        troubleshooting,
        rollback,
    )
]
ROWS = [row for chapter in CHAPTERS for row in chapter.rows]
