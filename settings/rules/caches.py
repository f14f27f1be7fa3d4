"""Caches and the queues in them: what ElastiCache offers, cluster mode, memory, fallbacks."""

from collections.abc import Iterator
from difflib import get_close_matches

from settings.data import elasticache
from settings.model import Settings
from settings.problems import Problem, nearest
from settings.rules._windows import minutes, overlap


def version_exists(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        known = elasticache.ENGINE_VERSIONS[cache.engine]
        if cache.engine_version not in known:
            yield Problem(
                path=("caches", name, "engine_version"),
                rule=f"must be a version of {cache.engine} that ElastiCache has, 7 or newer",
                got=cache.engine_version,
                remedy=f"Set it to one of {', '.join(known)}.",
            )


def node_type_exists(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        if cache.node_type not in elasticache.MEMORY_GIB_BY_NODE_TYPE:
            yield Problem(
                path=("caches", name, "node_type"),
                rule="must be a node type of ElastiCache (settings/data/elasticache.py)",
                got=cache.node_type,
                remedy=nearest(cache.node_type, elasticache.MEMORY_GIB_BY_NODE_TYPE),
            )


def node_holds_what_is_needed(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.enabled_caches.items():
        if cache.memory_needed_gib is None or cache.node_type not in elasticache.MEMORY_GIB_BY_NODE_TYPE:
            continue
        usable = elasticache.usable_memory_gib(cache.node_type)
        if usable < cache.memory_needed_gib:
            fitting = [
                node_type
                for node_type in elasticache.MEMORY_GIB_BY_NODE_TYPE
                if elasticache.usable_memory_gib(node_type) >= cache.memory_needed_gib
            ]
            yield Problem(
                path=("caches", name, "node_type"),
                rule=(
                    f"holds {usable:.2f} GiB of data beside AWS's reserve of {elasticache.RESERVED_MEMORY_PERCENT} %, "
                    f"and memory_needed_gib is {cache.memory_needed_gib:g}"
                ),
                got=cache.node_type,
                remedy=f"Set it to {min(fitting, key=elasticache.usable_memory_gib)} or larger.",
            )


def shards_need_cluster_mode(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        if cache.shards > 1 and not cache.cluster_mode:
            yield Problem(
                path=("caches", name, "shards"),
                rule="must be 1 without cluster_mode",
                got=cache.shards,
                remedy="Set it to 1, or set cluster_mode to true if the clients speak the cluster protocol.",
            )


def parameters_can_be_set(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        for parameter, value in cache.parameters.items():
            path = ("caches", name, "parameters", parameter)
            if parameter in elasticache.UNSETTABLE_PARAMETERS:
                remedy = elasticache.UNSETTABLE_PARAMETERS[parameter]
                yield Problem(
                    path=path,
                    rule="cannot be set in a parameter group of ElastiCache",
                    remedy=f"Remove it: {remedy}.",
                )
            elif parameter in elasticache.STANDALONE_ONLY_PARAMETERS and cache.cluster_mode:
                yield Problem(
                    path=path,
                    rule="does not exist in the parameter family of cluster mode",
                    got=value,
                    remedy="Remove it, or set cluster_mode to false.",
                )
            elif parameter not in elasticache.KNOWN_PARAMETERS:
                close = get_close_matches(parameter, elasticache.KNOWN_PARAMETERS, n=1, cutoff=0.8)
                if close:
                    yield Problem(
                        path=path,
                        rule=f"is not a parameter of {cache.engine}",
                        remedy=f"Did you mean {close[0]}?",
                    )


def eviction_policy_exists(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        policy = cache.parameters.get("maxmemory-policy", "volatile-lru")
        if policy not in elasticache.EVICTION_POLICIES:
            yield Problem(
                path=("caches", name, "parameters", "maxmemory-policy"),
                rule=f"must be one of {', '.join(elasticache.EVICTION_POLICIES)}",
                got=policy,
                remedy=nearest(policy, elasticache.EVICTION_POLICIES),
            )


def windows_are_apart(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        for key in ("snapshot_window", "maintenance_window"):
            window = getattr(cache, key)
            if minutes(window) < 60:
                yield Problem(
                    path=("caches", name, key),
                    rule="must be at least 60 minutes long",
                    got=window,
                    remedy="Let it end later.",
                )
        if overlap(cache.snapshot_window, cache.maintenance_window):
            yield Problem(
                path=("caches", name, "maintenance_window"),
                rule=f"must not overlap snapshot_window {cache.snapshot_window}",
                got=cache.maintenance_window,
                remedy="Move one of the two.",
            )


def fallback_is_there(settings: Settings) -> Iterator[Problem]:
    for name, cache in settings.caches.items():
        if cache.fallback is not None and cache.fallback not in {*settings.caches} - {name}:
            yield Problem(
                path=("caches", name, "fallback"),
                rule="must be another cache of `caches`",
                got=cache.fallback,
                remedy=nearest(cache.fallback, {*settings.caches} - {name}),
            )
        elif not cache.enabled and (cache.fallback is None or not settings.caches[cache.fallback].enabled):
            yield Problem(
                path=("caches", name, "enabled"),
                rule="cannot be false: no enabled cache is its fallback",
                got=False,
                remedy="Set it to true, or name an enabled cache as fallback in the system file.",
            )


def queues_have_a_cache(settings: Settings) -> Iterator[Problem]:
    for name, queue in settings.queues.items():
        if queue.cache not in settings.caches:
            yield Problem(
                path=("queues", name, "cache"),
                rule="must be a cache of `caches`",
                got=queue.cache,
                remedy=nearest(queue.cache, settings.caches),
            )
            continue
        cache = settings.caches[settings.cache_behind(queue.cache)]
        if cache.cluster_mode and not ("{" in queue.prefix and "}" in queue.prefix):
            yield Problem(
                path=("queues", name, "prefix"),
                rule="must hold a hash tag in braces, because its cache is in cluster mode",
                got=queue.prefix,
                remedy=f'Set it to "{{{queue.prefix}}}".',
            )


RULES = (
    version_exists,
    node_type_exists,
    node_holds_what_is_needed,
    shards_need_cluster_mode,
    parameters_can_be_set,
    eviction_policy_exists,
    windows_are_apart,
    fallback_is_there,
    queues_have_a_cache,
)
