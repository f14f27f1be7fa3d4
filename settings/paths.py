"""Path patterns of the load balancer and of CloudFront: * stands for any characters, ? for one."""

import re


def covers(pattern: str, path: str) -> bool:
    """Whether every path that `path` (a path, or a pattern) stands for fits the pattern."""
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(each, re.escape(each)) for each in pattern), path) is not None
