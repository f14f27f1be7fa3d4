"""N53 to N56: what the guide does about three common failures."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import DATABASE, GATEWAY, callers, refused
from tests.requirements.production import (
    TASK,
    alarm,
    cache,
    condition,
    database,
    operator_can_ask,
    operator_has_redis,
    operator_sees_the_network,
    output,
    role_password_of,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Troubleshooting")


@CHAPTER.row(
    "N53",
    "L519-536",
    "The database refuses: look at it, start it again, connect",
    "operator",
    note="where there is a standby, as in production, the third is quicker than the second",
    commands=["db status", "db reboot", "db failover", "db ping", "db connect --role nx_user"],
    components=["database"],
)
def database_refuses(stack: Recording) -> None:
    assert output(stack, "database", "identifier") == "nx-primary"
    assert database(stack)["multiAz"] is True
    operator_can_ask(stack, DATABASE)
    role_password_of(stack, "nx_user")
    assert alarm(stack, "database-connections")


@CHAPTER.row(
    "N54",
    "L538-552",
    "A process reaches its heap's limit: `NODE_OPTIONS=--max-old-space-size=4096`",
    "operator",
    note="first more memory, for settings refuse a heap as large as the task; then the variable in the service's "
    "`environment`, and `pulumi up`",
    commands=["service resize api-gateway --memory-mib 6144"],
    components=["task"],
    settings=["profiles.recommended.services.api-gateway.memory_mib"],
)
def heap(stack: Recording) -> None:
    assert stack.one(TASK, GATEWAY)["memory"] == "4096"
    assert condition(alarm(stack, "api-gateway-memory"))[0] == "GreaterThanThreshold"
    (too_large,) = refused(
        {"services": {"api-gateway": {"environment": {"NODE_OPTIONS": "--max-old-space-size=4096"}}}}
    )
    assert "lets the heap grow to the task's whole memory of 4096 MiB" in too_large


@CHAPTER.row(
    "N55",
    "L554-568",
    "Redis does not answer: ping it, start it again",
    "operator",
    note="the second starts nothing again: a replica takes over, and ElastiCache mends the old primary. The "
    "engine's log is in CloudWatch",
    commands=["redis ping --cache cache", "redis failover --cache cache"],
    components=["task", "cache"],
    settings=["operations.redis_image"],
)
def redis_does_not_answer(stack: Recording) -> None:
    operator_has_redis(stack, "cache")
    group = cache(stack)
    assert output(stack, "caches", "cache", "replicationGroupId")
    assert (group["automaticFailoverEnabled"], group["numCacheClusters"]) == (True, 2)
    destinations = {each["logType"]: each["destination"] for each in group["logDeliveryConfigurations"]}
    assert destinations["engine-log"] == "/nx-monorepo/prod/cache/cache/engine-log"
    assert ("operations", 6379) in callers(stack, "cache-cache")


@CHAPTER.row(
    "N56",
    "L569-570",
    "Open port 6379 in the firewall",
    "declared",
    note="to the gateway and to operators, not to the world as the guide's command does; the command looks "
    "whether anything is in the way",
    commands=["network check --from api-gateway --to cache:6379"],
    components=["firewall"],
    settings=["services.api-gateway.connects_to"],
    policies=["sg-no-open-data-ports", "sg-least-edges"],
)
def firewall(stack: Recording) -> None:
    assert callers(stack, "cache-cache") == {(GATEWAY, 6379), ("operations", 6379)}
    operator_sees_the_network(stack, (GATEWAY, "cache-cache", 6379))
