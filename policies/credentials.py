"""Passwords, keys and tokens. No finding ever shows a value, only where it stands."""

import json
import re
from collections.abc import Sequence
from typing import Annotated

from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, at, given, is_set, literal, rule, shown
from task_definitions import FUNCTION, TASK_DEFINITION, containers, variables

RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword"
RANDOM_BYTES = "random:index/randomBytes:RandomBytes"
INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
BROKER = "aws:mq/broker:Broker"
CACHE_USER = "aws:elasticache/user:User"
SECRET = "aws:secretsmanager/secret:Secret"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SECRET_ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
PARAMETER = "aws:ssm/parameter:Parameter"
MACHINES = ["aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate"]
SCHEDULE = "aws:scheduler/schedule:Schedule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
# Random values that the state keeps in the clear, since nothing says that they are secret.
OPENLY_RANDOM = [
    "random:index/randomString:RandomString",
    "random:index/randomId:RandomId",
    "random:index/randomUuid:RandomUuid",
    "random:index/randomPet:RandomPet",
    "random:index/randomInteger:RandomInteger",
]

# Where each type holds a password in plain arguments; `users` is a list of Amazon MQ's users.
PASSWORDS = {
    INSTANCE: "password",
    CLUSTER: "masterPassword",
    REPLICATION_GROUP: "authToken",
    SECRET_VERSION: "secretString",
    PARAMETER: "value",
}
# Where a password comes from elsewhere, these hold it; a list holds several.
PASSWORD_ARGUMENTS = {
    INSTANCE: "password",
    CLUSTER: "masterPassword",
    REPLICATION_GROUP: "authToken",
    CACHE_USER: "passwords",
    BROKER: "users",
}
# What each of them refuses in a password, whatever its documents say of strength: characters of RandomPassword's usual
# set that are not taken (RDS User Guide, "Constraints"; ElastiCache, "Authenticating with AUTH"; Amazon MQ, "User").
REFUSED = {
    INSTANCE: re.compile(r'[/@" ]'),
    CLUSTER: re.compile(r'[/@" ]'),
    REPLICATION_GROUP: re.compile(r"[^!&#$^<>-]"),
    BROKER: re.compile(r"[,:= ]"),
}
USUAL_SPECIALS = "!@#$%&*()-_=+[]{}<>:?"  # of RandomPassword, where overrideSpecial does not say others

SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|(API|PRIVATE|ACCESS|SIGNING|ENCRYPTION)_?KEY|CREDENTIAL"
    r"|_(DSN|PWD|PASS)$|^PGPASS|WEBHOOK_URL$|CONNECTION_?STRING"
)
# Addresses of stores hold the password more often than not.
STORE_URL = re.compile(
    r"(^|_)(DATABASE|DB|POSTGRES|POSTGRESQL|MYSQL|REDIS|CACHE|RABBITMQ|AMQP|BROKER|MONGO|MONGODB)_UR[IL]$"
)
# Settings about a secret that are none themselves: API_KEY_REQUIRED, TOKEN_TTL_S, SECRET_ARN.
ABOUT_A_SECRET = re.compile(
    r"_(REQUIRED|ENABLED|TTL|TTL_S|EXPIRY|EXPIRES_IN|ARN|NAME|HEADER|LENGTH|ALGORITHM|FILE|(?<!WEBHOOK_)URL)$"
)
CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
# All that begin a word stand behind one \b: so the other positions of a long text cost next to nothing.
WELL_KNOWN_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b((AKIA|ASIA)[0-9A-Z]{16}\b|(sk|rk)_live_|xox[abeprs]-|gh[pousr]_[A-Za-z0-9]{36}|github_pat_|glpat-"
    r"|AIza[0-9A-Za-z_-]{35}|SG\.[\w-]{22}\.[\w-]{43}|hooks\.slack\.com/services/T|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.)"
)

# Words, not letters in the middle of others: a generated value may hold any of these by chance.
PLACEHOLDER = re.compile(
    r"(?<![a-z0-9])(change.?(me|this)|your[^a-z0-9]|super.?secret|strong.?password|placeholder"
    r"|(example|replace|todo|dummy)(?![a-z0-9]))|^<.*>$|^x{4,}$",
    re.IGNORECASE,
)
DEFAULTS = {
    "password",
    "secret",
    "admin",
    "root",
    "guest",
    "postgres",
    "redis",
    "minioadmin",
    "test",
    "1234",
    "12345678",
}

RULES: list[Rule] = []


def is_secret(name: str) -> bool:
    return bool(STORE_URL.search(name) or (SECRET_NAME.search(name) and not ABOUT_A_SECRET.search(name)))


@rule(
    RULES,
    "no-plaintext-secrets-in-env",
    types=[TASK_DEFINITION, FUNCTION],
    severity="critical",
    why="A plain variable is shown by the console, the API and every copy of the task definition, for ever.",
    remedy="Put the value into Secrets Manager and name it under `secrets` (system file: services.<name>.secrets)",
    checklist=["C1"],
    frameworks=["FSBP ECS.8", "CKV_AWS_45"],
)
def no_plaintext_secrets_in_env(props: Props, resource_type: str) -> Findings:
    """Secrets reach a container by reference, never as plain variables."""
    for where, name, value in variables(props):
        if holds_credential(value):
            yield f"{where}: the value of {name} holds a credential"
        elif value and is_secret(name.upper()):
            yield f"{where}: {name} is a plain variable"
    if resource_type == TASK_DEFINITION:
        yield from _beside_the_variables(props)


def _beside_the_variables(props: Props) -> Findings:
    """In a container's command, its labels, or the options of its log driver, which has `secretOptions` for them."""
    for where, container in containers(props):
        words = [*(container.get("entryPoint") or []), *(container.get("command") or [])]
        if any(holds_credential(str(word)) for word in words):
            yield f"{where}: its command holds a credential"
        for key, value in (container.get("dockerLabels") or {}).items():
            if holds_credential(str(value)):
                yield f"{where}: the label {key} holds a credential"
        for key, value in (at(container, "logConfiguration.options") or {}).items():
            if holds_credential(str(value)) or is_secret(key.upper().replace("-", "_")):
                yield f"{where}: the log option {key} is written in the clear"


def holds_credential(text: str) -> bool:
    has_address = "://" in text
    return bool((has_address and CREDENTIALS_IN_URL.search(text)) or WELL_KNOWN_TOKEN.search(text))


def weaknesses(password: str, minimum_length: int) -> list[str]:
    """What a password lacks, in words."""
    classes = {
        "an upper-case letter": str.isupper,
        "a lower-case letter": str.islower,
        "a digit": str.isdigit,
    }
    lacking = [what for what, is_one in classes.items() if not any(map(is_one, password))]
    if len(password) < minimum_length:
        lacking.insert(0, f"{minimum_length - len(password)} more characters")
    return lacking


def passwords(props: Props, resource_type: str) -> list[tuple[str, str]]:
    """The passwords written out in the arguments, each with the argument's name; JSON secrets value by value.

    What another resource generates is left to the rules about that resource.
    """
    if resource_type == BROKER:
        users = [literal(user, "password") for user in props.get("users") or []]
        return [(f"users[{i}].password", password) for i, password in enumerate(users) if password]
    if resource_type == CACHE_USER:
        listed = literal(props, "passwords") or []
        return [(f"passwords[{i}]", str(password)) for i, password in enumerate(listed) if password]
    name = PASSWORDS[resource_type]
    text = literal(props, name)
    if not isinstance(text, str) or not text:
        return []
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        return [(f"{name}.{key}", value) for key, value in fields.items() if isinstance(value, str)]
    return [(name, text)]


def _in_base64(props: Props) -> int:
    """How many characters random bytes become, without what only fills up the end."""
    return int(props.get("length") or 0) * 4 // 3


@rule(
    RULES,
    "secret-min-strength",
    types=[RANDOM_PASSWORD, RANDOM_BYTES, INSTANCE, CLUSTER, REPLICATION_GROUP, BROKER, CACHE_USER],
    severity="high",
    why="A short or simple password falls to guessing, and this one guards the data.",
    remedy="Let AWS make it (manageMasterUserPassword), or give RandomPassword a length of 16 or more "
    "and all character classes (system file: secrets.<name>.generate)",
    checklist=["C4"],
)
def secret_min_strength(props: Props, resource_type: str, *, minimum_length: Count = 16) -> Findings:
    """Passwords have at least 16 characters of several classes."""
    if resource_type == RANDOM_PASSWORD:
        if (props.get("length") or 0) < minimum_length:
            yield f"{given(props, 'length')}, at least {minimum_length} is asked for"
        for name in ("upper", "lower", "numeric"):
            if props.get(name) is False:
                yield given(props, name)
        return
    if resource_type == RANDOM_BYTES:
        characters = _in_base64(props)
        if characters < minimum_length:
            yield f"{given(props, 'length')}, which is {characters} characters of at least {minimum_length}"
        return
    for where, password in passwords(props, resource_type):
        lacking = weaknesses(password, minimum_length)
        if lacking:
            yield f"{where} lacks {', '.join(lacking)}"


@rule(
    RULES,
    "jwt-secret-strength",
    types=[RANDOM_PASSWORD, RANDOM_BYTES],
    severity="high",
    why="Whoever finds the signing secret signs in as anybody.",
    remedy="Give RandomPassword a length of 64 or RandomBytes one of 48, which is 64 characters in base64 "
    "(system file: secrets.<name>.generate)",
    checklist=["C5", "C6"],
)
def jwt_secret_strength(
    props: Props, name: str, resource_type: str, *, minimum_length: Annotated[int, {"minimum": 32}] = 64
) -> Findings:
    """The secret that signs JSON Web Tokens has at least 64 characters."""
    if "jwt" not in name.lower():
        return
    characters = _in_base64(props) if resource_type == RANDOM_BYTES else int(props.get("length") or 0)
    if characters < minimum_length:
        yield f"{given(props, 'length')}, which is {characters} characters of at least {minimum_length}"


def is_default(password: str) -> bool:
    return password.lower() in DEFAULTS or bool(PLACEHOLDER.search(password))


@rule(
    RULES,
    "no-default-secrets",
    types=[SECRET_VERSION, PARAMETER, INSTANCE, CLUSTER, REPLICATION_GROUP, BROKER, CACHE_USER],
    severity="critical",
    why="Default passwords and placeholders are the first that anybody tries, and they stand in public documents.",
    remedy="Generate the value (system file: secrets.<name>.generate), or leave secretString out and let the operator "
    "put it straight into Secrets Manager (secrets.<name>.external)",
    checklist=["C7"],
)
def no_default_secrets(props: Props, resource_type: str) -> Findings:
    """No secret keeps its default or a placeholder."""
    for where, password in passwords(props, resource_type):
        if is_default(password) and not where.endswith((".username", ".host", ".dbname", ".engine")):
            yield f"{where} is a default or a placeholder"


@rule(
    RULES,
    "iam-no-static-keys",
    types=["aws:iam/accessKey:AccessKey", "aws:iam/user:User"],
    severity="medium",
    why="Keys that never expire end up in files, images and repositories.",
    remedy="Use a role instead of an AccessKey: the task role on ECS (system file: buckets.<name>.access), "
    "OpenID Connect for the pipeline, Identity Center for people",
    checklist=["C10"],
    frameworks=["FSBP IAM.3", "CIS 3.0 1.21", "CIS 5.0 1.20", "CKV_AWS_273"],
    advisory=True,
)
def iam_no_static_keys(props: Props, name: str, *, allowed: Sequence[str] = ()) -> Findings:
    """Nothing signs in to AWS with a key that does not expire; `allowed` holds logical names of exceptions."""
    if name not in allowed:
        user = literal(props, "user") if is_set(props, "user") else literal(props, "name")
        yield f"{shown(user or name)} is a user with keys of its own"


# Where secrets stand, and where they come from


@rule(
    RULES,
    "no-secrets-in-plain-text",
    types=[PARAMETER, *MACHINES, SCHEDULE, EVENT_TARGET],
    severity="critical",
    why="Whoever may look at the resource reads it, and so does everybody who sees a copy of it later.",
    remedy='Put it into Secrets Manager (system file: secrets), or set type of a Parameter to "SecureString"; '
    "programs read it from there when they start",
    checklist=["C1"],
    frameworks=["CKV_AWS_46", "CKV2_AWS_34"],
)
def no_secrets_in_plain_text(props: Props, resource_type: str) -> Findings:
    """Parameters, start scripts and scheduled messages hold no secrets."""
    if resource_type == PARAMETER:
        if props.get("type") == "SecureString":
            return
        name, value = str(literal(props, "name") or ""), str(literal(props, "value") or "")
        if is_secret(name.rpartition("/")[2].upper().replace("-", "_")) or holds_credential(value):
            yield f"{given(props, 'type')}, and it holds a secret"
        return
    for path in ("userData", "input", "target.input"):
        text = str(at(props, path) or "")
        if holds_credential(text) or any(is_secret(name) for name in ASSIGNED.findall(text)):
            yield f"{path} holds a credential"


ASSIGNED = re.compile(r"\b([A-Z][A-Z0-9_]{2,})\s*=\s*[\"']?(?![\s\"'$(])[^\s\"'$]{4,}")


@rule(
    RULES,
    "secret-own-key",
    types=[SECRET],
    severity="medium",
    why="With AWS's key whoever may read secrets reads this one; one's own is a second lock, and its log a witness.",
    remedy="Set kmsKeyId to the key for secrets (Groundwork's secrets have it)",
    checklist=["C1"],
    frameworks=["CKV_AWS_149"],
)
def secret_own_key(props: Props) -> Findings:
    """Secrets are encrypted with a key of one's own."""
    if not is_set(props, "kmsKeyId"):
        yield "kmsKeyId is not set"


@rule(
    RULES,
    "secret-kept",
    types=[SECRET],
    severity="medium",
    why="A secret that is deleted at once is gone with whatever it opened: data encrypted with it, a login elsewhere.",
    remedy="Set recoveryWindowInDays to 7 at least, or leave it out, which is 30 (stack file: protect)",
    checklist=["C73"],
    must_know=True,
)
def secret_kept(props: Props, *, minimum_days: Count = 7) -> Findings:
    """A deleted secret can be called back for a week."""
    days = props.get("recoveryWindowInDays")
    if days is not None and days < minimum_days:
        yield f"{given(props, 'recoveryWindowInDays')}, at least {minimum_days} days are asked for"


@rule(
    RULES,
    "secret-rotation-soon",
    types=[SECRET_ROTATION],
    severity="medium",
    why="A password that was stolen works until it is changed.",
    remedy="Set rotationRules.automaticallyAfterDays to 90 at most (Groundwork declares no rotation of its own: RDS "
    "rotates what manageMasterUserPassword keeps)",
    checklist=["C4"],
    frameworks=["FSBP SecretsManager.4", "CKV_AWS_304"],
)
def secret_rotation_soon(props: Props, *, maximum_days: Count = 90) -> Findings:
    """What is rotated is rotated every 90 days at least."""
    rules = props.get("rotationRules") or {}
    days = rules.get("automaticallyAfterDays")
    if days is None and not is_set(rules, "scheduleExpression"):
        yield f"rotationRules.{given(rules, 'automaticallyAfterDays')}"
    elif days is not None and days > maximum_days:
        yield f"rotationRules.{given(rules, 'automaticallyAfterDays')}, at most {maximum_days} days are asked for"


@rule(
    RULES,
    "password-not-literal",
    types=[*PASSWORD_ARGUMENTS, SECRET_VERSION],
    severity="high",
    why="What a person wrote down is short, is in the repository or on a laptop, and is the same in the next stack.",
    remedy="Let a RandomPassword make it (system file: secrets.<name>.generate), or AWS (manageMasterUserPassword)",
    checklist=["C1", "C4"],
    whole_stack=True,
)
def password_not_literal(resource: PolicyResource, stack: Stack) -> Findings:
    """Passwords are made by a generator that keeps them secret."""
    prop = PASSWORD_ARGUMENTS.get(resource.resource_type, "secretString")
    for source in stack.referred(resource, prop, OPENLY_RANDOM):
        kind = source.resource_type.rpartition(":")[2]
        yield f"{prop} comes from {source.name}, a {kind}, which the state keeps in the clear"
    if resource.resource_type == SECRET_VERSION or resource.property_dependencies.get(prop):
        return
    for where, _ in passwords(resource.props, resource.resource_type):
        yield f"{where} is written in the program or its configuration"


@rule(
    RULES,
    "generated-password-accepted",
    types=list(REFUSED),
    severity="medium",
    why="AWS refuses the password only when the store is made, after half of the stack is up.",
    remedy="Set overrideSpecial of the RandomPassword to characters that the store takes, or special to false "
    "(Groundwork's are chosen by store)",
    checklist=["C4"],
    whole_stack=True,
)
def generated_password_accepted(store: PolicyResource, stack: Stack) -> Findings:
    """A generated password holds only characters that the store takes."""
    prop = PASSWORD_ARGUMENTS[store.resource_type]
    for password in stack.referred(store, prop, [RANDOM_PASSWORD]):
        if password.props.get("special") is False:
            continue
        special = password.props.get("overrideSpecial") or USUAL_SPECIALS
        refused = "".join(sorted(set(REFUSED[store.resource_type].findall(special))))
        if refused:
            yield f"{prop} comes from {password.name}, which may hold {refused}"
