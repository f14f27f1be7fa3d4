"""The rules that join several keys: each a small function from the settings to problems."""

from collections.abc import Callable, Iterator

from settings.model import Settings
from settings.problems import Path, Problem
from settings.rules import (
    admin_access,
    brokers,
    buckets,
    caches,
    cdn,
    checks,
    ci,
    database,
    doubts,
    edge,
    kubernetes,
    log_router,
    names,
    network,
    notifications,
    operations,
    recovery,
    services,
    stacks,
    tasks,
    variables,
    watching,
)

Rule = Callable[[Settings], Iterator[Problem]]

RULES: tuple[Rule, ...] = (
    *stacks.RULES,
    *network.RULES,
    *database.RULES,
    *caches.RULES,
    *brokers.RULES,
    *buckets.RULES,
    *services.RULES,
    *tasks.RULES,
    *variables.RULES,
    *edge.RULES,
    *checks.RULES,
    *cdn.RULES,
    *recovery.RULES,
    *names.RULES,
    *kubernetes.RULES,
    *notifications.RULES,
    *admin_access.RULES,
    *log_router.RULES,
    *watching.RULES,
    *operations.RULES,
    *ci.RULES,
)
WARNINGS: tuple[Rule, ...] = doubts.RULES


def check(settings: Settings) -> list[Problem]:
    """What is wrong with settings that are sound key by key."""
    return [problem for rule in RULES for problem in rule(settings)]


def warnings(settings: Settings) -> list[Problem]:
    """What is allowed but doubtful."""
    return [problem for rule in WARNINGS for problem in rule(settings)]


def check_what_can_be(settings: Settings, broken: list[Path]) -> list[Problem]:
    """The same for settings in which some keys are missing or of the wrong type (`broken`, already told).

    A rule that trips over such a key ends there; what it found before that still counts.
    """
    found: list[Problem] = []
    for rule in RULES:
        try:
            found.extend(rule(settings))
        except (AttributeError, TypeError, KeyError, ValueError):
            continue
    return [problem for problem in found if not any(problem.path[: len(path)] == path for path in broken)]
