"""Ways to look at the recorded production stack; each fails as an assertion where there is nothing to look at."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from tests.recorder import Declared, Recording

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
BUCKET = "aws:s3/bucket:Bucket"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
INSTANCE = "aws:rds/instance:Instance"
LISTENER = "aws:lb/listener:Listener"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
RECORD = "aws:route53/record:Record"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
REPOSITORY = "aws:ecr/repository:Repository"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SCHEDULE = "aws:scheduler/schedule:Schedule"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SERVICE = "aws:ecs/service:Service"
TARGET = "aws:appautoscaling/target:Target"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SERVICES = ("core-matching", "worker-ai")


def database(stack: Recording) -> Declared:
    return stack.one(INSTANCE, "database")


def cache(stack: Recording, name: str = "cache") -> Declared:
    return stack.one(REPLICATION_GROUP, f"cache-{name}")


def database_parameters(stack: Recording) -> dict[str, tuple[str, str]]:
    """Value and apply method by name."""
    group = stack.one("aws:rds/parameterGroup:ParameterGroup")
    return {each["name"]: (each["value"], each["applyMethod"]) for each in group["parameters"]}


def cache_parameters(stack: Recording, name: str = "cache") -> dict[str, str]:
    kind = "aws:elasticache/parameterGroup:ParameterGroup"
    groups = [group for group in stack.all(kind) if group.name.startswith(f"cache-{name}-")]
    assert len(groups) == 1, f"{len(groups)} parameter groups of the cache {name}"
    return {each["name"]: each["value"] for each in groups[0]["parameters"]}


def container(stack: Recording, task: str) -> Mapping[str, Any]:
    """The container that does the work: the last one, after those that prepare it; of the bootstrap's, psql's."""
    made = stack.one(TASK, task).json("containerDefinitions")
    return next((each for each in made if each["name"] == "bootstrap"), made[-1])


def environment(stack: Recording, task: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(stack, task)["environment"]}


def secrets(stack: Recording, task: str) -> dict[str, str]:
    """Where each secret variable is read from."""
    return {each["name"]: each["valueFrom"] for each in container(stack, task)["secrets"]}


def role_password_of(stack: Recording, role: str) -> None:
    """The bootstrap's task makes a role's password, of 48 characters, and the program has none for it."""
    _, passwords, *_ = stack.one(TASK, "task-bootstrap").json("containerDefinitions")
    variables = {each["name"]: each["value"] for each in passwords["environment"]}
    arn = output(stack, "database", "roleSecretArns", role)
    assert f"{role} PASSWORD_{role.upper()} {arn}" in variables["ROLES"].splitlines()
    assert "get-random-password --exclude-punctuation --password-length 48" in passwords["command"][-1]
    name = f"database-role-{role.replace('_', '-')}"
    assert name in stack.names("aws:secretsmanager/secret:Secret")
    assert name not in stack.names(SECRET_VERSION)
    assert name not in stack.names("random:index/randomPassword:RandomPassword")


def secret_text(stack: Recording, name: str) -> str:
    """What the stack writes into a secret, or its bootstrap's task, where it holds a role's password: `<role>` then."""
    if f"secret-{name}" in stack.names(SECRET_VERSION):
        return stack.one(SECRET_VERSION, f"secret-{name}")["secretString"]
    publish = stack.one(TASK, "task-bootstrap").json("containerDefinitions")[-1]
    variables = {each["name"]: each["value"] for each in publish["environment"]}
    urls = {line.split()[0]: line.split() for line in variables["URLS"].splitlines()}
    assert name in urls, f"nothing writes the secret {name}"
    _, arn, url = urls[name]
    assert arn == output(stack, "secrets", name)
    for role, role_arn in output(stack, "database", "roleSecretArns").items():
        url = url.replace(f"{{{{login/{role_arn}}}}}", f"<{role}>")
    assert "{{" not in url
    return url


def pushers(stack: Recording) -> list[str]:
    """Which jobs may push images, in the words of GitHub's tokens; nobody else takes the role."""
    (trust,) = stack.one("aws:iam/role:Role", "ci-push").json("assumeRolePolicy")["Statement"]
    assert set(trust["Condition"]) == {"StringEquals"}
    return trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]


def bootstrap_sql(stack: Recording) -> list[str]:
    return environment(stack, "task-bootstrap")["BOOTSTRAP_SQL"].splitlines()


def output(stack: Recording, *path: str) -> Any:
    value = stack.value or {}
    for key in path:
        assert key in value, f"the stack has no output {'.'.join(path)}"
        value = value[key]
    return value


def referred(stack: Recording, resource: Declared, prop: str) -> list[str]:
    """Logical names of the resources that a property comes from."""
    urns = resource.property_dependencies.get(prop, frozenset())
    return sorted(other.name for other in stack if other.urn in urns)


def openings(stack: Recording) -> set[tuple[str, str, int]]:
    """Who may connect to whom, and to which port; `internet` is everybody."""
    rules = stack.all(INGRESS)
    assert rules, "no ingress rule is declared"
    found = set()
    for rule in rules:
        assert rule["fromPort"] == rule["toPort"]
        sources = referred(stack, rule, "referencedSecurityGroupId") or ["internet"]
        (target,) = referred(stack, rule, "securityGroupId")
        found |= {
            (source.removeprefix("firewall-"), target.removeprefix("firewall-"), rule["toPort"])
            for source in sources
        }
    return found


def waits_for(stack: Recording, resource: Declared) -> set[tuple[str, str]]:
    """Type and name of everything that has to be there before the resource."""
    by_urn = {other.urn: other for other in stack}
    waiting, seen = [resource], set()
    while waiting:
        for urn in waiting.pop().dependencies & by_urn.keys():
            if urn not in seen:
                seen.add(urn)
                waiting.append(by_urn[urn])
    return {(by_urn[urn].type, by_urn[urn].name) for urn in seen}


def alarm(stack: Recording, name: str) -> Declared:
    """An alarm that reaches somebody."""
    found = stack.one(ALARM, f"alarms-{name}")
    assert len(found["alarmActions"]) == 1
    return found


def condition(alarm: Declared) -> tuple[str, float, int]:
    """How it compares, with what, and how many periods long."""
    return alarm["comparisonOperator"], alarm["threshold"], alarm["evaluationPeriods"]


def metric(alarm: Declared) -> tuple[str, str, int]:
    """The metric, the statistic and the period in seconds."""
    return alarm["metricName"], alarm.get("statistic") or alarm["extendedStatistic"], alarm["period"]


def graph(stack: Recording, title: str) -> list[Any]:
    """The metrics and expressions of the dashboard's widget of that title."""
    body = stack.one("aws:cloudwatch/dashboard:Dashboard").json("dashboardBody")
    found = [each["properties"] for each in body["widgets"] if each["properties"].get("title") == title]
    assert len(found) == 1, f"{len(found)} widgets are called {title}"
    return found[0]["metrics"]


def alert_rules(stack: Recording, group: str) -> dict[str, Mapping[str, Any]]:
    """The rules of Prometheus' only group, by alert."""
    namespace = stack.one("aws:amp/ruleGroupNamespace:RuleGroupNamespace")
    (found,) = yaml.safe_load(namespace["data"])["groups"]
    assert found["name"] == namespace["name"] == group
    return {rule["alert"]: rule for rule in found["rules"]}


def collector(stack: Recording) -> Mapping[str, Any]:
    """The configuration of the task that scrapes."""
    return yaml.safe_load(environment(stack, "collector")["AOT_CONFIG_CONTENT"])


def statements(stack: Recording, role_policy: str) -> dict[str, Mapping[str, Any]]:
    """A role's own policy, by the statements' ids."""
    policy = json.loads(stack.one(ROLE_POLICY, role_policy)["policy"])
    return {each["Sid"]: each for each in policy["Statement"]}


def ways_in(stack: Recording, store: str, port: int) -> list[str]:
    """Services with a task that may be entered and may reach the store: a tunnel goes through one."""
    entered = {each.name for each in stack.all(SERVICE) if each.get("enableExecuteCommand")}
    return sorted(
        entered & {source for source, target, to in openings(stack) if (target, to) == (store, port)}
    )


def operator_can_ask(stack: Recording, database: str = "rentfix") -> None:
    """What `groundwork db` needs: where the database is, the master's login, what it should be like, and a way in."""
    found = output(stack, "database")
    assert (found["name"], found["port"], found["declared"]["masterUser"]) == (database, 5432, "postgres")
    assert found["address"].startswith(f"{found['identifier']}.")
    assert ":secretsmanager:" in found["masterSecretArn"]
    assert ways_in(stack, "database", 5432)


def asked_outside(stack: Recording, service: str) -> Mapping[str, Any]:
    """What `groundwork verify` and `health` hold the answers of a public service against."""
    found = output(stack, "edge", "services", service)
    assert output(stack, "healthUrls", service) == f"https://{found['host']}{found['healthPath']}"
    return found


def operator_sees_the_network(stack: Recording, *wanted: tuple[str, str, int]) -> None:
    """What `groundwork network` holds the live rules against: every declared one, and the groups' ids."""
    declared = {
        (each["source"], each["target"], each["port"]) for each in output(stack, "network", "declared")
    }
    groups = output(stack, "network", "securityGroups")
    assert output(stack, "network", "vpc")
    for source, target, port in wanted:
        assert (source, target, port) in declared
        assert target in groups


def operator_can_replace(stack: Recording, *services: str) -> None:
    """What `rollback`, `scale` and `service` need: the service by name, its revisions, its log, and who moves it."""
    for name in services:
        found = output(stack, "services", name)
        service = stack.one(SERVICE, name)
        assert found["taskDefinition"] == service["taskDefinition"]
        assert "desiredCount" in service.ignore_changes
        assert stack.one(TASK, name)["skipDestroy"] is True
        assert found["logGroup"] == stack.one(LOG_GROUP, f"{name}-logs")["name"]
    assert output(stack, "cluster")


def operator_has_psql(stack: Recording, database: str = "rentfix") -> None:
    """A task with psql and the master's login that may reach the database: `backup verify` asks its copies by it."""
    surroundings = environment(stack, "task-bootstrap")
    assert surroundings["PGHOST"] == output(stack, "database", "address")
    assert (surroundings["PGDATABASE"], surroundings["PGUSER"]) == (database, "postgres")
    master = output(stack, "database", "masterSecretArn")
    assert secrets(stack, "task-bootstrap")["PGPASSWORD"] == f"{master}:password::"
    assert "/postgres:" in container(stack, "task-bootstrap")["image"]
    assert ("operations", "database", 5432) in openings(stack)
    assert output(stack, "tasks", "bootstrap", "taskDefinition")
    assert output(stack, "runTask", "securityGroup")


def operator_has_redis(stack: Recording, *names: str) -> None:
    """What `groundwork redis` needs of each cache: address, token, a way in; and a task with redis-cli inside."""
    surroundings, tokens = environment(stack, "task-redis"), secrets(stack, "task-redis")
    for name in names:
        assert surroundings[f"HOST_{name.upper()}"] == output(stack, "caches", name, "endpoint")
        assert tokens[f"AUTH_{name.upper()}"] == output(stack, "caches", name, "tokenSecretArn")
        assert ("operations", f"cache-{name}", 6379) in openings(stack)
        assert output(stack, "caches", name, "port") == 6379
        assert ways_in(stack, f"cache-{name}", 6379)
        assert output(stack, "caches", name, "replicationGroupId")
    runs = container(stack, "task-redis")
    assert "redis-cli --tls " in runs["entryPoint"][2]
    assert runs["command"] == ["PING"]
    assert output(stack, "tasks", "redis", "taskDefinition")
    assert output(stack, "runTask", "securityGroup")


def operator_can_restore(stack: Recording, database: str, folder: str) -> None:
    """A task that reads a dump of the folder into the live database when an operator says that database's name."""
    prepare, fetch, restore = stack.one(TASK, "task-restore").json("containerDefinitions")
    assert '[ "$CONFIRM" = "$PGDATABASE" ] || ' in prepare["command"][-1]
    assert {"name": "CONFIRM", "value": ""} in prepare["environment"]
    assert "key=${DUMP_KEY:-$(" in fetch["command"][-1]
    for name, value in (("PGDATABASE", database), ("PGUSER", "postgres")):
        assert {"name": name, "value": value} in restore["environment"]
    script = restore["command"][-1]
    for part in ("pg_restore --clean --if-exists", "gunzip -c", "--single-transaction -v ON_ERROR_STOP=1"):
        assert part in script
    assert statements(stack, "task-restore-task")["ReadDump"]["Resource"] == [f"arn:aws:s3:::{folder}*"]
    assert ("operations", "database", 5432) in openings(stack)
    assert output(stack, "tasks", "restore", "taskDefinition")
    assert "schedule-restore" not in stack.names(SCHEDULE)
