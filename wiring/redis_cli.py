"""A one-off task with redis-cli that finds every cache of the stack: for looking after them from inside the network."""

from collections.abc import Mapping

import pulumi

from components._containers import Container
from components.task import Task, TaskArgs
from settings.model import Settings
from wiring.foundation import Foundation
from wiring.stores import Stores

NAME = "redis"
CPU, MEMORY_MIB = 256, 512  # the least that Fargate has: the cache does the work
REDIS_USER = "999"  # `redis` in the Alpine variant of docker-library/redis
# KEYS is renamed in most caches; where it is not, everybody else waits until it has looked at every key.
_SCRIPT = """
refuse() {{ echo "$1"; exit 64; }}
case "$CACHE" in
{caches}
*) refuse "CACHE must be one of {names}, got $CACHE" ;;
esac
export REDISCLI_AUTH
case "${{1:-}}" in [Kk][Ee][Yy][Ss]) refuse "KEYS stops the cache for everybody: use --scan --pattern, or SCAN" ;; esac
ask() {{ at=$1 on=$2; shift 2; redis-cli --tls -e -h "$at" -p "$on" "$@"; }}
if [ "$clustered" = no ]; then ask "$host" "$port" "$@"
elif [ "$EVERY_SHARD" = no ]; then ask "$host" "$port" -c "$@"
else
  nodes=$(ask "$host" "$port" CLUSTER NODES)
  for node in $(echo "$nodes" | awk '$3 ~ /master/ {{ sub(/@.*/, "", $2); print $2 }}'); do
    echo "Shard $node"
    ask "${{node%:*}}" "${{node##*:}}" "$@"
  done
fi
"""


def build(settings: Settings, base: Foundation, data: Stores) -> Task | None:
    """None where there is no cache, or no image to ask it with.

    Its command is what redis-cli is given: PING, or whatever an operator overrides it with, such as INFO memory,
    --scan --pattern 'bull:*', LLEN bull:mail:wait, --bigkeys. The variable CACHE says which cache is asked, and
    EVERY_SHARD=yes asks each master of one in cluster mode, as scans need. A token is only in the environment.
    """
    image, caches = settings.operations.redis_image, list(data.caches)
    if image is None or not caches:
        return None
    clustered = {name: settings.caches[name].cluster_mode for name in caches}
    environment: dict[str, pulumi.Input[str]] = {"CACHE": caches[0], "EVERY_SHARD": "no"}
    for name, cache in data.caches.items():
        environment[f"HOST_{_suffix(name)}"] = cache.endpoint
        environment[f"PORT_{_suffix(name)}"] = str(cache.port)
    tokens = {name: data.cache_tokens[name].arn for name in caches}
    return Task(
        f"task-{NAME}",
        TaskArgs(
            family=f"{settings.name_prefix}-{NAME}",
            container=Container(
                name=NAME,
                image=image,
                user=REDIS_USER,
                entry_point=["sh", "-ec", script(clustered), "redis-cli"],
                command=["PING"],
                environment=environment,
                secrets={f"AUTH_{_suffix(name)}": arn for name, arn in tokens.items()},
            ),
            cpu=CPU,
            memory_mib=MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{NAME}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=list(tokens.values()),
            secret_key_arns=[base.keys.arns["secrets"]],
            tags=base.tags,
        ),
    )


def script(clustered: Mapping[str, bool]) -> str:
    """What the shell runs, given redis-cli's arguments; `clustered` says whether each cache is in cluster mode."""
    choices = (
        f"{name}) host=$HOST_{_suffix(name)} port=$PORT_{_suffix(name)} REDISCLI_AUTH=$AUTH_{_suffix(name)} "
        f"clustered={'yes' if is_clustered else 'no'} ;;"
        for name, is_clustered in clustered.items()
    )
    return _SCRIPT.format(caches="\n".join(choices), names=", ".join(clustered)).strip()


def _suffix(name: str) -> str:
    return name.upper().replace("-", "_")
