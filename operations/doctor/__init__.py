"""`groundwork doctor`."""

from operations.doctor.command import doctor

__all__ = ["doctor"]
