"""The TypeScript service template's production deployment guide: its 111 rows, in the order of its chapters."""

from tests.requirements.ts_service import (
    architecture,
    aws_example,
    before_production,
    checklist,
    docker,
    environment,
    migrations,
    monitoring,
    optimisation,
    options,
    rollback,
    scaling,
    troubleshooting,
)

TITLE = "TypeScript service template"
SOURCE = "Production Deployment Guide of the TypeScript service template"
PREFIX, COUNT = "T", 111
STACK, SYSTEM = "ts-service/prod", "ts-service"
CHAPTERS = [
    module.CHAPTER
    for module in (
        architecture,
        options,
        environment,
        scaling,
        before_production,
        docker,
        monitoring,
        migrations,
        aws_example,
        checklist,
        troubleshooting,
        rollback,
        optimisation,
    )
]
ROWS = [row for chapter in CHAPTERS for row in chapter.rows]
