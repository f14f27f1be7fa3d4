"""What is sent with each request. A secret comes from the environment or from Secrets Manager, not from arguments."""

import os
import re
from collections.abc import Callable, Mapping, Sequence

from operations.platform import Platform, Refusal
from operations.secrets import known

# RFC 9110, section 5.6.2: a token.
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SECRETIVE = re.compile(r"authorization|cookie|key|token|secret|password|signature", re.IGNORECASE)


def plain(given: Sequence[str]) -> dict[str, str]:
    """Those of --header. Raises Refusal for one that others must not see, without its value."""
    found = _split(given, "--header")
    for name in found:
        if SECRETIVE.search(name):
            raise Refusal(
                f"{name} may be a secret, and arguments are seen by everybody on this machine: --header-env "
                f"{name}:VARIABLE, or --header-secret {name}:SECRET."
            )
    return _checked(found)


def from_environment(given: Sequence[str]) -> dict[str, str]:
    def read(variable: str) -> str:
        if not os.environ.get(variable):
            raise Refusal(f"The variable {variable} of --header-env is not set.")
        return os.environ[variable]

    return _looked_up(given, "--header-env", read)


def from_secrets(platform: Platform, given: Sequence[str]) -> dict[str, str]:
    client = platform.client("secretsmanager")

    def read(name: str) -> str:
        held = known.value(client, known.find(platform, name))
        if not held:
            raise Refusal(
                f"The secret {name} of {platform.system} is empty. `groundwork secrets put` fills it."
            )
        return held

    return _looked_up(given, "--header-secret", read)


def _looked_up(given: Sequence[str], option: str, read: Callable[[str], str]) -> dict[str, str]:
    return _checked({header: read(source) for header, source in _split(given, option).items()})


def _split(given: Sequence[str], option: str) -> dict[str, str]:
    found = {}
    for each in given:
        name, colon, value = each.partition(":")
        if not colon or not NAME.fullmatch(name) or not value.strip():
            # What was typed may hold a value that nobody should see.
            raise Refusal(
                f"{option} is NAME and what follows, with a colon between: Accept:application/json."
            )
        found[name] = value.strip()
    return found


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Raises Refusal for a value that would end its header, or is in no header's character set."""
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise Refusal(f"What {name} would hold does not go into a header: one line of ASCII does.")
    return dict(headers)
