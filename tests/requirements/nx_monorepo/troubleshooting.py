"""N53 to N56: what the guide does about three common failures."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import DATABASE, GATEWAY, PSQL, callers, refused
from tests.requirements.production import (
    TASK,
    alarm,
    cache,
    condition,
    operator_has_psql,
    operator_has_redis,
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
    note="`aws rds describe-db-instances` and `reboot-db-instance` with the identifier of the outputs; "
    f"{PSQL}`psql`",
    components=["database"],
)
def database_refuses(stack: Recording) -> None:
    assert output(stack, "database", "identifier") == "nx-primary"
    operator_has_psql(stack, DATABASE)
    role_password_of(stack, "nx_user")
    assert alarm(stack, "database-connections")


@CHAPTER.row(
    "N54",
    "L538-552",
    "A process reaches its heap's limit: `NODE_OPTIONS=--max-old-space-size=4096`",
    "operator",
    note="set it in the service's `environment` and `pulumi up`; settings refuse a heap as large as the task, so 4096 "
    "needs a `memory_mib` above 4096",
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
    note="run the task `redis`, which says `PING`; then `aws elasticache test-failover` or `reboot-cache-cluster`. The "
    "engine's log is in CloudWatch",
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
    note="to the gateway and to operators, not to the world as the guide's command does",
    components=["firewall"],
    settings=["services.api-gateway.connects_to"],
    policies=["sg-no-open-data-ports", "sg-least-edges"],
)
def firewall(stack: Recording) -> None:
    assert callers(stack, "cache-cache") == {(GATEWAY, 6379), ("operations", 6379)}
