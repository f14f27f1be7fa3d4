"""A part of the screen, and the platform that all parts ask at once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from operations.platform import Platform
from operations.show import Row

_MAKING = threading.Lock()


@dataclass
class Part:
    """What one part of the screen has found. `needs` are sentences for somebody, `problem` why it was not looked at.

    `notes` are worth a line and nobody's work.
    """

    rows: list[Row] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "needs": self.needs, "notes": self.notes, "problem": self.problem}


class Asked(Platform):
    """A platform whose clients several threads share, and that rather hears nothing than waits long."""

    @cached_property
    def _clients(self) -> dict[tuple[str, str], Any]:
        return {}

    def client(self, service: str, *, region: str | None = None) -> Any:
        # To make a client is not safe among threads, to use one is (boto3 guide, "Multithreading or multiprocessing").
        key = service, region or self.region
        with _MAKING:
            if key not in self._clients:
                self._clients[key] = self._made(*key)
            return self._clients[key]

    def _made(self, service: str, region: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415 so that `--help` stays quick

        quick = Config(
            # What the emulator does not have it refuses again and again.
            retries={"mode": "standard", "total_max_attempts": 1 if self.endpoint_url else 3},
            connect_timeout=3,
            read_timeout=10,
            max_pool_connections=20,
        )
        return self._session.client(service, region_name=region, endpoint_url=self.endpoint_url, config=quick)


Look = Callable[[Platform], Part]
