"""`groundwork repo`."""

from operations.repo.command import repo

__all__ = ["repo"]
