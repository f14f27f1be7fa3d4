"""How long a dump of a database of so many GB takes to come back and be proved, on this machine.

    .venv/bin/python -m tests.measure_restore --gb 1

A PostgreSQL on disk that keeps what it says it keeps (fsync), tables with points and text, their indexes; a dump of it,
as the task `dump` writes one, in the emulator's bucket; then `groundwork backup verify --from dump --here`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3

from local import debian
from tests import real_servers
from tests.aws_cloud import OUTPUTS
from tests.provider_support import ROOT, running_emulator
from wiring import restore

ROW_BYTES = 448  # of `jobs` with its share of the indexes, as PostgreSQL 15 has it
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on"}
MEMORY = {"shared_buffers": "1GB", "maintenance_work_mem": "256MB", "max_wal_size": "4GB"}
SQL = """
CREATE TABLE contractors (id bigint PRIMARY KEY, name text, place geography(Point, 4326));
INSERT INTO contractors SELECT n, md5(n::text), ST_MakePoint(n % 360 - 180, n % 170 - 85)
  FROM generate_series(1, {few}) n;
CREATE INDEX ON contractors USING gist (place);
CREATE TABLE jobs (id bigint PRIMARY KEY, contractor bigint, at timestamptz, place geography(Point, 4326), text text);
INSERT INTO jobs SELECT n, n % {few}, now() - n * interval '1 second', ST_MakePoint(n % 360 - 180, n % 170 - 85),
  md5(n || 'a') || md5(n || 'b') || md5(n || 'c') || md5(n || 'd') || md5(n || 'e') || md5(n || 'f') || md5(n || 'g')
  FROM generate_series(1, {many}) n;
CREATE INDEX ON jobs (contractor);
CREATE INDEX ON jobs USING gist (place);
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=1)
    rows = int(parser.parse_args().gb * 1e9 / ROW_BYTES)
    for name, value in {
        "SETTINGS": {**real_servers.SETTINGS, **DURABLE, **MEMORY},
        "memory": lambda: None,
        "CLIENT_TIMEOUT_S": 3600,
    }.items():
        setattr(real_servers, name, value)
    with (
        tempfile.TemporaryDirectory() as name,
        running_emulator(Path(name) / "log") as url,
        real_servers.postgres_server(debian.have("postgres", ROOT / ".local")) as server,
        server.database("postgis", "postgis_topology") as made,
    ):
        made.sql(SQL.format(few=rows // 20, many=rows))
        size = int(made.sql("SELECT pg_database_size(current_database())"))
        folder, dump = server.program.path.resolve().parent, Path(name) / "dump.sql.gz"
        environment = {
            **os.environ,
            **server.environment("postgres", real_servers.SUPERUSER),
            **server.program.environment,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        began = time.monotonic()
        subprocess.run(
            ["bash", "-c", f"set -o pipefail; pg_dump --clean --if-exists {made.name} | gzip > {dump}"],
            env=environment,
            check=True,
        )
        dumped_s = time.monotonic() - began
        outputs = _stand(url, dump, Path(name))
        command = [
            "backup",
            "verify",
            "--from",
            "dump",
            "--here",
            "--yes",
            "--json",
            "--outputs",
            str(outputs),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "operations", *command, "--newest", "SELECT max(at) FROM jobs"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        told = json.loads(done.stdout)
        print(
            f"{size / 1e9:.2f} GB, {rows:,} rows; dumped in {dumped_s:.0f} s to {told['size_bytes'] / 1e6:.0f} MB; "
            f"back and proved ({told['proved']}) in {told['restore_s']} s (RTO); newest row {told['data_age_s']} s old "
            "(RPO)"
        )
        print(json.dumps(told["checks"], indent=2))
        sys.exit(done.returncode)


def _stand(url: str, dump: Path, folder: Path) -> Path:
    """The bucket with the dump, the task's definition, and the stack's outputs as a file."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    s3, ecs = (
        boto3.client(each, region_name="us-east-1", endpoint_url=url, **keys) for each in ("s3", "ecs")
    )
    s3.create_bucket(Bucket=OUTPUTS["backups"]["bucket"])
    s3.upload_file(str(dump), OUTPUTS["backups"]["bucket"], "postgres/rentfix_measured.sql.gz")
    script = restore.script("/var/lib/postgresql/data/restored")
    ecs.register_task_definition(
        family="rentalfix-prod-restore",
        containerDefinitions=[
            {"name": "restore", "image": "postgres", "memory": 128, "command": ["sh", "-ec", script]}
        ],
    )
    path = folder / "outputs.json"
    path.write_text(json.dumps(OUTPUTS), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
