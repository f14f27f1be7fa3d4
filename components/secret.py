"""A secret in Secrets Manager: generated here, or empty for the operator to fill.

Who may read it is said by the role that reads it. Rotation of the database's master password is RDS's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from components import _json

SHORTEST = 16  # "minimum 16 characters" is the least that any of our systems asks for


@dataclass(frozen=True, kw_only=True)
class Generate:
    """`length` in characters; `special` are the characters allowed beside letters and digits, "" for none."""

    length: int
    special: str = "-_.~"
    min_upper: int = 1
    min_lower: int = 1
    min_numeric: int = 1

    def __post_init__(self) -> None:
        if self.length < SHORTEST:
            raise ValueError(
                f"secret: a generated secret needs at least {SHORTEST} characters, got {self.length}"
            )


@dataclass(frozen=True, kw_only=True)
class GenerateBytes:
    """So many random bytes; the value is their base64, on one line."""

    length: int

    def __post_init__(self) -> None:
        if self.length < SHORTEST:
            raise ValueError(f"secret: a generated secret needs at least {SHORTEST} bytes, got {self.length}")


@dataclass(frozen=True, kw_only=True)
class SecretArgs:
    """Without `generate` and `value` no value is set. With `username` the value is JSON: {"username", "password"}.

    `value` is put together from what other resources know, and must be an Output that is marked secret.
    `fixed_name` is its whole name, which stays taken for the recovery window of one that was deleted; without it the
    name is `name_prefix` and an end of the provider's own. `recovery_window_days`: 7 to 30, or 0 to delete at once.
    With `rotated_elsewhere` the value is put in once, and others that somebody puts in are left alone.
    Raises ValueError on another window, on a username without a generated password, and on two sources of one value.
    """

    name_prefix: str
    kms_key_arn: pulumi.Input[str]
    description: str
    fixed_name: str | None = None
    generate: Generate | GenerateBytes | None = None
    value: pulumi.Output[str] | None = None
    username: str | None = None
    recovery_window_days: int = 7
    rotated_elsewhere: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = []
        if self.recovery_window_days != 0 and not 7 <= self.recovery_window_days <= 30:
            found.append(f"recovery_window_days must be 0 or 7 to 30, got {self.recovery_window_days}")
        if self.username is not None and self.generate is None:
            found.append(
                f"username {self.username!r} is written beside a generated password; say generate too"
            )
        if self.generate is not None and self.value is not None:
            found.append("generate and value are two sources of one secret; keep one")
        if found:
            raise ValueError(f"secret {self.name_prefix}: " + "; ".join(found))


class Secret(pulumi.ComponentResource):
    """`value` is the password or text itself, marked secret; None when the operator sets it."""

    arn: pulumi.Output[str]
    value: pulumi.Output[str] | None

    def __init__(self, name: str, args: SecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:security:Secret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # A prefix: the name of a deleted secret stays taken until its recovery window has passed.
        secret = aws.secretsmanager.Secret(
            name,
            name=args.fixed_name,
            name_prefix=None if args.fixed_name is not None else args.name_prefix,
            description=args.description,
            kms_key_id=args.kms_key_arn,
            recovery_window_in_days=args.recovery_window_days,
            tags={**args.tags, "Name": name},
            opts=child,
        )
        self.arn = secret.arn
        self.value = args.value
        if args.generate is not None:
            self.value = _generated(name, args.generate, child)
        if self.value is not None:
            version = aws.secretsmanager.SecretVersion(
                name,
                secret_id=secret.id,
                secret_string=_content(self.value, args.username),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # Another value of Pulumi's would become the current one. On deletion the provider would take off
                    # labels that have moved since; a secret's versions end with the secret anyway.
                    ignore_changes=["secretString"] if args.rotated_elsewhere else None,
                    retain_on_delete=args.rotated_elsewhere,
                ),
            )
            # The same ARN, but known only when there is a value: a task that reads it before would not start.
            self.arn = pulumi.Output.all(secret.arn, version.id).apply(lambda known: known[0])
        self.register_outputs({"arn": self.arn})


def _generated(
    name: str, generate: Generate | GenerateBytes, child: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    if isinstance(generate, GenerateBytes):
        return pulumi.Output.secret(random.RandomBytes(name, length=generate.length, opts=child).base64)
    password = random.RandomPassword(
        name,
        length=generate.length,
        special=bool(generate.special),
        override_special=generate.special or None,
        min_upper=generate.min_upper,
        min_lower=generate.min_lower,
        min_numeric=generate.min_numeric,
        min_special=1 if generate.special else 0,
        opts=child,
    )
    return pulumi.Output.secret(password.result)


def _content(password: pulumi.Output[str], username: str | None) -> pulumi.Output[str]:
    if username is None:
        return password
    return _json.dumps({"username": username, "password": password})
