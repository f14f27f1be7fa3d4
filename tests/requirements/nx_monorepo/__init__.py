"""The Nx monorepo's deployment and operations guide: its 84 rows, in the order of its chapters."""

from tests.requirements.nx_monorepo import (
    architecture,
    checklist,
    deployment,
    monitoring,
    recovery,
    security,
    sizing,
    stores,
    troubleshooting,
    variables,
)

TITLE = "Nx monorepo"
SOURCE = "Deployment & Operations Guide of the Nx monorepo"
PREFIX, COUNT = "N", 84
STACK, SYSTEM = "nx-monorepo/prod", "nx-monorepo"
CHAPTERS = [
    module.CHAPTER
    for module in (
        architecture,
        sizing,
        variables,
        stores,
        deployment,
        monitoring,
        troubleshooting,
        security,
        recovery,
        checklist,
    )
]
ROWS = [row for chapter in CHAPTERS for row in chapter.rows]
