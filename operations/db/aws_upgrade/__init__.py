"""`groundwork db upgrade`: the database to another version of PostgreSQL, in stages that AWS itself remembers."""

from operations.db.aws_upgrade.command import upgrade

__all__ = ["upgrade"]
