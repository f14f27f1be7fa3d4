"""`groundwork status`."""

from operations.status.command import status

__all__ = ["status"]
