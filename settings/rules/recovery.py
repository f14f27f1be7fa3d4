"""Backups that are somewhere else."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Problem


def copy_is_elsewhere(settings: Settings) -> Iterator[Problem]:
    if settings.backups.copy_region == settings.region:
        yield Problem(
            path=("backups", "copy_region"),
            rule="must differ from aws:region, or one region's failure takes backups and copies",
            got=settings.region,
            remedy="Choose another region, or leave it out.",
        )


RULES = (copy_is_elsewhere,)
