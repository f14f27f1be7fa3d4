"""What a value must be: long and varied enough, of no well-known default, and free of what a copy leaves behind.

The same words and figures as the policies' (`no-default-secrets`, `secret-min-strength`, `jwt-secret-strength`), which
judge what the program declares; these judge what an operator or a store's owner has put in. A test compares them.
"""

import base64
import json
import math
import re
import secrets
import string
from collections import Counter
from collections.abc import Iterator, Mapping

SHORTEST = 16
JWT_SHORTEST = 64
# Bits that the characters tell if each is drawn as often as it stands there: "aaaa..." has none, random hexadecimal 3.8
# a character. Far below what chance gives, so that no random value is refused.
LEAST_BITS = 36
JWT_LEAST_BITS = 192
SPECIAL = "-_.~"  # what the program's own generated values have: legal in URLs, RDS and Amazon MQ

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
CLASSES = {
    "an upper-case letter": str.isupper,
    "a lower-case letter": str.islower,
    "a digit": str.isdigit,
}


def is_jwt(name: str) -> bool:
    return "jwt" in name.lower()


def is_placeholder(value: str) -> bool:
    """Whether it is a default of a product, or words that ask for a value; of JSON, whether one of its texts is."""
    return any(text.lower() in DEFAULTS or PLACEHOLDER.search(text) for text in _texts(value))


def _texts(value: str) -> list[str]:
    """Of a login only the password: `postgres` is a good user, and a bad password."""
    fields = fields_of(value)
    if fields is None or isinstance(fields.get("password"), str):
        return [password_of(value)]
    return list(_within(fields))


def _within(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping | list):
        for each in content.values() if isinstance(content, Mapping) else content:
            yield from _within(each)


def fields_of(value: str) -> Mapping[str, object] | None:
    """Those of a JSON object; None for any other text."""
    try:
        content = json.loads(value)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def password_of(value: str) -> str:
    """Of a login (JSON with `password`) that; of another value itself."""
    password = (fields_of(value) or {}).get("password")
    return password if isinstance(password, str) else value


def problems(name: str, value: str, *, least: int, has_classes: bool) -> Iterator[str]:
    """What is wrong with a value, as the end of a sentence that begins with its name. The value is not told.

    `least` is its least length in characters, `has_classes` whether it must have upper, lower and digits.
    """
    if not value.strip():
        yield "is empty"
        return
    if is_placeholder(value):
        yield "is a default or a placeholder"
    yield from _left_by_copying(value)
    judged = password_of(value)
    least = max(least, JWT_SHORTEST) if is_jwt(name) else least
    if len(judged) < least:
        yield f"has {len(judged)} characters of at least {least}"
    if has_classes:
        lacking = [what for what, is_one in CLASSES.items() if not any(map(is_one, judged))]
        if lacking:
            yield f"lacks {', '.join(lacking)}"
    if len(judged) >= least and bits(judged) < (JWT_LEAST_BITS if is_jwt(name) else LEAST_BITS):
        yield "repeats few characters, so it can be guessed"


def _left_by_copying(value: str) -> Iterator[str]:
    if value != value.strip():
        yield "begins or ends with white space, which programs take for a part of it"
    is_block = value.lstrip().startswith(("{", "[", "-----BEGIN"))
    if not is_block and ("\n" in value.strip() or "\r" in value.strip()):
        yield "has a line break in it (`openssl rand -base64` makes one after 64 characters; `-A` does not)"


def bits(value: str) -> float:
    counts = Counter(value)
    return -sum(count * math.log2(count / len(value)) for count in counts.values())


def password(length: int) -> str:
    """Letters, digits and `-_.~`, each of the classes at least once. `length` is 16 or more."""
    classes = (string.ascii_uppercase, string.ascii_lowercase, string.digits, SPECIAL)
    while True:
        made = "".join(secrets.choice("".join(classes)) for _ in range(length))
        if all(any(sign in each for sign in made) for each in classes):
            return made


def from_bytes(number: int) -> str:
    """So many random bytes in base64, on one line."""
    return base64.b64encode(secrets.token_bytes(number)).decode()
