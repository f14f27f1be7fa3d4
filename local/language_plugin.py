"""Pulumi's language plugin for Python, on the SDK's own LanguageServer.

The official one is not in a package registry. Left out on purpose: debuggers, project templates, package
generation and `pulumi install`; the packages are in `.venv` already.
"""

# ruff: noqa: ARG002 - the signatures are those of the protocol

import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import grpc
import pulumi
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc


def program(entry: Path) -> None:
    """Runs a Pulumi program. An exception that nobody expected becomes one message, with the program's own frames."""
    try:
        runpy.run_path(str(entry), run_name="__main__")
    except pulumi.RunError:
        raise
    except SystemExit as leaving:
        if leaving.code:
            raise pulumi.RunError(f"the program ended with exit code {leaving.code}") from None
    except Exception as error:  # whatever it is, the reader wants the program's own frames and no others
        frames = traceback.extract_tb(error.__traceback__)
        outside = (__file__, "<frozen runpy>", runpy.__file__)
        own = [frame for frame in frames if frame.filename not in outside]
        text = "".join(traceback.format_list(own) + traceback.format_exception_only(error))
        raise pulumi.RunError(f"the program failed:\n{text}") from None


class Python(LanguageServer):
    """One program, or one policy pack, per process: the engine starts a plugin for each."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        installed = sorted((found.metadata["Name"], found.version) for found in metadata.distributions())
        listed = [language_pb2.DependencyInfo(name=name, version=version) for name, version in installed]
        return language_pb2.GetProgramDependenciesResponse(dependencies=listed)

    def Run(self, request: Any, context: Any) -> Any:
        folder = request.info.program_directory
        entry = Path(folder, request.info.entry_point or ".")
        os.chdir(request.pwd)
        sys.path.insert(0, folder)
        sys.argv = [str(entry), *request.args]
        # LanguageServer.Run looks here for the engine's address, and has logged an error when it returns one.
        request.args[:] = [self.engine]
        self.program = lambda: program(entry)
        response = super().Run(request, context)
        return language_pb2.RunResponse(bail=True) if response.error else response

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """A policy pack: the SDK's analyzer in a process of its own, its output passed on as it comes."""
        folder = request.info.program_directory or request.program
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args, folder],
            cwd=request.pwd,
            env={**os.environ, **dict(pair.split("=", 1) for pair in request.env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.kill)
        chunks: queue.Queue[Any] = queue.Queue()

        def pump(stream: IO[bytes], response: Callable[[bytes], Any]) -> None:
            while chunk := os.read(stream.fileno(), 4096):
                chunks.put(response(chunk))
            chunks.put(None)

        pumps = (
            (process.stdout, lambda chunk: language_pb2.RunPluginResponse(stdout=chunk)),
            (process.stderr, lambda chunk: language_pb2.RunPluginResponse(stderr=chunk)),
        )
        for arguments in pumps:
            threading.Thread(target=pump, args=arguments, daemon=True).start()
        still_open = len(pumps)
        while still_open:
            chunk = chunks.get()
            if chunk is None:
                still_open -= 1
            else:
                yield chunk
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def main() -> None:
    # SIGINT is how the engine ends a plugin; one that stays makes every command wait for ten seconds.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    server = grpc.server(futures.ThreadPoolExecutor(8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Python(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
