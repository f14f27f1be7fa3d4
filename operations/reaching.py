"""What commands have in common that go into a store itself: their options, and the two ends of a tunnel."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from operations.platform import Refusal

Reach = TypeVar("Reach")
Store = TypeVar("Store")
Command = Callable[..., None]


def taking(
    reach: type[Reach], enter: Callable[[Reach], AbstractContextManager[Store]]
) -> Callable[[Command], Command]:
    """A decorator that gives a command an option for each field of the dataclass `reach`.

    What `enter` makes of them is the command's first argument, for as long as it runs.
    """
    of_reach = inspect.signature(reach, eval_str=True).parameters

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def taken(**given: Any) -> None:
            with enter(reach(**{name: given.pop(name) for name in of_reach})) as store:
                command(store, **given)

        signature = inspect.signature(command, eval_str=True)
        _, *own = (
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()
        )
        shown = [*own, *of_reach.values()]
        # Typer reads these: arguments of the command's own first, as `--help` shows them.
        taken.__signature__ = signature.replace(parameters=shown)  # ty: ignore[missing-attribute]
        taken.__annotations__ = {each.name: each.annotation for each in shown}
        return taken

    return decorate


def tunnel_end(via: str, *, example_port: int) -> tuple[str, int]:
    """Host and port of --via. Raises Refusal for what is not HOST:PORT."""
    host, _, port = via.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit():
        raise Refusal(f"--via is HOST:PORT, such as localhost:{example_port}, and not {via}.")
    return host, int(port)
