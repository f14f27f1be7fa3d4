"""Maintenance and snapshot windows as minutes of the week."""

import re

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60
_MINUTES_OF_WEEK = 7 * MINUTES_OF_DAY


def minutes(window: str) -> int:
    """How long a window is; one that ends before it starts goes over midnight, or over the week's end."""
    start, end = _edges(window)
    return (end - start) % (_MINUTES_OF_WEEK if window[0].isalpha() else MINUTES_OF_DAY)


def overlap(daily: str, weekly: str) -> bool:
    """Whether a daily and a weekly window (both UTC) share a minute."""
    daily_start, _ = _edges(daily)
    weekly_start, _ = _edges(weekly)
    starts = [daily_start + day * MINUTES_OF_DAY for day in range(7)]
    return any(
        (weekly_start - start) % _MINUTES_OF_WEEK < minutes(daily)
        or (start - weekly_start) % _MINUTES_OF_WEEK < minutes(weekly)
        for start in starts
    )


def starts_within(minute_of_day: int, daily: str, *, before: int) -> bool:
    """Whether a minute of the day lies in a daily window or in the `before` minutes ahead of it."""
    start, _ = _edges(daily)
    return (minute_of_day - start + before) % MINUTES_OF_DAY < minutes(daily) + before


def _edges(window: str) -> tuple[int, int]:
    start, end = re.findall(r"(?:([a-z]{3}):)?([0-9]{2}):([0-9]{2})", window)
    return _minute(*start), _minute(*end)


def _minute(day: str, hour: str, minute: str) -> int:
    return (_DAYS.index(day) if day else 0) * MINUTES_OF_DAY + int(hour) * 60 + int(minute)
