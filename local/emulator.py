"""The AWS emulator of the embedded default: moto's server on loopback, with our repairs and two routes of our own.

`python -m local.emulator --port 4566 --log .local/emulator.log`

- `/groundwork/identity` says that it is ours: which repository it serves, its process, and a random id per start.
- `/groundwork/records/<type>[/<id>]` keeps what moto has no API for; like the rest, it is gone with the process.
- `/groundwork/creations` lists the creations it has answered, by the resource's URN: a provider whose run was
  interrupted asks for the same answer again (header `X-Groundwork-Creation`), instead of making a thing twice.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIEnvironment

MARKER = "groundwork-emulator"
ROOT = Path(__file__).resolve().parent.parent

# Read by moto at import: AWS's managed policies exist, and a certificate is issued after a second.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
os.environ.setdefault("MOTO_ACM_VALIDATION_WAIT", "1")

WsgiApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class Reply:
    status: str
    headers: list[tuple[str, str]]
    body: bytes


def as_json(status: str, content: Any) -> Reply:
    return Reply(status, [("Content-Type", "application/json")], json.dumps(content).encode())


class Emulator:
    """A WSGI application around moto's."""

    def __init__(self, moto: WsgiApp, root: Path = ROOT) -> None:
        self._backends = moto
        # moto walks through dictionaries that another request may be adding to; one at a time costs nothing, since
        # Python runs one of its threads at a time anyway.
        self._turn = threading.Lock()
        self._identity = {"marker": MARKER, "pid": os.getpid(), "boot": uuid.uuid4().hex, "root": str(root)}
        self._lock = threading.Lock()
        self._records: dict[str, dict[str, Any]] = {}
        self._creations: dict[str, tuple[dict[str, str], Reply]] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        mark = environ.get("HTTP_X_GROUNDWORK_CREATION")
        if mark:
            reply = self._creation(json.loads(mark), environ)
        elif environ["PATH_INFO"].startswith("/groundwork/"):
            reply = self._own(environ)
        else:
            if environ["PATH_INFO"] == "/moto-api/reset":
                self._forget()
            return self._moto(environ, start_response)
        start_response(reply.status, [*reply.headers, ("Content-Length", str(len(reply.body)))])
        return [reply.body]

    def _moto(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._turn:
            return self._backends(environ, start_response)

    def _forget(self) -> None:
        with self._lock:
            self._records.clear()
            self._creations.clear()

    def _creation(self, mark: dict[str, Any], environ: WSGIEnvironment) -> Reply:
        """Answers a creation, or repeats the answer that it gave before."""
        urn = mark["urn"]
        if mark["replay"] and urn in self._creations:
            earlier = self._creations[urn][1]
            return Reply(earlier.status, [*earlier.headers, ("X-Groundwork-Replayed", "1")], earlier.body)
        if environ["PATH_INFO"].startswith("/groundwork/"):
            reply = self._own(environ)
        else:
            reply = _collected(self._moto, environ)
        if reply.status.startswith("2"):
            with self._lock:
                self._creations[urn] = (mark["names"], reply)
        return reply

    def _own(self, environ: WSGIEnvironment) -> Reply:
        place = environ["PATH_INFO"].removeprefix("/groundwork/")
        if place == "identity":
            return as_json("200 OK", self._identity)
        if place == "creations":
            with self._lock:
                listed = [{"urn": urn, "names": names} for urn, (names, _) in self._creations.items()]
            return as_json("200 OK", listed)
        if place == "records":
            with self._lock:
                return as_json(
                    "200 OK", {kind: sorted(found) for kind, found in self._records.items() if found}
                )
        if place.startswith("creations/") and environ["REQUEST_METHOD"] == "DELETE":
            with self._lock:
                self._creations.pop(unquote(_raw_path(environ).removeprefix("/groundwork/creations/")), None)
            return as_json("200 OK", {})
        if place.startswith("records/"):
            return self._record(environ)
        return as_json("404 Not Found", {"message": f"no such route: {place}"})

    def _record(self, environ: WSGIEnvironment) -> Reply:
        kind, _, record_id = _raw_path(environ).removeprefix("/groundwork/records/").partition("/")
        return self._kept(environ, unquote(kind), unquote(record_id))

    def _kept(self, environ: WSGIEnvironment, kind: str, record_id: str) -> Reply:
        method = environ["REQUEST_METHOD"]
        body = _body(environ) if method in ("POST", "PUT") else {}
        with self._lock:
            records = self._records.setdefault(kind, {})
            if method == "POST":
                if body["id"] in records:
                    return as_json("409 Conflict", {"message": f"{kind} {body['id']} exists"})
                records[body["id"]] = body["content"]
                return as_json("201 Created", {"id": body["id"]})
            if record_id not in records and method != "PUT":
                return as_json("404 Not Found", {"message": f"no {kind} {record_id}"})
            if method == "PUT":
                records[record_id] = body
            if method == "DELETE":
                del records[record_id]
                return as_json("200 OK", {})
            return as_json("200 OK", records[record_id])


def _raw_path(environ: WSGIEnvironment) -> str:
    """The path as it was sent: an id may hold an encoded slash."""
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ["PATH_INFO"]
    return raw.partition("?")[0]


def _body(environ: WSGIEnvironment) -> Any:
    return json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"null")


def _collected(app: WsgiApp, environ: WSGIEnvironment) -> Reply:
    head: list[Any] = []
    parts = app(environ, lambda status, headers, _=None: head.extend((status, headers)) or (lambda _: None))
    body = b"".join(parts)
    kept = [(name, value) for name, value in head[1] if name.lower() != "content-length"]
    return Reply(head[0], kept, body)


def serve(port: int) -> None:
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - after the variables above are set
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    from local import emulator_repairs  # noqa: PLC0415

    class Quiet(MotoRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Thousands of request lines help nobody."""

    def repaired(service: Any) -> Any:
        emulator_repairs.apply(service)
        return create_backend_app(service)

    app = Emulator(DomainDispatcherApplication(repaired))
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        # There is nothing to save, and a request that is being answered has nobody left to read it.
        logging.shutdown()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.emulator", description="The local AWS emulator.")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--log", type=Path, help="where warnings and errors go; standard error if not given")
    arguments = parser.parse_args()
    where: dict[str, Any] = {"filename": arguments.log} if arguments.log else {"stream": sys.stderr}
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", **where)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    serve(arguments.port)


if __name__ == "__main__":
    main()
