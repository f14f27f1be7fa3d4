"""Who is signed in: the right account, nobody's root user, for long enough."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from operations.doctor.declared import Declared
from operations.doctor.line import Line, note, well, wrong
from operations.platform import Platform

# The first `up` of a Multi-AZ database with a replica takes most of an hour (operations/report/durations.yaml).
LONG_ENOUGH_S = 3600
SIGN_IN = "Sign in anew (`aws sso login`) before `pulumi up`."


def identity(platform: Platform) -> Mapping[str, Any]:
    return platform.client("sts").get_caller_identity()


def check(told: Mapping[str, Any], declared: Declared) -> Iterator[Line]:
    source = "sts GetCallerIdentity"
    allowed = declared.preview.config.get("aws:allowedAccountIds") or "[]"
    if told["Account"] != declared.account or told["Account"] not in str(allowed):
        yield wrong(
            "account",
            f"signed in to {told['Account']}; the stack file has `account` {declared.account} and "
            f"`aws:allowedAccountIds` {allowed}",
            "Sign in to the stack's account (AWS_PROFILE), or mend the two.",
            source,
        )
    else:
        yield well("account", told["Account"], source)
    if told["Arn"].endswith(":root"):
        yield wrong(
            "user",
            "signed in as the account's root user, whom no policy bounds",
            "Sign in by IAM Identity Center (`aws configure sso`).",
            source,
        )
    else:
        yield well("user", told["Arn"], source)


def session(boto3_session: Any, now: datetime) -> Iterator[Line]:
    """How long the session lasts, where anything on this machine says so."""
    what = "session"
    credentials = boto3_session.get_credentials()
    if credentials is None:
        yield wrong(what, "nobody is signed in", "`aws sso login`, and `export AWS_PROFILE=...`.")
        return
    try:
        token = credentials.get_frozen_credentials().token
    except RuntimeError:  # botocore's word for a session that has ended
        yield wrong(what, "the session that this shell has is over", SIGN_IN)
        return
    if not token:
        yield note(
            what,
            f"an access key that does not expire ({credentials.method})",
            "Groundwork needs none: IAM Identity Center on a machine, a role by OIDC in a pipeline.",
        )
        return
    yield from _lasts(credentials.method, _ends(boto3_session, credentials.method), now)


def _lasts(method: str, ends: datetime | None, now: datetime) -> Iterator[Line]:
    what = "session"
    if ends is None and method == "env":
        yield note(what, "credentials of the environment, which do not tell when they expire", SIGN_IN)
    elif ends is None:
        yield well(what, f"credentials by {method}, which renew themselves")
    else:
        left_s = (ends - now).total_seconds()
        figure = f"until {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if left_s < LONG_ENOUGH_S:
            yield wrong(what, f"{figure}, {max(0, int(left_s // 60))} minutes from now", SIGN_IN, method)
        else:
            yield well(what, figure, method)


def _ends(boto3_session: Any, method: str) -> datetime | None:
    if method == "env":
        told = os.environ.get("AWS_CREDENTIAL_EXPIRATION", "")
        return datetime.fromisoformat(told) if told else None
    if not method.startswith("sso"):
        return None
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 with boto3, so that `--help` stays quick
    from botocore.utils import JSONFileCache, SSOTokenLoader  # noqa: PLC0415

    core = boto3_session._session  # boto3 gives no other way to a profile's settings
    profile = core.get_scoped_config()
    name = profile.get("sso_session")
    url = core.full_config.get("sso_sessions", {}).get(name, {}).get("sso_start_url") if name else None
    try:
        cache = JSONFileCache(os.path.expanduser("~/.aws/sso/cache"))  # noqa: PTH111 as botocore names it
        token = SSOTokenLoader(cache=cache)(url or profile.get("sso_start_url", ""), session_name=name)
        return datetime.fromisoformat(token["expiresAt"].replace("UTC", "+00:00").replace("Z", "+00:00"))
    except (BotoCoreError, KeyError, ValueError):
        return None
