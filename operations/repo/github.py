"""GitHub's REST API (https://docs.github.com/en/rest), asked and never changed."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from operations.platform import Refusal
from operations.web_api import NoRedirect, body_of, message, reason

PUBLIC = "https://api.github.com"
VERSION = "2022-11-28"  # of the API, by the header X-GitHub-Api-Version
ADDRESS = "GITHUB_API_URL"
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")  # in the order of GitHub's own command `gh`
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TRIES = 3
PAUSE_S = 2
PER_PAGE = 100
MAX_BYTES = 10 * 1024**2


@dataclass(frozen=True)
class Untold:
    """GitHub does not tell: not here (404), not with this token (403), or by another name (301)."""

    code: int
    said: str

    def __str__(self) -> str:
        return f"{self.said} ({self.code})"

    @property
    def is_not_in_the_plan(self) -> bool:
        """A private repository of GitHub's Free plan has no protection at all."""
        return self.code == 403 and self.said.startswith("Upgrade to GitHub")


@dataclass(frozen=True)
class Github:
    """`token` is empty for the public; `named` is the variable that it is from. `repr` leaves it out."""

    address: str = PUBLIC
    token: str = field(default="", repr=False)
    named: str = ""
    sleep: Callable[[float], object] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def asker(self) -> str:
        return f"the token in {self.named}" if self.token else f"the public ({TOKENS[0]} is not set)"

    def get(self, path: str) -> Any:
        """The answer, None for one without content, or Untold. Raises Refusal where nothing can be asked."""
        for number in range(TRIES):
            if number:
                self.sleep(PAUSE_S * number)
            try:
                body = body_of(self._request(path), NoRedirect(), most_bytes=MAX_BYTES)
                return json.loads(body) if body else None
            except urllib.error.HTTPError as refused:
                if refused.code < 500:
                    return self._untold(path, refused)
                code = refused.code
            except (OSError, HTTPException) as problem:
                raise Refusal(
                    f"GitHub at {self.address} cannot be reached: {self._kept(reason(problem))}. Look at the network "
                    f"and at {ADDRESS}."
                ) from None
            except ValueError:
                raise Refusal(
                    f"What {self.address} gives for {path} is no JSON: it is not GitHub's API. Look at {ADDRESS}."
                ) from None
        raise Refusal(
            f"GitHub answered {code} to GET {path}, {TRIES} times. https://www.githubstatus.com says what is the "
            "matter; run the same command later."
        )

    def pages(self, path: str) -> list[Any] | Untold:
        """Every page of a list, in one."""
        found: list[Any] = []
        while True:
            page = self.get(f"{path}?per_page={PER_PAGE}&page={len(found) // PER_PAGE + 1}")
            if isinstance(page, Untold):
                return page
            found += page
            if len(page) < PER_PAGE:
                return found

    def _request(self, path: str) -> urllib.request.Request:
        headers = {
            "Accept": "application/vnd.github+json",
            "User-Agent": "groundwork-repo",
            "X-GitHub-Api-Version": VERSION,
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return urllib.request.Request(self.address + path, headers=headers)

    def _untold(self, path: str, refused: urllib.error.HTTPError) -> Untold:
        said = self._kept(message(refused))
        if refused.code == 401:
            raise Refusal(f"GitHub does not take {self.asker}: {said} (401). Set one that is valid.")
        if is_limit(refused.code, refused.headers, said):
            more = "" if self.token else f" {TOKENS[0]} with a token may ask more often than the public."
            raise Refusal(
                f"GitHub takes no more questions of {self.asker}: {said} ({refused.code}). Ask again "
                f"{_again(refused.headers, self.now())}.{more}"
            )
        if refused.code not in (301, 302, 307, 308, 403, 404):
            raise Refusal(f"GitHub refused GET {path}: {said} ({refused.code}).")
        return Untold(refused.code, said)

    def _kept(self, text: str) -> str:
        """Without the token, should somebody on the way repeat it."""
        return text.replace(self.token, "***") if self.token else text


def connected(environment: Mapping[str, str]) -> Github:
    """GitHub as the environment names it. Raises Refusal for an address or a token that cannot be one."""
    named = next((name for name in TOKENS if environment.get(name)), "")
    token = environment.get(named, "").strip()
    # Anything else is quoted in http.client's own refusal.
    if not re.fullmatch(r"[!-~]*", token):
        raise Refusal(f"{named} holds no token: a token is one word of ASCII characters. Set it anew.")
    return Github(_address(environment.get(ADDRESS) or PUBLIC), token, named)


def _address(given: str) -> str:
    if "@" in given:
        raise Refusal(f"{ADDRESS} holds a login. Leave it out there, and set {TOKENS[0]} to a token.")
    try:
        told = urlsplit(given)
        host = told.hostname
    except ValueError:
        told, host = urlsplit(""), None
    is_safe = told.scheme == "https" or (told.scheme == "http" and host in LOOPBACK)
    if not is_safe or not host or told.query or told.fragment:
        raise Refusal(
            f"{ADDRESS} is {given}, and a token goes by HTTPS alone. Say the address of the API, like {PUBLIC} or "
            "https://github.acme.com/api/v3."
        )
    return given.rstrip("/")


def is_limit(code: int, headers: Message, said: str) -> bool:
    """GitHub says so with either code ("Rate limits for the REST API"), the secondary limit by its message."""
    is_used_up = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return code == 429 or (code == 403 and (is_used_up or "rate limit" in said.lower()))


def _again(headers: Message, now: datetime) -> str:
    pause, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if pause.isdecimal():
        return f"in {pause} s"
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        end = datetime.fromtimestamp(int(reset), UTC)
        return f"after {end:%H:%M:%S} UTC, in {max(1, round((end - now).total_seconds()))} s"
    return "in a minute"
