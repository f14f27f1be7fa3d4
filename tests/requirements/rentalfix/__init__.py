"""RentalFix's production deployment guide, version 2.0 of 2025-12-12: its 116 rows, in the order of its chapters."""

from tests.requirements.rentalfix import (
    architecture,
    audit,
    cache,
    database,
    deployment,
    monitoring,
    objectives,
    recovery,
    security,
    tuning,
)

TITLE = "RentalFix"
SOURCE = "RentalFix Production Deployment Guide, version 2.0 (2025-12-12)"
PREFIX, COUNT = "R", 116
STACK, SYSTEM = "prod", "rentalfix"
CHAPTERS = [
    module.CHAPTER
    for module in (
        architecture,
        database,
        cache,
        deployment,
        security,
        monitoring,
        tuning,
        audit,
        recovery,
        objectives,
    )
]
ROWS = [row for chapter in CHAPTERS for row in chapter.rows]
