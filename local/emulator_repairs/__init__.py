"""Where moto 5.2 loses or lacks what an operator's command, or an update, needs: mended here, a few lines each.

One module for each service, applied when that service is first used. Types that moto lacks altogether are not
mended but recorded by the provider.
"""

import importlib
from typing import Any

SERVICES = ("ec2", "ecs", "elasticache", "logs", "mq", "rds", "servicediscovery")


def put(owner: Any, *methods: Any) -> None:
    """Gives one of moto's classes these methods, each under its own name."""
    for method in methods:
        setattr(owner, method.__name__, method)


def apply(service: str) -> None:
    """Puts the repairs of one of moto's services in place; importing twice does nothing."""
    if service in SERVICES:
        importlib.import_module(f"{__name__}.{service}")
