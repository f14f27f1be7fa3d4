"""psql, PostgreSQL's own client: what its scripts say, only it understands; and a person's session is best in it.

It gets the password by its environment, which nobody else sees, and only where the server's name is checked.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence

from operations.db.reach import GET_BUNDLE, Database
from operations.platform import Refusal

LEAST_MAJOR = 14  # \getenv, which the bootstrap reads passwords with


def program() -> str:
    """Its path. Raises Refusal where there is none, or an old one."""
    found = shutil.which("psql")
    if not found:
        raise Refusal(
            f"psql is not on PATH. Install PostgreSQL's client, {LEAST_MAJOR} or newer (postgresql-client)."
        )
    answer = subprocess.run(
        [found, "--version"], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    major = re.search(r"\d+", answer)
    if not major or int(major[0]) < LEAST_MAJOR:
        raise Refusal(
            f"{answer.strip() or found} is too old: install PostgreSQL's client, {LEAST_MAJOR} or newer."
        )
    return found


def environment(database: Database, *, replica: bool = False, read_only: bool = False) -> dict[str, str]:
    """This process's, with libpq's variables instead of whatever it had of them. Raises Refusal without `--ca`."""
    if database.reach.ca is None:
        raise Refusal(
            f"psql is given passwords, so it must be sure who answers. Get RDS' authorities: {GET_BUNDLE}."
        )
    keywords = database.keywords(replica=replica)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        **{variable: keywords[keyword] for keyword, variable in _VARIABLES.items() if keyword in keywords},
        "PGPASSWORD": database.login.password,
        **({"PGOPTIONS": "-c default_transaction_read_only=on"} if read_only else {}),
    }


_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


def run_script(
    script: str, environment: Mapping[str, str], *, secrets: Sequence[str], tell: Callable[[str], object]
) -> int:
    """Runs it, its output as it comes and without what is secret; its exit code."""
    command = [program(), "--no-psqlrc", "--quiet"]
    # Of a file, so that neither of the two waits for the other to read.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        file.write(script)
        file.seek(0)
        with subprocess.Popen(
            command,
            env=dict(environment),
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as client:
            for line in client.stdout or ():
                tell(f"  {_without(line.rstrip(), secrets)}")
    return client.returncode


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "...")
    return text
