"""What is asked of a service after a release, beside its health: `groundwork verify` asks it. Nothing is made of it."""

from collections.abc import Mapping
from typing import Annotated

from settings.model.fields import Matching, Model, Name, PlainPath, Text, in_system

JsonKey = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        "a key of the answer, with dots into what is within it; an entry of a list by its number",
        "services.database",
    ),
]
HeaderName = Annotated[str, Matching(r"^[A-Za-z0-9-]+$", "the name of a header", "x-api-key")]


class KeyCheck(Model):
    """A key in a header, which opens the protected path."""

    header: HeaderName = in_system("The header that carries it, such as x-api-key")
    secret: Name = in_system("The secret of `secrets` that holds the key")


class LoginCheck(Model):
    """A login by POST, whose answer holds a token; `Authorization: Bearer` and the token open the protected path."""

    path: PlainPath = in_system("Where the login is sent, such as /api/auth/login")
    secret: Name = in_system(
        "The external secret that holds what is sent: a JSON object, such as e-mail and password of a user for tests"
    )
    token: JsonKey = in_system("Where the token is in the answer", default="token")


class AuthCheck(Model):
    """A path that is not for everybody. Whoever brings nothing, or something wrong, is answered 401 or 403."""

    path: PlainPath = in_system("The protected path, asked with GET")
    key: KeyCheck | None = in_system("A key opens it", default=None)
    login: LoginCheck | None = in_system("A login opens it", default=None)


class Checks(Model):
    """Left out: the service is asked its health path only."""

    answers: Mapping[PlainPath, Mapping[JsonKey, Text]] = in_system(
        "Paths that answer 200, and what stands in their JSON: /api/health: {status: healthy, database: connected}; "
        "{} where the status says enough",
        default={},
    )
    start_text: Text | None = in_system(
        "What every task writes to its log once it serves, such as Server started on port 3000; none: nothing is "
        "looked for",
        default=None,
    )
    auth: AuthCheck | None = in_system("How it keeps strangers out; none: that is not tried", default=None)
    cors_credentials: bool = in_system(
        "It lets pages of the declared origins send cookies and Authorization (RentalFix guide L406)",
        default=False,
    )
