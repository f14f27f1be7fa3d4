"""PostgreSQL with PostGIS, nginx, and certificates for them: fixtures that tests have without importing them.

Both servers listen on loopback only, keep what they write in a folder of their own, and end with the tests.
"""

import datetime
import fcntl
import ipaddress
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local import debian
from tests import real_programs
from tests.real_programs import free_port, listens, running

CLIENT_TIMEOUT_S = 60

FOLDERS = "groundwork-postgres-"
# A database is some 300 files: in memory it is copied in a tenth of the time. Containers often have 64 MB there.
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 * 1024**3

SUPERUSER = "postgres"
# As on RDS: who owns the databases may make databases and roles, but is no superuser.
MASTER = "master"
MASTER_GRANTS = "pg_monitor, pg_signal_backend"

# Only what goes to a superuser by the socket is not asked for a password, and TCP means TLS, as with `rds.force_ssl`.
ADMISSION = f"""
local   all {SUPERUSER}              trust
hostssl all all         127.0.0.1/32 scram-sha-256
"""
SETTINGS: Mapping[str, object] = {
    "listen_addresses": "127.0.0.1",
    "ssl": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": 50,
    "max_prepared_transactions": 10,
    "shared_buffers": "64MB",
    # Nothing here has to outlive a power cut, and the machine's compiler of queries may be missing.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "jit": "off",
    # A vacuum of its own would hold a template that is being copied, and change what a test counts.
    "autovacuum": "off",
}


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """PEM files; the certificate is its own authority."""

    certificate: Path
    key: Path


def certificate(folder: Path, *names: str, valid_days: int = 1) -> Certificate:
    """For `names` (host names and addresses), from yesterday on for `valid_days` days more; below 0 it has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1 + max(0, -valid_days)))
        .not_valid_after(now + datetime.timedelta(days=valid_days))
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(certificate=folder / "certificate.pem", key=folder / "key.pem")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def nginx_server(folder: Path, servers: str, *, port: int) -> Generator[None]:
    """An nginx with `servers` (what stands in `http`; one of them listens on 127.0.0.1:`port`) until the body ends."""
    found = real_programs.program("nginx")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"""
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
access_log off;
default_type text/plain;
{temporary}
{servers}
}}
""",
        encoding="utf-8",
    )
    command = [found.path, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
    with running(
        command, ready=lambda: listens(port), log=folder / "nginx.log", environment=found.environment
    ):
        yield


class Refused(Exception):
    """What a client of PostgreSQL said before it failed."""


@dataclass(kw_only=True)
class Postgres:
    """A server of its own for one process of tests. Each test asks it for databases."""

    program: debian.Program
    folder: Path
    port: int
    authority: Path
    passwords: dict[str, str] = field(default_factory=dict)
    _templates: dict[tuple[str, ...], str] = field(default_factory=dict)
    _lasting_roles: set[str] = field(default_factory=set)
    _made: int = 0
    _standing: int = 0

    def client(
        self, name: str, *arguments: str | Path, database: str, user: str = SUPERUSER, text: str = ""
    ) -> str:
        """What psql, pg_dump or another client answered. `text` goes to its standard input. Raises Refused."""
        environment = {**self.environment(database, user), **self.program.environment}
        command = [_beside(self.program, name), *arguments]
        return _run(command, folder=self.folder, environment=environment, text=text)

    def keywords(self, database: str, user: str) -> dict[str, str]:
        """libpq's, to come to `database` as `user`: with a password by TLS, else by the socket."""
        keywords = {"dbname": database, "user": user, "port": str(self.port), "connect_timeout": "10"}
        if user not in self.passwords:
            return {**keywords, "host": str(self.folder)}
        return {
            **keywords,
            "host": "localhost",
            "hostaddr": "127.0.0.1",
            "password": self.passwords[user],
            "sslmode": "verify-full",
            "sslrootcert": str(self.authority),
        }

    def environment(self, database: str, user: str) -> dict[str, str]:
        """The same for programs."""
        keywords = self.keywords(database, user)
        return {
            "PGDATABASE": keywords.pop("dbname"),
            **{f"PG{key.upper()}": keywords[key] for key in keywords},
        }

    def sql(self, text: str, *, database: str = "postgres", user: str = SUPERUSER) -> str:
        """The rows, a line each, with `|` between the columns. Raises Refused at the first statement that fails."""
        options = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
        return self.client("psql", *options, database=database, user=user, text=text).rstrip("\n")

    def role(self, name: str, options: str = "") -> str:
        """A role that may log in with a password, known to `passwords`; its name."""
        self.passwords[name] = secrets.token_urlsafe(16)
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{self.passwords[name]}' {options}")
        return name

    @contextmanager
    def database(self, *extensions: str) -> Generator["Database"]:
        """One that nobody else has, MASTER's own, with `extensions`, until the body ends.

        A superuser made the extensions: RDS lets its master user make every one, PostgreSQL only the trusted.
        Roles are the whole server's: what was made since there was no such database goes with the last of them.
        """
        if not self._standing:
            self._lasting_roles = self._roles()
        database = self._new(self._template(extensions) if extensions else "template1")
        self._standing += 1
        try:
            yield database
        finally:
            self._standing -= 1
            self.sql(f"DROP DATABASE {database.name} WITH (FORCE)")
            if not self._standing:
                passing = sorted(self._roles() - self._lasting_roles)
                self.sql("".join(f'DROP ROLE "{name}";\n' for name in passing))
                self.passwords = {name: self.passwords[name] for name in self.passwords.keys() - set(passing)}

    def _roles(self) -> set[str]:
        return set(self.sql("SELECT rolname FROM pg_roles").splitlines())

    def _template(self, extensions: Iterable[str]) -> str:
        """Copied in a tenth of the time that PostGIS takes to be made."""
        wanted = tuple(sorted(set(extensions)))
        if wanted not in self._templates:
            made = self._new("template1")
            made.sql("".join(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE;\n' for name in wanted))
            self._templates[wanted] = made.name
        return self._templates[wanted]

    def _new(self, template: str) -> "Database":
        self._made += 1
        database = Database(server=self, name=f"test_{self._made}")
        self.sql(f"CREATE DATABASE {database.name} OWNER {MASTER} TEMPLATE {template}")
        return database


@dataclass(frozen=True, kw_only=True)
class Database:
    server: Postgres
    name: str

    def sql(self, text: str, *, user: str = SUPERUSER) -> str:
        return self.server.sql(text, database=self.name, user=user)

    def client(self, name: str, *arguments: str | Path, user: str = SUPERUSER) -> str:
        return self.server.client(name, *arguments, database=self.name, user=user)

    def keywords(self, user: str) -> dict[str, str]:
        return self.server.keywords(self.name, user)

    def environment(self, user: str) -> dict[str, str]:
        return self.server.environment(self.name, user)


def _beside(postgres: debian.Program, name: str) -> Path:
    # On PATH there may be a link to the server, and wrappers that choose another version's clients.
    return postgres.path.resolve().parent / name


def nobody() -> dict[str, Any]:
    """Popen's arguments for the user that PostgreSQL runs as; it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def temporary_folder(parent: Path | None = None) -> Generator[Path]:
    """Of the user that PostgreSQL runs as, until the body ends; what tests that were killed left there goes, too.

    pytest's own folders are closed to that user.
    """
    parent = parent or Path(tempfile.gettempdir())
    for left in parent.glob(f"{FOLDERS}*/lock"):
        with suppress(OSError), left.open(encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=FOLDERS, dir=parent) as name,
        (Path(name) / "unlocked").open("w", encoding="utf-8") as lock,
    ):
        folder = Path(name)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "unlocked").rename(folder / "lock")
        _give(folder)
        yield folder


def _give(*paths: Path) -> None:
    user = nobody()
    for path in paths if user else ():
        os.chown(path, user["user"], user["group"])


def memory() -> Path | None:
    """Where files are in memory, if one may write there and there is room."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        return MEMORY
    return None


@contextmanager
def within_reach(found: debian.Program) -> Generator[debian.Program]:
    """The program, or a copy, until the body ends, of what was unpacked where only root may enter."""
    try:
        _run(
            [_beside(found, "postgres"), "--version"],
            folder=Path("/"),
            environment=found.environment,
            user=nobody(),
        )
    except PermissionError:
        if found.root is None:
            pytest.fail(f"{found.path} is where only root may enter, and PostgreSQL refuses to be root.")
        with temporary_folder() as folder:
            shutil.copytree(found.root, folder / "postgres", symlinks=True)
            copy = debian.unpacked("postgres", folder / "postgres")
            assert copy
            yield copy
    else:
        yield found


def _run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    text: str = "",
    user: Mapping[str, Any] | None = None,
) -> str:
    caller = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**caller, **environment},
        input=text,
        capture_output=True,
        text=True,
        timeout=CLIENT_TIMEOUT_S,
        check=False,
        **(user or {}),
    )
    if done.returncode:
        raise Refused(done.stderr.strip())
    return done.stdout


@contextmanager
def postgres_server(found: debian.Program) -> Generator[Postgres]:
    """A PostgreSQL whose databases are empty, until the body ends."""
    with within_reach(found) as program, temporary_folder(memory()) as folder:
        data = folder / "data"
        data.mkdir()
        files = certificate(folder, "localhost", "127.0.0.1")
        _give(data, files.certificate, files.key)
        server = Postgres(program=program, folder=folder, port=free_port(), authority=files.certificate)
        options = ["--no-sync", "--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C.UTF-8"]
        command = [_beside(program, "initdb"), "--pgdata", data, *options]
        _run(command, folder=folder, environment=program.environment, user=nobody())
        (data / "pg_hba.conf").write_text(ADMISSION, encoding="utf-8")
        settings = {
            **SETTINGS,
            "port": server.port,
            "unix_socket_directories": folder,
            "ssl_cert_file": files.certificate,
            "ssl_key_file": files.key,
        }
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        with running(
            [_beside(program, "postgres"), "-D", data],
            ready=lambda: _answers(server),
            log=folder / "postgres.log",
            environment=program.environment,
            user=nobody(),
        ):
            server.role(MASTER, f"CREATEDB CREATEROLE IN ROLE {MASTER_GRANTS}")
            yield server


def _answers(server: Postgres) -> bool:
    try:
        server.client("pg_isready", database="postgres")
    except Refused:
        return False
    return True


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    with postgres_server(real_programs.program("postgres")) as server:
        yield server


@pytest.fixture
def new_database(postgres: Postgres) -> Generator[Callable[..., Database]]:
    """`new_database("postgis")`: a database with these extensions, gone when the test ends."""
    with ExitStack() as databases:
        yield lambda *extensions: databases.enter_context(postgres.database(*extensions))
