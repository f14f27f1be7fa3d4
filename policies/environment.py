"""What the code is told by its variables: the modes it runs in, what is switched off, and that nothing is missing."""

import re
from collections.abc import Collection, Iterator, Sequence

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, literal, rule, shown
from task_definitions import TASK_DEFINITION
from workloads import TYPES, WORKLOADS, Environment, environments, split

SECRET = "aws:secretsmanager/secret:Secret"
PARAMETER = "aws:ssm/parameter:Parameter"
# What puts a Secret into a cluster: by hand, or fetched by the External Secrets Operator.
KUBERNETES_SECRETS = [
    "kubernetes:core/v1:Secret",
    "kubernetes:external-secrets.io/v1:ExternalSecret",
    "kubernetes:external-secrets.io/v1beta1:ExternalSecret",
]

NO = {"false", "0", "no", "off", ""}
API_DOCS = r"(SWAGGER|OPENAPI|API_DOCS|GRAPHIQL|PLAYGROUND)"
DOCS_FLAG = re.compile(rf"^ENABLE_{API_DOCS}$|^{API_DOCS}_ENABLED$")
RATE_LIMIT = r"RATE_?LIMIT(ING|ER)?"
RATE_LIMIT_FLAG = re.compile(rf"^ENABLE_{RATE_LIMIT}$|^{RATE_LIMIT}_ENABLED$")
NO_RATE_LIMIT_FLAG = re.compile(rf"^DISABLE_{RATE_LIMIT}$|^{RATE_LIMIT}_DISABLED$")
MODE_OF_FRAMEWORK = {
    "NODE_ENV",
    "RAILS_ENV",
    "RACK_ENV",
    "FLASK_ENV",
    "APP_ENV",
    "ASPNETCORE_ENVIRONMENT",
    "DOTNET_ENVIRONMENT",
}
DEBUG_FLAGS = {"DEBUG", "APP_DEBUG", "FLASK_DEBUG", "DJANGO_DEBUG"}
DEVELOPMENT = {"development", "dev", "local", "test"}

RULES: list[Rule] = []


def is_off(value: str) -> bool:
    return value.strip().lower() in NO


def lacking(
    props: Props, resource_type: str, name: str, containers: Sequence[str], flag: re.Pattern[str]
) -> Iterator[Environment]:
    """Each of the named containers that is not told anything by a variable of this kind."""
    for environment in environments(props, resource_type, name):
        asked = environment.container in containers and not environment.has_more
        if asked and not any(map(flag.match, environment.names)):
            yield environment


@rule(
    RULES,
    "swagger-disabled",
    types=TYPES,
    severity="medium",
    why="A page that lists every call of the API, with a form to try it, is a map for whoever is looking for a way in.",
    remedy='Set ENABLE_SWAGGER to "false" (system file: services.<name>.environment)',
    checklist=["C43"],
)
def swagger_disabled(
    props: Props, resource_type: str, name: str, *, containers: Sequence[str] = ()
) -> Findings:
    """Production does not serve the page with the API's description; `containers` have to say so themselves."""
    for environment in environments(props, resource_type, name):
        for variable, value in environment.plain.items():
            if value is not None and DOCS_FLAG.match(variable.upper()) and not is_off(value):
                yield f"{environment.where}: {variable} is {shown(value)}"
    for environment in lacking(props, resource_type, name, containers, DOCS_FLAG):
        yield f"{environment.where}: ENABLE_SWAGGER is not set"


@rule(
    RULES,
    "rate-limit-flag-enabled",
    types=TYPES,
    severity="high",
    why="The firewall counts addresses; only the application can count users, and failed sign-ins of one of them.",
    remedy='Set ENABLE_RATE_LIMIT to "true" (system file: services.<name>.environment)',
    checklist=["C41"],
)
def rate_limit_flag_enabled(
    props: Props, resource_type: str, name: str, *, containers: Sequence[str] = ()
) -> Findings:
    """The application's own rate limit is on; `containers` have to say so themselves."""
    for environment in environments(props, resource_type, name):
        for variable, value in environment.plain.items():
            if value is None:
                continue
            is_no = RATE_LIMIT_FLAG.match(variable.upper()) and value.strip().lower() != "true"
            if is_no or (NO_RATE_LIMIT_FLAG.match(variable.upper()) and not is_off(value)):
                yield f"{environment.where}: {variable} is {shown(value)}"
    for environment in lacking(props, resource_type, name, containers, RATE_LIMIT_FLAG):
        yield f"{environment.where}: ENABLE_RATE_LIMIT is not set"


@rule(
    RULES,
    "mode-env-valid",
    types=TYPES,
    severity="high",
    why="A container that does not know its mode starts as something else, or not at all, and jobs pile up.",
    remedy="Set MODE to one of the product's modes (system file: services.<name>.environment)",
    checklist=["C74"],
)
def mode_env_valid(
    props: Props, resource_type: str, name: str, *, modes: Sequence[str] = ("api", "worker", "all")
) -> Findings:
    """MODE is one of the modes that the product has: api, worker or all."""
    for environment in environments(props, resource_type, name):
        mode = environment.plain.get("MODE")
        if mode is not None and mode not in modes:
            yield f"{environment.where}: MODE is {shown(mode)}, not one of {', '.join(modes)}"


@rule(
    RULES,
    "no-development-mode",
    types=TYPES,
    severity="high",
    why="In development mode frameworks show their errors, with code and variables, to whoever caused them.",
    remedy='Set NODE_ENV, or what the framework calls it, to "production" and leave debug flags out '
    "(system file: services.<name>.environment)",
    checklist=["C74"],
)
def no_development_mode(props: Props, resource_type: str, name: str) -> Findings:
    """Frameworks run in production mode."""
    for environment in environments(props, resource_type, name):
        for variable, value in environment.plain.items():
            if value is None:
                continue
            develops = variable in MODE_OF_FRAMEWORK and value.strip().lower() in DEVELOPMENT
            if develops or (variable in DEBUG_FLAGS and not is_off(value)):
                yield f"{environment.where}: {variable} is {shown(value)}"


@rule(
    RULES,
    "required-env-present",
    types=TYPES,
    severity="high",
    why="A variable that is missing is found by the first request that needs it, in production.",
    remedy="Give the variable a value, or name its secret (system file: services.<name>.environment and .secrets)",
    checklist=["C9", "C74", "C78"],
)
def required_env_present(
    props: Props, resource_type: str, name: str, *, required: Sequence[str] = ()
) -> Findings:
    """Every variable that a container cannot do without is there, and not empty.

    `required` lists them by container, "api: PORT, DATABASE_URL". What a container says it requires itself,
    API_KEY_REQUIRED, is required without being listed.
    """
    asked = split(required)
    for environment in environments(props, resource_type, name):
        if environment.has_more:
            continue
        wanted = [*asked.get(environment.container, []), *_required_by_itself(environment)]
        for variable in dict.fromkeys(wanted):
            if variable not in environment.names:
                yield f"{environment.where}: {variable} is not set"
            elif environment.plain.get(variable) == "":
                yield f"{environment.where}: {variable} is empty"


def _required_by_itself(environment: Environment) -> list[str]:
    return [
        variable.removesuffix("_REQUIRED")
        for variable, value in environment.plain.items()
        if variable.endswith("_REQUIRED") and str(value).lower() == "true"
    ]


@rule(
    RULES,
    "secrets-declared",
    types=[TASK_DEFINITION, *WORKLOADS],
    severity="high",
    why="A container whose secret does not exist never starts, and one that another stack owns can go without notice.",
    remedy="Declare the secret (system file: secrets), or list it in the rule's setting `elsewhere`",
    checklist=["C1", "C74"],
    whole_stack=True,
)
def secrets_declared(workload: PolicyResource, stack: Stack, *, elsewhere: Sequence[str] = ()) -> Findings:
    """Every secret that a container reads is one of this stack; `elsewhere` holds names or ARNs of others."""
    known = _names_of_secrets(stack, in_cluster=workload.resource_type != TASK_DEFINITION)
    for environment in environments(workload.props, workload.resource_type):
        for variable, source in environment.references.items():
            if source is None or _is_one_of(source, known) or _is_one_of(source, elsewhere):
                continue
            yield f"{environment.where}: {variable} comes from {source}, which is no secret of this stack"


def _names_of_secrets(stack: Stack, *, in_cluster: bool) -> set[str]:
    if in_cluster:
        return {name for secret in stack.of(KUBERNETES_SECRETS) for name in _names_in_cluster(secret)}
    # A database's managed secret is an output of the database itself.
    managed = (
        str(literal(each, "secretArn"))
        for database in stack.of(["aws:rds/instance:Instance", "aws:rds/cluster:Cluster"])
        for each in literal(database.props, "masterUserSecrets") or []
    )
    declared = (
        literal(each.props, key) for each in stack.of([SECRET, PARAMETER]) for key in ("arn", "name", "id")
    )
    return {name for name in [*managed, *declared] if name}


def _names_in_cluster(secret: PolicyResource) -> Iterator[str]:
    for holder in (secret.props.get("metadata") or {}, (secret.props.get("spec") or {}).get("target") or {}):
        name = literal(holder, "name")
        if name:
            yield str(name)


def _is_one_of(source: str, names: Collection[str]) -> bool:
    """By name or ARN; after the ARN a task definition may name one key of a secret, and before it leave out the six
    characters that Secrets Manager adds; parameters of Systems Manager go by name as well.
    """
    for name in names:
        added = name.rpartition("-")[0] if name.startswith("arn:") else name
        if source in (name, added) or source.startswith((f"{name}:", f"{added}:")):
            return True
        if source.endswith(f":parameter/{name.lstrip('/')}"):
            return True
    return False
