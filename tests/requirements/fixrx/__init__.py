"""FixRx's deployment and maintenance guide, version 1.0.0 of 2024-10-03: its 104 rows, in the order of its chapters."""

from tests.requirements.fixrx import (
    architecture,
    incidents,
    maintenance,
    monitoring,
    preparation,
    proxy,
    recovery,
    scaling,
)

TITLE = "FixRx"
SOURCE = "Deployment and Maintenance Guidelines of FixRx, version 1.0.0 (2024-10-03)"
PREFIX, COUNT = "F", 104
STACK, SYSTEM = "fixrx/prod", "fixrx"
CHAPTERS = [
    module.CHAPTER
    for module in (
        preparation,
        architecture,
        proxy,
        monitoring,
        recovery,
        maintenance,
        incidents,
        scaling,
    )
]
ROWS = [row for chapter in CHAPTERS for row in chapter.rows]
