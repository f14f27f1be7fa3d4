"""The gRPC side of a provider plugin: the same for `aws` and `random`.

Pulumi's own framework (`pulumi.provider.experimental`) drops a diff's old inputs and puts a Python traceback under
each error, so requests are answered here directly.
"""

import os
import signal
import traceback
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2 as generated
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local.provider.cloud import Refusal
from local.provider.differences import Difference
from local.provider.values import decode, encode

EMPTY: Any = vars(generated)["Empty"]()  # made at import: a type checker sees nothing in it
_THREADS = (
    12  # more than the two calls that the emulator's process can work on, so that none waits for a slow one
)


def sentences(method: Callable[..., Any]) -> Callable[..., Any]:
    """Ends a request that cannot be met with the sentence that says why."""

    def answered(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Refusal as refusal:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))
        except Exception as problem:
            frame = traceback.extract_tb(problem.__traceback__)[-1]
            where = f"{Path(frame.filename).name}:{frame.lineno}"
            context.abort(
                grpc.StatusCode.INTERNAL,
                f"a fault in the emulator's provider ({where}): {type(problem).__name__}: {problem}",
            )

    return answered


def detailed(difference: Difference, *, replaces: bool) -> provider_pb2.PropertyDiff:
    kind = difference.kind.upper() + ("_REPLACE" if replaces else "")
    return provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(kind), inputDiff=True)


def diff_response(
    found: list[Difference], replaces: list[str], *, delete_first: bool = False
) -> provider_pb2.DiffResponse:
    some = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some,
        replaces=replaces,
        diffs=sorted({item.name for item in found}),
        deleteBeforeReplace=delete_first,
        detailedDiff={item.path: detailed(item, replaces=item.path in replaces) for item in found},
        hasDetailedDiff=True,
    )


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """What every provider answers alike."""

    def __init__(self, version: str) -> None:
        self._version = version

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: ARG002
        return plugin_pb2.PluginInfo(version=self._version)

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return EMPTY

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return EMPTY

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: ARG002
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: ARG002
        same = decode(request.olds) == decode(request.news)
        some = provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=some)

    @sentences
    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:  # noqa: ARG002
        raise Refusal(
            f"the program looks up {request.tok}: nothing is looked up while it runs, so that every stack previews "
            f"offline; put the value into the settings"
        )


def configured() -> provider_pb2.ConfigureResponse:
    return provider_pb2.ConfigureResponse(
        acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
    )


def created(resource_id: str, properties: dict[str, Any]) -> provider_pb2.CreateResponse:
    return provider_pb2.CreateResponse(id=resource_id, properties=encode(properties))


def serve(servicer: Servicer) -> None:
    """Prints the port, as the engine expects, and answers until the engine ends the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()
