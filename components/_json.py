"""JSON documents that hold Outputs: one Output for the whole text.

`pulumi.Output.json_dumps` makes an Output of every object, list and leaf; a stack has thousands of those, and the
SDK looks at each again and again while it waits.
"""

import json
from typing import Any

import pulumi


def dumps(document: Any) -> pulumi.Output[str]:
    """The document as JSON, known when every Output in it is; secret when one of them is."""
    outputs: list[pulumi.Output[Any]] = []
    _collect(document, outputs)
    return pulumi.Output.all(*outputs).apply(lambda known: json.dumps(_filled(document, iter(known))))


def _collect(node: Any, outputs: list[pulumi.Output[Any]]) -> None:
    if isinstance(node, pulumi.Output):
        outputs.append(node)
    elif isinstance(node, dict):
        for value in node.values():
            _collect(value, outputs)
    elif isinstance(node, list | tuple):
        for value in node:
            _collect(value, outputs)


def _filled(node: Any, known: Any) -> Any:
    """The node with the next known values in the places of its Outputs, in the order of `_collect`."""
    if isinstance(node, pulumi.Output):
        return next(known)
    if isinstance(node, dict):
        return {key: _filled(value, known) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_filled(value, known) for value in node]
    return node
