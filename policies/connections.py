"""How services reach the database and the other stores: as whom, how many at a time, and over TLS."""

import json
import re
from collections.abc import Iterator, Sequence

from clusters import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, is_set, literal, rule, shown
from task_definitions import TASK_DEFINITION
from workloads import TYPES, Environment, environments, split

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
DATABASES = [INSTANCE, CLUSTER]
# By type of database: where its password stands, and its parameter group.
MASTER_PASSWORD = {INSTANCE: "password", CLUSTER: "masterPassword"}
MASTER_NAME = {INSTANCE: "username", CLUSTER: "masterUsername"}
PARAMETER_GROUPS = {
    INSTANCE: ("parameterGroupName", "aws:rds/parameterGroup:ParameterGroup"),
    CLUSTER: ("dbClusterParameterGroupName", "aws:rds/clusterParameterGroup:ClusterParameterGroup"),
}
PROXY_TARGET = "aws:rds/proxyTarget:ProxyTarget"
RANDOM = ["random:index/randomPassword:RandomPassword", "random:index/randomBytes:RandomBytes"]
SECRET = "aws:secretsmanager/secret:Secret"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
PARAMETER = "aws:ssm/parameter:Parameter"
FETCHED = [
    "kubernetes:external-secrets.io/v1:ExternalSecret",
    "kubernetes:external-secrets.io/v1beta1:ExternalSecret",
]
SERVICE = "aws:ecs/service:Service"
SCALED = "aws:appautoscaling/target:Target"
PODS_SCALED = {
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": "maxReplicas",
    "kubernetes:autoscaling/v1:HorizontalPodAutoscaler": "maxReplicas",
    "kubernetes:keda.sh/v1alpha1:ScaledObject": "maxReplicaCount",
}
SERVING = [SERVICE, DEPLOYMENT, STATEFUL_SET, DAEMON_SET]

USER = re.compile(r"^(DB|DATABASE|POSTGRES|PG|RDS)_?(USER|USERNAME)$")
POOL = re.compile(
    r"^(DB|DATABASE|POSTGRES|PG)_(POOL_(MAX|SIZE|MAX_SIZE)|MAX_POOL_SIZE|MAX_CONNECTIONS|CONNECTION_LIMIT)$"
)
POOL_IN_URL = re.compile(r"postgres(?:ql)?[^\s\"]*[?&](?:connection_limit|pool_max_conns|pool_size)=(\d+)")

POSTGRES_URL = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://[^\s\"']*", re.IGNORECASE)
OVER_TLS = re.compile(
    r"[?&](sslmode=(require|verify-ca|verify-full)|ssl=(true|1|require))(?=&|$)", re.IGNORECASE
)
WITHOUT_TLS = re.compile(r"\bsslmode=(disable|allow|prefer)\b", re.IGNORECASE)
# Each scheme without TLS, and the one that says the same with it.
PLAIN_SCHEMES = {"redis": "rediss", "amqp": "amqps", "mqtt": "mqtts", "ldap": "ldaps"}
PLAIN_URL = re.compile(rf"\b({'|'.join(PLAIN_SCHEMES)})://(?:[^\s\"'@/]*@)?([^\s\"'/:?]+)", re.IGNORECASE)
OWN_HOST = {"localhost", "127.0.0.1", "[::1]", ""}
TLS_FLAG = re.compile(r"^(\w+_)?(USE_)?(SSL|TLS)(_ENABLED)?$")
# Variables that make a runtime believe any certificate, and the value that does.
BELIEVES_ANYBODY = {
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "PYTHONHTTPSVERIFY": "0",
    "GIT_SSL_NO_VERIFY": "true",
}
OFF = {"false", "0", "no", "off", "disable", "disabled"}

RULES: list[Rule] = []


def is_primary(database: PolicyResource) -> bool:
    return not any(
        is_set(database.props, name) for name in ("replicateSourceDb", "replicationSourceIdentifier")
    )


def primaries(stack: Stack) -> list[PolicyResource]:
    return [database for database in stack.of(DATABASES) if is_primary(database)]


# As whom


@rule(
    RULES,
    "app-uses-dedicated-db-user",
    types=SERVING,
    severity="high",
    why="The master user may do anything to any table; so may whoever finds a hole in a service that signs in as it.",
    remedy="Give the service a role of its own (system file: database.roles and services.<name>.database.role), "
    "and its containers that role's secret",
    checklist=["C12"],
    whole_stack=True,
)
def app_uses_dedicated_db_user(service: PolicyResource, stack: Stack) -> Findings:
    """Services sign in to the database as a role of their own; the master user is for migrations and operators."""
    for database in primaries(stack):
        masters = {secret.urn for secret in _secrets_of_master(database, stack)}
        for secret in _secrets_read(service, stack):
            if secret.urn in masters:
                yield f"it reads {secret.name}, the login of {database.name}'s master user"
    yield from _signs_in_as_master(service, stack)


def _secrets_of_master(database: PolicyResource, stack: Stack) -> Iterator[PolicyResource]:
    """The secret that holds the master user's password, and whatever else was made of it, such as a URL."""
    for password in stack.referred(database, MASTER_PASSWORD[database.resource_type], RANDOM):
        for version in stack.referring([SECRET_VERSION], "secretString", password):
            yield from stack.referred(version, "secretId", [SECRET])


def _secrets_read(service: PolicyResource, stack: Stack) -> Iterator[PolicyResource]:
    if service.resource_type == SERVICE:
        for definition, prop in _holders(service, stack):
            yield from stack.referred(definition, prop, [SECRET])
        return
    names = {
        name
        for environment in environments(service.props, service.resource_type)
        for name in environment.references.values()
    }
    for fetched in stack.of(FETCHED):
        spec = fetched.props.get("spec") or {}
        made = literal(spec.get("target") or {}, "name") or literal(
            fetched.props.get("metadata") or {}, "name"
        )
        if made in names:
            yield from stack.referred(fetched, "spec", [SECRET])


def _signs_in_as_master(service: PolicyResource, stack: Stack) -> Findings:
    names = {literal(each.props, MASTER_NAME[each.resource_type]) for each in primaries(stack)} - {None}
    managed = {
        str(literal(secret, "secretArn"))
        for database in primaries(stack)
        for secret in literal(database.props, "masterUserSecrets") or []
    }
    if not names and not managed:
        return
    for environment in told(service, stack):
        for variable, value in environment.plain.items():
            if USER.match(variable) and value in names:
                yield f"{environment.where}: {variable} is {shown(value)}, the master user"
        for variable, source in environment.references.items():
            if source and source.startswith(tuple(managed)):
                yield f"{environment.where}: {variable} comes from the secret that RDS keeps for the master user"


def told(service: PolicyResource, stack: Stack) -> Iterator[Environment]:
    """What the containers of a service are told."""
    for holder, _ in _holders(service, stack):
        yield from environments(holder.props, holder.resource_type)


# How many at a time


@rule(
    RULES,
    "connection-budget",
    types=DATABASES,
    severity="high",
    why="When the services scale out, the database refuses the connections that it has no room for, theirs and yours.",
    remedy="Lower the pools (stack file: services.<name>.database.pool_max), raise max_connections "
    "(system file: database.parameters), or put a proxy between them (stack file: database.proxy)",
    checklist=["C19"],
    whole_stack=True,
)
def connection_budget(
    database: PolicyResource, stack: Stack, *, share_percent: Count = 80, pools: Sequence[str] = ()
) -> Findings:
    """All pools of all tasks, at their most, fit into the database; the rest is for people, migrations and dumps.

    A service's pool is read from its variables or its URL; `pools` says it where neither does, "api: 20".
    """
    identifiers = ("dbInstanceIdentifier", "dbClusterIdentifier")
    is_behind_proxy = any(stack.referring([PROXY_TARGET], name, database) for name in identifiers)
    most = _max_connections(database, stack)
    if most is None or is_behind_proxy or not is_primary(database):
        return
    said = {name: int(figures[0]) for name, figures in split(pools).items() if figures}
    parts: list[tuple[str, int, int]] = []
    for service in stack.of(SERVING):
        if not _connects(service, database, stack):
            continue
        pool = said.get(service.name) or _pool(service, stack)
        if pool:
            parts.append((service.name, _most_tasks(service, stack), pool))
    total, allowed = sum(tasks * pool for _, tasks, pool in parts), most * share_percent // 100
    if total > allowed:
        sum_of = ", ".join(f"{name} {tasks} x {pool}" for name, tasks, pool in parts)
        yield f"{sum_of} are {total} connections, and {share_percent} % of max_connections ({most}) are {allowed}"


def _max_connections(database: PolicyResource, stack: Stack) -> int | None:
    """None where the group leaves it to RDS, which makes it from the instance's memory, or is not of this stack."""
    prop, kind = PARAMETER_GROUPS[database.resource_type]
    for group in stack.referred(database, prop, [kind]):
        for parameter in group.props.get("parameters") or []:
            value = str(parameter.get("value")) if parameter.get("name") == "max_connections" else ""
            if value.isdigit():
                return int(value)
    return None


def _connects(service: PolicyResource, database: PolicyResource, stack: Stack) -> bool:
    """Whether a service is told of this database; where there is only one, whoever has a pool means that one."""
    if len(primaries(stack)) == 1:
        return True
    told_of = [
        found
        for holder, prop in _holders(service, stack)
        for found in stack.referred(holder, prop, DATABASES)
    ]
    for secret in _secrets_read(service, stack):
        for version in stack.referring([SECRET_VERSION], "secretId", secret):
            told_of += stack.referred(version, "secretString", DATABASES)
    return any(found.urn == database.urn for found in told_of)


def _holders(service: PolicyResource, stack: Stack) -> list[tuple[PolicyResource, str]]:
    """What describes the service's containers, and in which property."""
    if service.resource_type != SERVICE:
        return [(service, "spec")]
    definitions = stack.referred(service, "taskDefinition", [TASK_DEFINITION])
    return [(definition, "containerDefinitions") for definition in definitions]


def _most_tasks(service: PolicyResource, stack: Stack) -> int:
    if service.resource_type == SERVICE:
        scaled = [each.props.get("maxCapacity") for each in stack.referring([SCALED], "resourceId", service)]
        return int(max([each for each in scaled if each] or [service.props.get("desiredCount") or 1]))
    own = literal(service.props.get("metadata") or {}, "name")
    figures = [(service.props.get("spec") or {}).get("replicas") or 1]
    for kind, prop in PODS_SCALED.items():
        for scaler in stack.of([kind]):
            spec = scaler.props.get("spec") or {}
            if own and literal(spec.get("scaleTargetRef") or {}, "name") == own:
                figures.append(spec.get(prop) or 1)
    return int(max(figures))


def _pool(service: PolicyResource, stack: Stack) -> int | None:
    pool = None
    for environment in told(service, stack):
        for variable, value in environment.plain.items():
            if POOL.match(variable) and str(value).isdigit():
                pool = max(pool or 0, int(str(value)))
    return pool or _pool_in_url(service, stack)


def _pool_in_url(service: PolicyResource, stack: Stack) -> int | None:
    found = [
        int(figure)
        for secret in _secrets_read(service, stack)
        for version in stack.referring([SECRET_VERSION], "secretId", secret)
        for figure in POOL_IN_URL.findall(str(version.props.get("secretString") or ""))
    ]
    found += [
        int(figure)
        for secret in _secrets_read(service, stack)
        for line in _written_by_tasks(secret, stack)
        for figure in POOL_IN_URL.findall(line)
    ]
    return max(found, default=None)


def _written_by_tasks(secret: PolicyResource, stack: Stack) -> Iterator[str]:
    """What a task is told to put into a secret: lines of a variable, each with the secret's ARN and a template.

    So Groundwork's bootstrap makes URLs that hold a password which Pulumi does not know.
    """
    arn = secret.props.get("arn")
    for definition in stack.referring([TASK_DEFINITION], "containerDefinitions", secret) if arn else ():
        for environment in environments(definition.props, TASK_DEFINITION):
            for value in environment.plain.values():
                yield from (line for line in (value or "").splitlines() if arn in line.split()[1:2])


# Over TLS


def values(props: Props, resource_type: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Each text that may hold the address of a store: where it stands, its variable's name if it has one, the text."""
    if resource_type in (SECRET_VERSION, PARAMETER):
        prop = "secretString" if resource_type == SECRET_VERSION else "value"
        for where, text in fields(prop, props.get(prop)):
            yield where, "", text
        return
    for environment in environments(props, resource_type, name):
        for variable, value in environment.plain.items():
            if value is not None:
                yield f"{environment.where}: {variable}", variable, value


def fields(prop: str, value: object) -> Iterator[tuple[str, str]]:
    """A text, or each text of the JSON object that it holds."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if isinstance(found, dict):
        yield from ((f"{prop}.{key}", text) for key, text in found.items() if isinstance(text, str))
    elif isinstance(value, str):
        yield prop, value


@rule(
    RULES,
    "database-url-sslmode",
    types=[SECRET_VERSION, PARAMETER, *TYPES],
    severity="high",
    why="Without sslmode many clients ask for TLS and go on without it, if whoever is between says no.",
    remedy="End the URL in ?sslmode=require or stronger (system file: secrets.<name>.url)",
    checklist=["C15"],
)
def database_url_sslmode(props: Props, resource_type: str, name: str) -> Findings:
    """The URL of a database insists on TLS."""
    for where, variable, text in values(props, resource_type, name):
        for url in POSTGRES_URL.findall(text):
            if not OVER_TLS.search(url) and not WITHOUT_TLS.search(url):
                yield f"{where} is a URL of PostgreSQL that does not ask for TLS"
        weak = WITHOUT_TLS.search(f"sslmode={text}" if variable == "PGSSLMODE" else text)
        if weak:
            yield f"{where} says sslmode={weak[1]}"


@rule(
    RULES,
    "stores-over-tls",
    types=[SECRET_VERSION, PARAMETER, *TYPES],
    severity="high",
    why="What a service and its stores say to each other is sessions, jobs and passwords.",
    remedy="Say rediss:// and amqps://, leave the flag that turns TLS off away "
    "(system file: services.<name>.environment, secrets.<name>.url), and let runtimes check certificates",
    checklist=["C15", "C21"],
)
def stores_over_tls(props: Props, resource_type: str, name: str) -> Findings:
    """Services speak to caches and brokers over TLS, and believe certificates only after a look at them."""
    for where, variable, text in values(props, resource_type, name):
        for scheme, host in PLAIN_URL.findall(text):
            if host.lower() not in OWN_HOST:
                secure = PLAIN_SCHEMES[scheme.lower()]
                yield f"{where} is a URL that begins with {scheme.lower()}://, not {secure}://"
        value = text.strip().lower()
        if TLS_FLAG.match(variable) and value in OFF:
            yield f"{where} is {shown(text)}"
        if BELIEVES_ANYBODY.get(variable) == value:
            yield f"{where} is {shown(text)}, and any certificate is believed"
