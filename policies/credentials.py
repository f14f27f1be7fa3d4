"""Passwords, keys and tokens. No finding ever shows a value, only where it stands."""

import json
import re
from collections.abc import Sequence
from typing import Annotated

from rules import Count, Findings, Props, Rule, given, is_set, literal, rule, shown
from task_definitions import FUNCTION, TASK_DEFINITION, variables

RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword"
RANDOM_BYTES = "random:index/randomBytes:RandomBytes"
INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
BROKER = "aws:mq/broker:Broker"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"

# Where each type holds a password in plain arguments; `users` is a list of Amazon MQ's users.
PASSWORDS = {
    INSTANCE: "password",
    CLUSTER: "masterPassword",
    REPLICATION_GROUP: "authToken",
    SECRET_VERSION: "secretString",
}

SECRET_NAME = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|_DSN$")
# Addresses of stores hold the password more often than not.
STORE_URL = re.compile(r"(^|_)(DATABASE|POSTGRES|REDIS|RABBITMQ|AMQP|MONGO)_UR[IL]$")
# Settings about a secret that are none themselves: API_KEY_REQUIRED, TOKEN_TTL_S, SECRET_ARN.
ABOUT_A_SECRET = re.compile(
    r"_(REQUIRED|ENABLED|TTL|TTL_S|EXPIRY|EXPIRES_IN|ARN|NAME|HEADER|LENGTH|ALGORITHM|FILE|URL)$"
)
CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
WELL_KNOWN_TOKEN = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bsk_live_|\bxox[abp]-"
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
def no_plaintext_secrets_in_env(props: Props) -> Findings:
    """Secrets reach a container by reference, never as plain variables."""
    for where, name, value in variables(props):
        if CREDENTIALS_IN_URL.search(value) or WELL_KNOWN_TOKEN.search(value):
            yield f"{where}: the value of {name} holds a credential"
        elif value and is_secret(name.upper()):
            yield f"{where}: {name} is a plain variable"


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
    types=[RANDOM_PASSWORD, RANDOM_BYTES, INSTANCE, CLUSTER, REPLICATION_GROUP, BROKER],
    severity="high",
    why="A short or simple password falls to guessing, and this one guards the data.",
    remedy="Let AWS make it (manageMasterUserPassword), or give RandomPassword a length of 16 or more "
    "and all character classes",
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
    remedy="Give RandomPassword a length of 64 or RandomBytes one of 48, which is 64 characters in base64",
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
    types=[SECRET_VERSION, INSTANCE, CLUSTER, REPLICATION_GROUP, BROKER],
    severity="critical",
    why="Default passwords and placeholders are the first that anybody tries, and they stand in public documents.",
    remedy="Generate the value, or leave the secret empty and let the operator put it straight into Secrets Manager",
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
    remedy="Use a role: the task role on ECS, OpenID Connect for the pipeline, Identity Center for people",
    checklist=["C10"],
    frameworks=["FSBP IAM.3", "CKV_AWS_273"],
    advisory=True,
)
def iam_no_static_keys(props: Props, name: str, *, allowed: Sequence[str] = ()) -> Findings:
    """Nothing signs in to AWS with a key that does not expire; `allowed` holds logical names of exceptions."""
    if name not in allowed:
        user = literal(props, "user") if is_set(props, "user") else literal(props, "name")
        yield f"{shown(user or name)} is a user with keys of its own"
