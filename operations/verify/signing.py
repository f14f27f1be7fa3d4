"""Who may in: strangers are refused, and a key or a login opens. What is secret stays in this process."""

import json
import secrets
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus

from operations.platform import Refusal
from operations.verify.answering import at
from operations.verify.asking import Asking, each
from operations.verify.expected import Auth, Entry
from operations.verify.seen import Seen, judged, nothing

REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
LOGGED_IN = (HTTPStatus.OK, HTTPStatus.CREATED)


def auth(asking: Asking) -> Iterator[Seen]:
    for entry in asking.expected.entries:
        if not entry.auth.path:
            yield nothing(entry.service, "the system file names no protected path (checks.auth)")
    kept = [entry for entry in asking.expected.entries if entry.auth.path]
    yield from each(kept, lambda entry: entry.service, partial(_entry, asking))


def _entry(asking: Asking, entry: Entry) -> Iterator[Seen]:
    way = entry.auth
    wrong = {way.key_header or "Authorization": _wrong(way)}
    troubles, told = [], []
    for who, brings in (("nobody", {}), (f"a wrong {_what(way)}", wrong)):
        status = asking.web.ask(entry.host, way.path, headers=brings).status
        if status in REFUSED:
            told.append(f"{status} for {who}")
        else:
            troubles.append(f"{way.path} answers {status} to {who}, and not 401 or 403")
    if way.key_header:
        key = _secret(asking, way.key_secret_arn)
        troubles += _opens(asking, entry, {way.key_header: key}, told)
    elif way.login_path:
        trouble, token = _login(asking, entry)
        troubles += [trouble] if trouble else []
        if token:
            troubles += _opens(asking, entry, {"Authorization": f"Bearer {token}"}, told)
    yield judged(
        entry.service,
        troubles,
        f"{way.path}: {', '.join(told)}",
        "`groundwork logs SERVICE --errors` says why; `groundwork secrets put` gives another key or login.",
    )


def _what(way: Auth) -> str:
    return "key" if way.key_header else "token"


def _wrong(way: Auth) -> str:
    guess = secrets.token_hex(32)
    return guess if way.key_header else f"Bearer {guess}"


def _opens(asking: Asking, entry: Entry, brings: Mapping[str, str], told: list[str]) -> Iterator[str]:
    status = asking.web.ask(entry.host, entry.auth.path, headers=brings).status
    if status == HTTPStatus.OK:
        told.append(f"200 with the right {_what(entry.auth)}")
    else:
        yield f"{entry.auth.path} answers {status} with the right {_what(entry.auth)}"


def _login(asking: Asking, entry: Entry) -> tuple[str, str]:
    """What went wrong, and the token. Raises Refusal for a secret that is no JSON object."""
    way, sent = entry.auth, _secret(asking, entry.auth.login_secret_arn)
    try:
        is_object = isinstance(json.loads(sent), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise Refusal(
            f"The secret with {entry.service}'s login is no JSON object such as "
            '{"email": "...", "password": "..."}. `groundwork secrets put` replaces it.'
        )
    answer = asking.web.ask(
        entry.host,
        way.login_path,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=sent.encode(),
    )
    if answer.status not in LOGGED_IN:
        return f"the login at {way.login_path} is answered {answer.status}", ""
    try:
        token = at(json.loads(answer.body), way.token)
    except ValueError:
        token = None
    if not isinstance(token, str) or not token:
        return f"the answer of {way.login_path} has no {way.token}", ""
    return "", token


def _secret(asking: Asking, arn: str) -> str:
    """Raises Refusal for one that nobody has filled."""
    client = asking.platform.client("secretsmanager")
    try:
        value = client.get_secret_value(SecretId=arn).get("SecretString", "")
    except client.exceptions.ResourceNotFoundException:
        value = ""
    if not value:
        raise Refusal(
            f"The secret {arn.rpartition(':')[2]} has no value. `groundwork secrets put` gives one."
        )
    return value.strip()
