"""How bad an incident is, how soon somebody answers, and whom it is told (FixRx guide L583-593)."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal


class Severity(StrEnum):
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    @property
    def means(self) -> str:
        return {
            "P1": "complete service outage",
            "P2": "major feature unavailable",
            "P3": "minor feature issues",
            "P4": "cosmetic or documentation issues",
        }[self]

    @property
    def answered(self) -> str:
        return {
            "P1": "within 15 minutes",
            "P2": "within 1 hour",
            "P3": "within 4 hours",
            "P4": "next business day",
        }[self]

    @property
    def topic(self) -> Literal["critical", "warning"]:
        return "critical" if self in ("P1", "P2") else "warning"

    def answer_due(self, began: datetime) -> datetime:
        """A business day is Monday to Friday in UTC, up to its end; holidays are not known."""
        hours = {"P1": 0.25, "P2": 1, "P3": 4}.get(self)
        if hours is not None:
            return began + timedelta(hours=hours)
        due = began + timedelta(days=1)
        while due.weekday() >= 5:
            due += timedelta(days=1)
        return due.replace(hour=23, minute=59, second=59, microsecond=0)
