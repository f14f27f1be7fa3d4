"""Figures and lists as people read them."""

from collections.abc import Iterable, Sequence

from operations.report.markdown import code
from operations.report.tables import Seconds


def money(dollars: float) -> str:
    rounded = round(dollars, 2)
    return f"-${-rounded:,.2f}" if rounded < 0 else f"${abs(rounded):,.2f}"


def signed(dollars: float) -> str:
    return f"+{money(dollars)}" if round(dollars, 2) > 0 else money(dollars)


def between(low: float, high: float, middle: float) -> str:
    """`+$18.02 to +$54.06`, in order; empty where both ends are `middle`."""
    ends = sorted((low, high))
    return (
        "" if all(money(end) == money(middle) for end in ends) else f"{signed(ends[0])} to {signed(ends[1])}"
    )


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def span(seconds: Seconds) -> str:
    low, high = seconds
    unit = "seconds" if high < 120 else "minutes"
    if unit == "minutes":
        low, high = max(round(low / 60), 1), round(high / 60)
    return f"{high} {unit}" if low == high else f"{low} to {high} {unit}"


def listed(shown: Sequence[str], at_most: int = 3) -> str:
    """The first of them, and how many more there are."""
    first = ", ".join(shown[:at_most])
    return f"{first} and {len(shown) - at_most} more" if len(shown) > at_most else first


def names(of: Iterable[str], at_most: int = 3) -> str:
    return listed([code(name) for name in dict.fromkeys(of)], at_most)
