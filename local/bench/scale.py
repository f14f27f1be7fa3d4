"""A system with any number of services, made from one that has a few: the load for the measurement of size. Pure."""

import copy
from collections.abc import Mapping
from typing import Any

IMAGE_TAG = "1.0.0"

Content = Mapping[str, Any]


def started(config: Content) -> dict[str, Any]:
    """The stack file's `config` with an image for every service: without one a service is left out of the preview."""
    config = copy.deepcopy(dict(config))
    for service in config["groundwork:services"].values():
        service["image_tag"] = IMAGE_TAG
    return config


def enlarged(product: Content, config: Content, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """System file and stack file's `config` with `count` services, taken in turn from those that are there.

    All public ones share a host and have a path each, and one listener rule: with two, a hundred services would
    need more than the 100 rules that a load balancer has. One task each with one connection keeps the database
    large enough. Past 10 services the stack would still need quotas raised (rules of a security group).
    """
    originals = product["services"]
    services: dict[str, Any] = {}
    sizes: dict[str, Any] = {}
    for number in range(count):
        like = list(originals)[number % len(originals)]
        name = f"service-{number + 1}"
        services[name] = _service(originals[like], name, number)
        sizes[name] = {
            **config["groundwork:services"][like],
            "image_tag": IMAGE_TAG,
            "desired_count": 1,
            "min_count": 1,
            "max_count": 1,
        }
    tasks = {name: {**task, "service": "service-1"} for name, task in product.get("tasks", {}).items()}
    return (
        {**product, "services": services, "tasks": tasks},
        {**config, "groundwork:services": sizes},
    )


def _service(original: Content, name: str, number: int) -> dict[str, Any]:
    service = copy.deepcopy(dict(original))
    if "public" in service:
        service["public"] |= {"paths": [f"/{name}/*"], "priority": 10 * (number + 1), "private_paths": []}
        service["health"] = {"path": f"/{name}/health"}
    if "database" in service:
        service["database"] |= {"pool_max": 1, "pool_min": 1}
    return service
