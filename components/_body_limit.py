"""A regular expression for numbers above a limit: how the web firewall refuses bodies by their Content-Length.

WAF reads the first 8 kB of a body behind a load balancer, so it cannot measure a body; the header says the length.
A body that is sent in chunks has no such header: the application's own limit has to stop it.
"""

from collections.abc import Iterator

MAX_PATTERN = 200  # AWS WAF quotas, characters of a regex pattern
MAX_LIMIT = 10**10 - 1  # bytes; a longer number makes a longer pattern


def above(limit: int) -> str:
    """Return a pattern that matches exactly the decimal numbers above the limit, with leading zeros or without.

    Groups do not capture: WAF refuses those that do. Raises ValueError on a limit that makes too long a pattern.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"the limit must be 1 to {MAX_LIMIT} bytes, got {limit}")
    digits = str(limit)
    longer = rf"[1-9]\d{{{len(digits)},}}"
    return f"^0*(?:{'|'.join([longer, *_same_length(digits)])})$"


def _same_length(digits: str) -> Iterator[str]:
    """Numbers of as many digits: a larger first digit and any others, or the same one and larger others."""
    first, rest = digits[0], digits[1:]
    if first != "9":
        larger = "9" if first == "8" else f"[{int(first) + 1}-9]"
        yield larger + _any(len(rest))
    others = list(_same_length(rest)) if rest else []
    if others:
        yield first + (others[0] if len(others) == 1 else f"(?:{'|'.join(others)})")


def _any(count: int) -> str:
    """So many digits."""
    return "" if count == 0 else r"\d" if count == 1 else rf"\d{{{count}}}"
