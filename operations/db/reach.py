"""How a command comes to a stack's database: whose login, which way, and that nobody else answers.

Always by TLS. With a bundle of authorities (`--ca`) the server's name is checked against its certificate, through a
tunnel too. Without one the server must at least prove that it knows the password (SCRAM), so no impostor learns it.
"""

import ipaddress
import json
import os
import re
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    SYSTEM,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
)
from operations.policy.stacks import unknown
from operations.reaching import taking, tunnel_end
from operations.show import waiting
from operations.waits import ended_politely

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[dict[str, Any]]

CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_S = 10
TUNNEL_PORT = 15432
BUNDLE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
GET_BUNDLE = f"`curl -fsSO {BUNDLE}`, then --ca global-bundle.pem"
# The machine's own trust store, in libpq's word: what a proxy's certificate is checked against.
SYSTEM_STORE = "system"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a command line says of it; `reaching` makes an option of each field."""

    system: SystemOption = SYSTEM
    stack: StackOption = LOCAL
    outputs: OutputsOption = None
    role: Annotated[
        str | None,
        typer.Option(help="Log in as this role of the stack. Left out: as the master user."),
    ] = None
    proxy: Annotated[
        bool,
        typer.Option(
            "--proxy",
            help="By the connection proxy, as a role: all that the tasks of services may reach. With --ca system.",
        ),
    ] = False
    via: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Where a tunnel to the database begins; its name stays checked."
        ),
    ] = None
    ca: Annotated[
        str | None,
        typer.Option(
            envvar=["GROUNDWORK_DB_CA", "PGSSLROOTCERT"],
            help="PEM file of RDS' authorities (global-bundle.pem), or `system`: then the server's name is checked.",
        ),
    ] = None
    timeout: Annotated[
        int, typer.Option(min=1, help="Seconds that one question to the database may take.")
    ] = 30


ReplicaOption = Annotated[
    bool, typer.Option("--replica", help="Ask the first read replica instead of the primary.")
]


@dataclass(frozen=True, kw_only=True)
class Login:
    user: str
    password: str = field(repr=False)
    secret_arn: str


@dataclass(frozen=True)
class Database:
    """The database of a stack, as a command sees it."""

    platform: Platform
    reach: Reach

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """Its part of the outputs. Raises Refusal where the stack has none."""
        said = self.platform.outputs.get("database")
        if not said:
            raise Refusal(f"{self.platform} has no database of its own.")
        return said

    def address(self, *, replica: bool = False) -> str:
        """Raises Refusal where the stack has no replica, or no proxy."""
        if self.reach.proxy:
            return self._proxy_address(replica=replica)
        if not replica:
            return self.said["address"]
        if not self.said["replicaAddresses"]:
            raise Refusal(f"{self.platform} has no read replica. Leave out --replica.")
        return self.said["replicaAddresses"][0]

    def _proxy_address(self, *, replica: bool) -> str:
        if not self.said["proxyAddress"]:
            raise Refusal(f"{self.platform} has no connection proxy. Leave out --proxy.")
        if replica:
            raise Refusal("The connection proxy leads to the writer. Leave out --proxy or --replica.")
        return self.said["proxyAddress"]

    @cached_property
    def login(self) -> Login:
        """From Secrets Manager. Raises Refusal where there is no such role, or the secret holds something else."""
        role, arns = self.reach.role, self.said["roleSecretArns"]
        if self.reach.proxy and not role:
            raise Refusal(f"The connection proxy lets roles in only: --role {' or '.join(sorted(arns))}.")
        if role and role not in arns:
            raise Refusal(unknown("role", role, sorted(arns), of=" in this stack's outputs"))
        return self.read_login(arns[role] if role else self.said["masterSecretArn"])

    def read_login(self, secret_arn: str) -> Login:
        client = self.platform.client("secretsmanager")
        try:
            text = client.get_secret_value(SecretId=secret_arn).get("SecretString")
        except client.exceptions.ResourceNotFoundException as error:
            # AWS has one name for a secret that is not there, and for one that holds nothing.
            if "secret value" not in str(error):
                raise
            text = None
        try:
            content = json.loads(text or "")
            return Login(user=content["username"], password=content["password"], secret_arn=secret_arn)
        except (ValueError, TypeError, KeyError):
            raise Refusal(
                f"{secret_arn} holds no login (JSON with username and password), so nobody can log in with it. "
                "`groundwork db bootstrap` makes a role's; RDS, or `pulumi up` where there are replicas, the master's."
            ) from None

    @contextmanager
    def connect(
        self,
        *,
        replica: bool = False,
        read_only: bool = True,
        timeout_s: int | None = None,
        lock_timeout_s: int | None = None,
        catalog: bool = True,
    ) -> Generator["Connection"]:
        """A connection on which each statement is its own transaction, until the body ends; rows are dictionaries.

        A timeout of 0 lets a statement take, or wait for a lock, as long as it takes. `catalog` finds the server's
        own names only, so that nothing that a product put into `public` is run with the master user's rights.
        Raises Refusal.
        """
        import psycopg  # noqa: PLC0415 so that `--help` stays quick
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415
        from psycopg.rows import dict_row  # noqa: PLC0415

        seconds = self.reach.timeout if timeout_s is None else timeout_s
        options = {
            "statement_timeout": f"{seconds}s",
            "lock_timeout": f"{LOCK_TIMEOUT_S if lock_timeout_s is None else lock_timeout_s}s",
            "default_transaction_read_only": "on" if read_only else "off",
            **({"search_path": "pg_catalog"} if catalog else {}),
        }
        keywords = {
            **self.keywords(replica=replica),
            "password": self.login.password,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        }
        try:
            with waiting(f"Connecting to {keywords['host']}"), _libpq_by_itself():
                connection = psycopg.Connection[dict[str, Any]].connect(
                    make_conninfo(**keywords), autocommit=True, row_factory=dict_row
                )
        except psycopg.OperationalError as error:
            raise Refusal(self._unreached(str(error), replica=replica)) from None
        if self.reach.ca is None:
            typer.echo(
                f"Note: without --ca the server's name is not checked. RDS' authorities: {GET_BUNDLE}.",
                err=True,
            )
        try:
            yield connection
        finally:
            connection.close()

    def keywords(self, *, replica: bool = False) -> dict[str, str]:
        """libpq's, all but the password."""
        address, port = self.address(replica=replica), str(self.said["port"])
        return {
            "host": address,
            "port": port,
            **(_through(self.reach.via) if self.reach.via else {}),
            "dbname": self.said["name"],
            "user": self.login.user,
            "connect_timeout": str(CONNECT_TIMEOUT_S),
            "application_name": "groundwork",
            "keepalives_idle": "30",
            **transport(self.reach.ca),
        }

    def _unreached(self, error: str, *, replica: bool) -> str:
        """Why there is no connection, and what to do about it; libpq says it in a line or two."""
        where = f"{self.address(replica=replica)}:{self.said['port']}"
        through = f" through {self.reach.via}" if self.reach.via else ""
        text = " ".join(error.removeprefix("connection failed: ").split()).replace(self.login.password, "...")
        for pattern, remedy in _REMEDIES.items():
            if re.search(pattern, text):
                said = remedy.format(user=self.login.user, arn=self.login.secret_arn, where=where)
                return f"The database did not let us in ({text}). {said}"
        return f"The database at {where} cannot be reached from here{through} ({text}). {self.way_in()}"

    def way_in(self) -> str:
        """What somebody outside the stack's network does."""
        if self.platform.endpoint_url:
            return (
                "The local stack's database is only written down in the emulator, no PostgreSQL answers there: "
                "--via HOST:PORT leads to one of your own."
            )
        if self.reach.via:
            return "Look whether the tunnel still stands, and whether it leads to this address."
        tunnel = (
            f"`groundwork db tunnel{' --proxy' if self.reach.proxy else ''} --stack {self.platform.stack}` in a second "
            f"shell opens one through a running "
            f"task, and --via localhost:{TUNNEL_PORT} uses it"
        )
        if vpn := self.platform.outputs.get("vpn"):
            return (
                "Join the stack's VPN (`aws ec2 export-client-vpn-client-configuration --client-vpn-endpoint-id "
                f"{vpn}`). Or: {tunnel}."
            )
        return f"It is in a private network: {tunnel}."


# What libpq says, and what to do then. The order counts: the first that fits is told.
_REMEDIES = {
    r"authentication method requirement": (
        "It asks for the password in a way that would show it to an impostor, and without --ca nobody knows who asks. "
        f"Get RDS' authorities ({GET_BUNDLE})."
    ),
    r"authentication failed|is not permitted to log in|role .* does not exist": (
        "The password in {arn} is not that of {user}. A service's role gets its password by `groundwork db "
        "bootstrap`; that of a rotated master user is right a minute later."
    ),
    r"no pg_hba\.conf entry|does not support SSL": (
        "It lets nobody in that way: {user} may not come from here, or TLS is not what it expects."
    ),
    r"does not match host name": (
        "Somebody else answers there: the tunnel of --via leads to another server than {where}."
    ),
    r"root certificate|no certificate or crl found": f"--ca names no bundle of authorities. Get it: {GET_BUNDLE}.",
    r"(?i)certificate": f"Its certificate is of no authority in --ca. Get RDS' own: {GET_BUNDLE}.",
    r"database .* does not exist": "Name it as the stack has it in its outputs, or restore it.",
    r"too many (clients|connections)|connection slots": (
        "Every connection is taken. The services' pools are too large or one leaks: scale one down, then "
        "`groundwork db connections`."
    ),
    r"starting up|shutting down|recovery mode|not yet accepting": (
        "It is starting or changing over: run the same command again in a minute."
    ),
}


@contextmanager
def _libpq_by_itself() -> Generator[None]:
    """Without its variables: a PGHOSTADDR or PGSERVICE of somebody's own database would lead a command astray."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def transport(ca: str | None) -> dict[str, str]:
    """libpq's keywords for who must answer, and how. Raises Refusal for a bundle that cannot be read."""
    if ca is None:
        return {"sslmode": "require", "require_auth": "scram-sha-256"}
    if ca != SYSTEM_STORE and not Path(ca).is_file():
        raise Refusal(f"There is no file {ca}. Get RDS' authorities: {GET_BUNDLE}.")
    return {"sslmode": "verify-full", "sslrootcert": ca}


def _through(via: str) -> dict[str, str]:
    """A tunnel's own end: the host stays the one whose name is checked."""
    host, port = tunnel_end(via, example_port=TUNNEL_PORT)
    return {"hostaddr": _numeric(host), "port": str(port)}


def _numeric(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        # A tunnel listens on 127.0.0.1, and `localhost` may be ::1 first.
        return sorted(
            {str(found[4][0]) for found in socket.getaddrinfo(host, None)}, key=lambda each: ":" in each
        )[0]
    except OSError as problem:
        raise Refusal(f"The host of --via, {host}, is not known here: {problem}.") from None


@contextmanager
def told(reach: Reach) -> Generator[None]:
    """What PostgreSQL refuses, as a sentence. Its detail is left out: it may hold a row of the product's."""
    import psycopg  # noqa: PLC0415

    try:
        yield
    except psycopg.Error as error:
        raise Refusal(said(error, reach)) from None


def said(error: "psycopg.Error", reach: Reach) -> str:
    code = error.sqlstate or ""
    message = (error.diag.message_primary or " ".join(str(error).split())).rstrip(".")
    remedies = {
        "25006": "This command only reads.",
        "42501": f"{reach.role} may not do it: leave out --role." if reach.role else "",
        "55P03": "Somebody holds a lock on it: `groundwork db activity` shows who blocks whom.",
        "57014": f"`groundwork db activity` shows what it waits for; --timeout allows more than {reach.timeout} s.",
        "57P01": "The database restarts or changes over: run the same command again in a minute.",
        "": "The connection was lost: run the same command again.",
    }
    return f"PostgreSQL said: {message}{code and f' ({code})'}. {remedies.get(code, '')}".rstrip()


@contextmanager
def _entered(reach: Reach) -> Generator[Database]:
    with explained(), told(reach), ended_politely():
        yield Database(opened(reach.system, reach.stack, reach.outputs), reach)


reaching = taking(Reach, _entered)
