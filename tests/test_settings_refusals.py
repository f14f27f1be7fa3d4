"""Each refusal, word for word: one key spoiled, the sentence that the person who typed it reads."""

from typing import Any

import pytest

from tests.settings_examples import ABSENT, PRODUCT, refusal


def case(*lines: str, **changes: Any) -> Any:
    return pytest.param(changes, lines, id=lines[0].split(": ")[1].removeprefix("groundwork:"))


TYPES = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.nat_gateway: is not a key of this block. Did you mean "
            "nat_gateways?"
        ),
        stack={"network/nat_gateway": "single"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:frobnicate: is not a key of this block. The nearest are protect, "
            "profile, services."
        ),
        stack={"frobnicate": "x"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.nat_gateways: must be one of per_zone, single, none, got "
            "perzone. Did you mean per_zone?"
        ),
        stack={"network/nat_gateways": "perzone"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.nat_gateways: must be one of per_zone, single, none, got "
            "3. Write one of them."
        ),
        stack={"network/nat_gateways": 3},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.multi_az: must be true or false, got yes. Write true or "
            "false, without quotes."
        ),
        stack={"database/multi_az": "yes"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.allocated_storage_gib: must be a whole number, got 100. "
            "Write digits, without quotes."
        ),
        stack={"database/allocated_storage_gib": "100"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.allocated_storage_gib: must be at least 20, got 10. Set "
            "it to 20 or more."
        ),
        stack={"database/allocated_storage_gib": 10},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.backup_retention_days: must be at most 35, got 36. Set it "
            "to 35 or less."
        ),
        stack={"database/backup_retention_days": 36},
    ),
    case(
        "Pulumi.prod.yaml: groundwork:database.engine_version: must be text, got 16.15. Put it in quotes.",
        stack={"database/engine_version": 16.15},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.replicas: must be a list, got one. Write it as [a, b], or "
            "each entry on its own line after a hyphen."
        ),
        stack={"database/replicas": "one"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database: must be a block of keys, got a list. Write its keys "
            "below it, indented."
        ),
        stack={"database": [1]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:tags: must be a block of keys, got 5. Write its keys below it, "
            "indented."
        ),
        stack={"tags": 5},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: must be an IPv4 block in CIDR notation, got @. "
            "Write it like 10.20.0.0/16."
        ),
        stack={"network/cidr_block": "@"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.core-matching.cpu: must be one of 256, 512, 1024, 2048, "
            "4096, 8192, 16384, got 1000. Set it to 1024."
        ),
        stack={"services/core-matching/cpu": 1000},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.core-matching.image_tag: must be a version that never "
            "moves (not latest), or a digest sha256: and 64 hexadecimal digits, got latest. Write it like "
            '"1.4.2".'
        ),
        stack={"services/core-matching/image_tag": "latest"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.core-matching.image_tag: must be a version that never "
            "moves (not latest), or a digest sha256: and 64 hexadecimal digits, got sha256:abc. Write it "
            'like "1.4.2".'
        ),
        stack={"services/core-matching/image_tag": "sha256:abc"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:account: must be the 12 digits of an AWS account, in quotes, got "
            '1234. Write it like "111122223333".'
        ),
        stack={"account": "1234"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:notifications.critical[0]: must be an e-mail address, got nobody. "
            "Write it like oncall@example.com."
        ),
        stack={"notifications/critical": ["nobody"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:observability.log_retention_days: must be one of 1, 3, 5, 7, 14, "
            "30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, got "
            "31. Set it to 30."
        ),
        stack={"observability/log_retention_days": 31},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:tags.a: must be at most 256 characters long, got "
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.... Shorten it."
        ),
        stack={"tags": {"a": "b" * 257}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.user: must be a user other than root, in "
            'quotes, got root. Write it like "1000".'
        ),
        system={"services/core-matching/user": "root"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.command: must have at least 1 entry. Add "
            "one."
        ),
        system={"services/core-matching/command": []},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.command[0]: must not be empty. Write "
            "something."
        ),
        system={"services/core-matching/command/0": ""},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.public.paths: must have at most 3 "
            "entries. Take some out."
        ),
        system={"services/core-matching/public/paths": ["/a", "/b", "/c", "/d"]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[0].metric: must be one of cpu, "
            "memory, requests_per_target, latency_p95, latency_average, queue, queue_wait, got cpuu. "
            "Did you mean cpu?"
        ),
        system={"services/core-matching/scaling/0": {"metric": "cpuu"}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[0].metric: is missing. Set it to "
            "one of cpu, memory, requests_per_target, latency_p95, latency_average, queue, queue_wait."
        ),
        system={"services/core-matching/scaling/0": {"target_percent": 70}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[0].target_percent: must be more "
            "than 0, got 0. Set it to more than 0."
        ),
        system={"services/core-matching/scaling/0": {"metric": "cpu", "target_percent": 0}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[0].target_percent: must be at "
            "most 100, got 101. Set it to 100 or less."
        ),
        system={"services/core-matching/scaling/0": {"metric": "cpu", "target_percent": 101}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[0].target: is not a key of this "
            "block. Did you mean target_percent?"
        ),
        system={"services/core-matching/scaling/0": {"metric": "cpu", "target": 70}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: observability.slo.cache_hit_ratio: must be less than 1, got 80. "
            "Set it to less than 1."
        ),
        system={"observability/slo/cache_hit_ratio": 80},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.Core: its name must be lower case letters, digits and "
            "single hyphens, a letter first, got Core. Write it like core-matching."
        ),
        (
            "Pulumi.prod.yaml: groundwork:services.Core: lacks cpu, memory_mib, desired_count, min_count, "
            "max_count. Add them."
        ),
        "systems/rentalfix/system.yaml: services.Core: lacks user, health. Add them.",
        system={"services/Core": {}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: backups.schedule: must be a schedule of EventBridge: rate(...), "
            "or cron(...) with six fields and ? for one of the two days, got cron(0 2 * * * *). Write it "
            "like cron(0 2 * * ? *)."
        ),
        system={"backups/schedule": "cron(0 2 * * * *)"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: backups.schedule: must be a schedule of EventBridge: rate(...), "
            "or cron(...) with six fields and ? for one of the two days, got rate(1 days). Write it like "
            "cron(0 2 * * ? *)."
        ),
        system={"backups/schedule": "rate(1 days)"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: ingress.waf.rate_limit.window_s: must be one of 60, 120, 300, "
            "600, got 90. Set it to 120."
        ),
        system={"ingress/waf/rate_limit/window_s": 90},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: ingress.tls_policy: must be one of "
            "ELBSecurityPolicy-TLS13-1-3-2021-06, ELBSecurityPolicy-TLS13-1-2-2021-06, "
            "ELBSecurityPolicy-TLS13-1-2-Res-2021-06, ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06, "
            "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06, ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04, "
            "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04, ELBSecurityPolicy-FS-1-2-Res-2020-10, got "
            "ELBSecurityPolicy-2016-08. Did you mean ELBSecurityPolicy-TLS13-1-3-2021-06?"
        ),
        system={"ingress/tls_policy": "ELBSecurityPolicy-2016-08"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.backup_window: must be a daily window in UTC, "
            "hh:mm-hh:mm, got 2am. Write it like 02:00-03:00."
        ),
        system={"database/backup_window": "2am"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: must be the first address of its block, got "
            "10.20.0.1/16. Write 10.20.0.0/16."
        ),
        stack={"network/cidr_block": "10.20.0.1/16"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: must be an IPv4 block in CIDR notation, got "
            "10.20.0.300/16. Write it like 10.20.0.0/16."
        ),
        stack={"network/cidr_block": "10.20.0.300/16"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.instance_class: is missing. Add it: RDS instance class of "
            "the primary."
        ),
        stack={"database/instance_class": ABSENT},
    ),
    case(
        "Pulumi.prod.yaml: groundwork:notifications: is missing. Add it: Who is told.",
        stack={"notifications": ABSENT},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.health: is missing. Add it: How the platform "
            "sees that a task is well."
        ),
        system={"services/worker-ai/health": ABSENT},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[0]: must be a block of keys, got "
            "a list. Write its keys below it, indented."
        ),
        system={"services/core-matching/scaling/0": [1]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: description: is refused: Input should be a valid string, unable "
            'to parse raw data as a unicode string, got "\\ud800". Look at the key\'s description.'
        ),
        system={"description": "\ud800"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: name: must be lower case letters, digits and single hyphens, a "
            'letter first, got "rentalfix\\n". Write it like core-matching.'
        ),
        system={"name": "rentalfix\n"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:operations.aws_cli_image: must be an image with a version that "
            "never moves (not latest), or with a digest @sha256:..., got "
            "public.ecr.aws/aws-cli/aws-cli:latest. Write it like "
            "public.ecr.aws/docker/library/postgres:16.10-alpine."
        ),
        stack={"operations/aws_cli_image": "public.ecr.aws/aws-cli/aws-cli:latest"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:operations.postgres_image: must be an image with a version that "
            "never moves (not latest), or with a digest @sha256:..., got "
            "public.ecr.aws/docker/library/postgres. Write it like "
            "public.ecr.aws/docker/library/postgres:16.10-alpine."
        ),
        stack={"operations/postgres_image": "public.ecr.aws/docker/library/postgres"},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), TYPES)
def test_refusals_of_types(changes, lines):
    assert refusal(**changes) == lines


STACKS = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:environment: must be the one that stack prod is for, got staging. "
            "Two stacks of one environment would fight over the same names: correct the copied line."
        ),
        stack={"environment": "staging"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: name: must be the name of the file's folder, rentalfix, got "
            "other. Set it to rentalfix."
        ),
        system={"name": "other"},
    ),
    case(
        (
            "Pulumi.prod.yaml: aws:allowedAccountIds: must hold groundwork:account 111122223333, so that no "
            'other account is ever changed, got 999999999999. Set it to ["111122223333"].'
        ),
        stack={"aws:allowedAccountIds": ["999999999999"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: aws:allowedAccountIds: must hold groundwork:account 111122223333, so that no "
            'other account is ever changed. Set it to ["111122223333"].'
        ),
        stack={"aws:allowedAccountIds": ABSENT},
    ),
    case(
        "Pulumi.prod.yaml: aws:region: is missing. Add it: The stack's region.",
        stack={"aws:region": ABSENT},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:protect: must be true where environment is prod, got false. Set it "
            "to true; to remove production on purpose, follow README."
        ),
        stack={"protect": False},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:notifications.warning: must name at least one e-mail address in "
            "production. Add who is told; an alarm that nobody hears is none."
        ),
        stack={"notifications/warning": []},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:tags.aws:x: must not begin with aws:, which AWS keeps for itself. "
            "Rename the tag."
        ),
        stack={"tags": {"aws:x": "y"}},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:aws: is not a key of this block. Set aws:region and "
            "aws:allowedAccountIds instead."
        ),
        stack={"aws": {"region": "x"}},
    ),
    case(
        "systems/rentalfix/system.yaml: stack: is not a key of this block. Remove it.",
        system={"stack": "x"},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), STACKS)
def test_refusals_of_stacks(changes, lines):
    assert refusal(**changes) == lines


NETWORK = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: is too small for its zones: it must be /21 or "
            "larger, got 10.20.0.0/24. Set it to 10.20.0.0/21, or better to a /16."
        ),
        stack={"network/cidr_block": "10.20.0.0/24"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: is larger than a VPC may be, /16, got "
            "10.0.0.0/12. Set it to 10.0.0.0/16."
        ),
        stack={"network/cidr_block": "10.0.0.0/12"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: must lie in 10.0.0.0/8, 172.16.0.0/12, "
            "192.168.0.0/16 or 100.64.0.0/10, got 8.8.0.0/16. Addresses of others would become unreachable: "
            "choose a private block."
        ),
        stack={"network/cidr_block": "8.8.0.0/16"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.cidr_block: overlaps 10.20.128.0/17 of "
            "network.reserved_cidr_blocks, got 10.20.0.0/16. Choose a block that is not in use elsewhere."
        ),
        stack={"network/reserved_cidr_blocks": ["10.20.128.0/17"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.zones: must name at least 2 zones, which load balancer and "
            "database need, got us-east-1a. Set it to [us-east-1a, us-east-1b]."
        ),
        stack={"network/zones": ["us-east-1a"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.zones[2]: must be a zone of aws:region us-east-1, got "
            "us-west-2c. Set it to us-east-1c, or change the region."
        ),
        stack={"network/zones": ["us-east-1a", "us-east-1b", "us-west-2c"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:network.zones[2]: must not stand twice, got us-east-1a. Remove one "
            "of the two."
        ),
        stack={"network/zones": ["us-east-1a", "us-east-1b", "us-east-1a"]},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), NETWORK)
def test_refusals_of_network(changes, lines):
    assert refusal(**changes) == lines


DATABASE = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.engine_version: must be a version of PostgreSQL that RDS "
            "creates (settings/data/postgres.py), got 16.8. Set it to one of 16.9, 16.10, 16.11, 16.12, "
            "16.13, 16.14, 16.15."
        ),
        stack={"database/engine_version": "16.8"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.engine_version: must be a version of PostgreSQL that RDS "
            "creates (settings/data/postgres.py), got 13.9. Set it to one of 18.1, 18.2, 18.3, 18.4, 18.6."
        ),
        (
            "Pulumi.prod.yaml: groundwork:database.engine_version: must be database.minimum_version 14 or "
            "newer, got 13.9. Set it to 18.6 or another newer one."
        ),
        stack={"database/engine_version": "13.9"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.extensions.postgis: needs PostGIS 3.5, and PostgreSQL "
            "16.15 on RDS is only sure to have 3.4. Choose a newer database.engine_version, or lower the "
            "version here."
        ),
        system={"database/extensions/postgis": "3.5"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.instance_class: must be an instance class of RDS for "
            "PostgreSQL (settings/data/postgres.py), got db.r6g.lrge. Did you mean db.r6g.large?"
        ),
        stack={"database/instance_class": "db.r6g.lrge"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.replicas[0].instance_class: must be an instance class of "
            "RDS for PostgreSQL (settings/data/postgres.py), got db.x9.huge. The nearest are db.t3.large, "
            "db.r5.large, db.m5.large."
        ),
        stack={"database/replicas/0/instance_class": "db.x9.huge"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.max_allocated_storage_gib: must be at least a tenth more "
            "than allocated_storage_gib 100, got 105. Set it to 110 or more."
        ),
        stack={"database/max_allocated_storage_gib": 105},
    ),
    case(
        (
            "Pulumi.staging.yaml: groundwork:database.backup_retention_days: must be at least 1 where there "
            "are replicas, which RDS makes from backups, got 0. Set it to 30, or remove the replicas."
        ),
        stack={"database/backup_retention_days": 0, "environment": "staging"},
        name="staging",
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.backup_retention_days: must be at least 30 in production "
            "(backups.retention_days, and RDS keeps 35 at most), got 7. Set it to 30."
        ),
        stack={"database/backup_retention_days": 7},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.replicas[0].identifier: must differ from the primary's "
            "and the other replicas', got rentfix-primary. Choose another."
        ),
        stack={"database/replicas/0/identifier": "rentfix-primary"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.backup_window: must be at least 30 minutes long, got "
            "00:00-00:15. Let it end later."
        ),
        system={"database/backup_window": "00:00-00:15"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.maintenance_window: must not overlap backup_window "
            "00:00-01:00, got sun:00:30-sun:01:30. Move one of the two."
        ),
        system={"database/maintenance_window": "sun:00:30-sun:01:30"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.parameters.shared_buffers: must be a whole number of "
            "pages of 8 kB, or a formula in braces, got 4GB. Set it to 524288."
        ),
        stack={"database/parameters/shared_buffers": "4GB"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.parameters.work_mem: must be a whole number of kB, or a "
            "formula in braces, got lots. Write digits without a unit."
        ),
        system={"database/parameters/work_mem": "lots"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.parameters.max_connections: must be a whole number, or "
            "a formula in braces, got many. Write digits."
        ),
        system={"database/parameters/max_connections": "many"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.parameters.rds.force_ssl: must stay 1: connections are "
            "encrypted, got 0. Remove it."
        ),
        system={"database/parameters/rds.force_ssl": 0},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.instance_class: has 4 GiB of memory, too little for "
            "shared_buffers 524288 (4 GiB): at most half may be shared buffers, a quarter is usual, got "
            "db.t4g.medium. Choose a class of 16 GiB, or set shared_buffers to 131072."
        ),
        stack={"database/instance_class": "db.t4g.medium"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.parameters.max_connections: is too low: the services "
            "may open 240 connections (core-matching 7 x 20, worker-ai 20 x 5), and 80% of 200 are 160. "
            "Lower max_count or pool_max, or allow 300 on a class that bears it."
        ),
        stack={"services/worker-ai/max_count": 20},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.instance_class: is too low: the services may open 160 "
            "connections (core-matching 7 x 20, worker-ai 4 x 5), and 80% of 112 are 89. Lower max_count or "
            "pool_max, or allow 200 on a class that bears it."
        ),
        stack={"database/instance_class": "db.t4g.micro", "database/parameters": ABSENT},
        system={"database/parameters": {}},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:operations.postgres_image: must be of PostgreSQL 16 or newer, or "
            "pg_dump refuses the server, got public.ecr.aws/docker/library/postgres:15.9-alpine. Choose an "
            "image of version 16."
        ),
        stack={"operations/postgres_image": "public.ecr.aws/docker/library/postgres:15.9-alpine"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.roles.postgres: is the master user, and services must "
            "not use it. Give the services a role of their own."
        ),
        system={"database/roles/postgres": {}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.roles.rds_x: must not begin with pg_ or rds, which "
            "PostgreSQL and RDS keep for themselves. Rename the role."
        ),
        system={"database/roles/rds_x": {}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.row_level_security.contractors[1].roles[0]: must be a "
            "role of database.roles, got rentfix_ap. Did you mean rentfix_app?"
        ),
        system={"database/row_level_security/contractors/1/roles": ["rentfix_ap"]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.row_level_security.contractors[1].using: cannot be "
            "given for INSERT, which sees no existing row. Use `check`."
        ),
        system={"database/row_level_security/contractors/1/using": "true"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.row_level_security.contractors[0].check: cannot be "
            "given for SELECT, which writes no row. Use `using`."
        ),
        system={"database/row_level_security/contractors/0/check": "true"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: database.row_level_security.contractors[0]: must say `using` or "
            '`check`. Write "true" to allow every row.'
        ),
        system={"database/row_level_security/contractors/0/using": ABSENT},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), DATABASE)
def test_refusals_of_database(changes, lines):
    assert refusal(**changes) == lines


CACHES = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.cache.engine_version: must be a version of redis that "
            "ElastiCache has, 7 or newer, got 6.2. Set it to one of 7.0, 7.1."
        ),
        stack={"caches/cache/engine_version": "6.2"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.cache.node_type: must be a node type of ElastiCache "
            "(settings/data/elasticache.py), got cache.r6g.big. Did you mean cache.r6g.large?"
        ),
        stack={"caches/cache/node_type": "cache.r6g.big"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.cache.node_type: holds 1.03 GiB of data beside AWS's "
            "reserve of 25 %, and memory_needed_gib is 2, got cache.t4g.small. Set it to cache.t3.medium or "
            "larger."
        ),
        stack={"caches/cache/node_type": "cache.t4g.small"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.queue.shards: must be 1 without cluster_mode, got 3. Set it "
            "to 1, or set cluster_mode to true if the clients speak the cluster protocol."
        ),
        stack={"caches/queue/shards": 3},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.parameters.appendonly: cannot be set in a parameter "
            "group of ElastiCache. Remove it: use replicas_per_shard and snapshot_retention_days."
        ),
        system={"caches/cache/parameters/appendonly": "yes"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.parameters.cluster-enabled: cannot be set in a "
            "parameter group of ElastiCache. Remove it: set cluster_mode."
        ),
        system={"caches/cache/parameters/cluster-enabled": "no"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.parameters.databases: does not exist in the "
            "parameter family of cluster mode, got 4. Remove it, or set cluster_mode to false."
        ),
        system={"caches/cache/parameters/databases": 4},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.parameters.maxmemory-polcy: is not a parameter of "
            "redis. Did you mean maxmemory-policy?"
        ),
        system={"caches/cache/parameters/maxmemory-polcy": "x"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.parameters.maxmemory-policy: must be one of "
            "noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu, "
            "volatile-random, volatile-ttl, got allkeys. Did you mean allkeys-lru?"
        ),
        system={"caches/cache/parameters/maxmemory-policy": "allkeys"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.snapshot_window: must be at least 60 minutes long, "
            "got 02:00-02:30. Let it end later."
        ),
        system={"caches/cache/snapshot_window": "02:00-02:30"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.cache.maintenance_window: must not overlap "
            "snapshot_window 02:00-03:00, got mon:02:30-mon:04:00. Move one of the two."
        ),
        system={"caches/cache/maintenance_window": "mon:02:30-mon:04:00"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: caches.queue.fallback: must be another cache of `caches`, got "
            "cash. Did you mean cache?"
        ),
        system={"caches/queue/fallback": "cash"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.cache.enabled: cannot be false: no enabled cache is its "
            "fallback, got false. Set it to true, or name an enabled cache as fallback in the system file."
        ),
        (
            "systems/rentalfix/system.yaml: observability.alerts.cache_hit_ratio: needs a cache that evicts "
            "keys, and there is none to measure it by, got 0.7. Remove it, or add that."
        ),
        (
            "systems/rentalfix/system.yaml: observability.slo.cache_hit_ratio: needs a cache that evicts "
            "keys, and there is none to measure it by, got 0.8. Remove it, or add that."
        ),
        stack={"caches/cache/enabled": False},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: queues.matching.cache: must be a cache of `caches`, got queu. "
            "Did you mean queue?"
        ),
        system={"queues/matching/cache": "queu"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: queues.matching.prefix: must hold a hash tag in braces, because "
            'its cache is in cluster mode, got bull. Set it to "{bull}".'
        ),
        stack={"caches/queue/enabled": False},
        system={"queues/matching/prefix": "bull"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.queu: is not in `caches` of systems/rentalfix/system.yaml. "
            "Did you mean queue?"
        ),
        stack={"caches/queu": {"shards": 1}},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), CACHES)
def test_refusals_of_caches(changes, lines):
    assert refusal(**changes) == lines


SERVICES = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.core-matching.memory_mib: must be one of 2048, 3072, "
            "4096, 5120, 6144, 7168, 8192 for cpu 1024 (Fargate sizes), got 1000. Set it to 2048."
        ),
        stack={"services/core-matching/memory_mib": 1000},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.core-matching.memory_mib: must be 8192 to 30720 in steps "
            "of 1024 for cpu 4096 (Fargate sizes), got 2048. Set it to 8192."
        ),
        stack={"services/core-matching/cpu": 4096},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.worker-ai.min_count: must not be above max_count 4, got "
            "9. Lower it, or raise max_count."
        ),
        stack={"services/worker-ai/min_count": 9},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.worker-ai.desired_count: must be between min_count 1 and "
            "max_count 4, got 9. Set it to 4."
        ),
        stack={"services/worker-ai/desired_count": 9},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.core-matching.scheduled_scaling[0].min_count: must not be "
            "above max_count 4, got 5. Lower it, or raise max_count."
        ),
        stack={
            "services/core-matching/scheduled_scaling": [
                {
                    "name": "sale",
                    "schedule": "cron(0 8 * * ? *)",
                    "timezone": "UTC",
                    "min_count": 5,
                    "max_count": 4,
                }
            ]
        },
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.ports.grpc: must differ from port "
            "http, got 4400. Choose another port."
        ),
        system={"services/core-matching/ports/grpc": 4400},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.health.path: is missing, and a public "
            "service needs it: only tasks that answer there get requests. Set it to the path that answers "
            "200 when the service is well, such as /health."
        ),
        system={"services/core-matching/health": {"command": ["true"]}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.ports.http: is missing, and it is the "
            "port on which the health path is asked. Set it to the port that the container listens on."
        ),
        system={"services/core-matching/ports": {"metrics": 9090}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.health: must say path or command, or nobody "
            "sees that a task hangs. Add a command that ends with 0 when the service is well."
        ),
        system={"services/worker-ai/health": {}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.scaling[0].metric: needs a public service, "
            "because the load balancer measures it, got latency_p95. Use cpu, memory, queue or queue_wait."
        ),
        system={"services/worker-ai/scaling/0": {"metric": "latency_p95", "above_s": 1, "add_tasks": 1}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.scaling[0].queue: must be a queue of "
            "`queues`, got matchin. Did you mean matching?"
        ),
        system={"services/worker-ai/scaling/0/queue": "matchin"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.scaling[0].remove_below: must be less than "
            "add_above 100, or tasks come and go for ever, got 100. Lower it."
        ),
        system={"services/worker-ai/scaling/0/remove_below": 100},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.scaling[1].metric: must not stand twice, "
            "got cpu. Remove one of the two."
        ),
        system={"services/core-matching/scaling/1": {"metric": "cpu", "target_percent": 50}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.connects_to[3]: must be database, or a "
            "cache, broker or other service with a port, by its name, got cash. Did you mean cache?"
        ),
        system={"services/core-matching/connects_to": ["database", "cache", "queue", "cash"]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.connects_to: lacks database, to which "
            "DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_POOL_MAX, DB_POOL_MIN, DB_POOL_IDLE_TIMEOUT_MS, "
            "DB_PASSWORD refer. Add it, or the firewall stays closed."
        ),
        system={"services/worker-ai/connects_to": ["cache", "queue"]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.database.role: must be a role of "
            "database.roles, got rentfix. Did you mean rentfix_app?"
        ),
        system={"services/core-matching/database/role": "rentfix"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.database.pool_min: must not be above "
            "pool_max 20, got 21. Lower it, or raise pool_max."
        ),
        system={"services/core-matching/database/pool_min": 21},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: tasks.seed.service: must be a service of `services`, got core. "
            "Known: core-matching, worker-ai."
        ),
        system={"tasks/seed/service": "core"},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), SERVICES)
def test_refusals_of_services(changes, lines):
    assert refusal(**changes) == lines


VARIABLES = [
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.X: refers to database.adress, "
            "which does not exist. Did you mean database.address?"
        ),
        system={"services/core-matching/environment/X": "${database.adress}"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.X: opens ${ and never closes "
            "it. Write ${...}."
        ),
        system={"services/core-matching/environment/X": "${database.address"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.X: refers to "
            "database.password, which is a secret. Move the variable to `secrets`."
        ),
        system={"services/core-matching/environment/X": "${database.password}"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.secrets.X: must be one reference and "
            "nothing else, such as ${secrets.api-key}. Name the secret in `secrets` and refer to it; its "
            "value never stands in a file."
        ),
        system={"services/core-matching/secrets/X": "hunter22"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.secrets.X: refers to secrets.api-kee, "
            "which does not exist. Did you mean secrets.api-key?"
        ),
        system={"services/core-matching/secrets/X": "${secrets.api-kee}"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.connects_to: lacks queue, to which "
            "QUEUE_REDIS_HOST, QUEUE_REDIS_PORT, QUEUE_REDIS_CLUSTER, QUEUE_REDIS_PASSWORD refer. Add it, or "
            "the firewall stays closed."
        ),
        system={"services/core-matching/connects_to": ["database", "cache"]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.STRIPE_API_KEY: looks like a "
            "secret, and everybody who may read the task definition would see it. Name it in `secrets` of "
            "the system file and refer to it in the service's `secrets`."
        ),
        system={"services/core-matching/environment/STRIPE_API_KEY": "hunter22"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.DATABASE_URL: looks like a "
            "secret, and everybody who may read the task definition would see it. Name it in `secrets` of "
            "the system file and refer to it in the service's `secrets`."
        ),
        system={"services/core-matching/environment/DATABASE_URL": "postgres://u:hunter22@h/db"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.API_KEY: looks like a secret, "
            "and everybody who may read the task definition would see it. Name it in `secrets` of the system "
            "file and refer to it in the service's `secrets`."
        ),
        (
            "systems/rentalfix/system.yaml: services.core-matching.secrets.API_KEY: stands in `environment` "
            "too. Remove one of the two."
        ),
        system={"services/core-matching/environment/API_KEY": "${domain}"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: secrets.api-key: must say one of generate, external and url. "
            "generate: {length: 64} makes one; external: says in words what the operator puts in; url: puts one "
            "together."
        ),
        system={"secrets/api-key": {}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: secrets.api-key.generate.length: must be 32 to 512 characters, "
            "got 16. Set it to 64."
        ),
        system={"secrets/api-key": {"generate": {"length": 16}}},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: secrets.api-key.minimum_length: is for an external secret, got "
            "20. Remove it; generate.length says how long it is."
        ),
        system={"secrets/api-key/minimum_length": 20},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.secrets: does not hold ${database.password}, "
            "so the service could not log in to the database. Add a variable for it, such as DB_PASSWORD."
        ),
        system={"services/worker-ai/secrets/DB_PASSWORD": ABSENT},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), VARIABLES)
def test_refusals_of_variables(changes, lines):
    assert refusal(**changes) == lines


EDGE = [
    case(
        (
            "Pulumi.prod.yaml: groundwork:domain: must say either hosted_zone_id or create_hosted_zone: "
            "true. Give the id of the zone if Route 53 has it already, else let it be made."
        ),
        stack={"domain": {"name": "rentfix.com"}},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:domain: must say either hosted_zone_id or create_hosted_zone: "
            "true. Give the id of the zone if Route 53 has it already, else let it be made."
        ),
        stack={"domain/create_hosted_zone": True},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:domain.name: makes the host "
            "prometheus.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com of 73 characters, and "
            "a certificate takes 64. Shorten the domain or the label."
        ),
        stack={"domain/name": "a" * 50 + ".example.com"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: observability.grafana.redirects.grafana: must be a host that "
            "nothing else has, got api. Choose another label."
        ),
        system={"observability/grafana/redirects/grafana": "api"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: observability.grafana.redirects.prometheus: must be a host that "
            "nothing else has, got prometheus. Choose another label."
        ),
        system={"observability/grafana/redirects/grafana": "prometheus"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.worker-ai.public.priority: must differ from that of "
            "core-matching, got 100. The listener asks its rules in this order: choose another number."
        ),
        (
            "systems/rentalfix/system.yaml: services.worker-ai.public.paths[0]: belongs to core-matching on "
            "the same host, got /*. Give each service its own paths or its own host."
        ),
        system={
            "services/worker-ai/public": {"host": "api", "paths": ["/*"], "priority": 100},
            "services/worker-ai/health": {"path": "/"},
            "services/worker-ai/ports/http": 80,
        },
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:ingress.cors.allow_origins[0]: must name origins one by one, never "
            "*: any site could call the API with a user's cookies, got *. Write https://rentfix.com and the "
            "others."
        ),
        stack={"ingress/cors/allow_origins": ["*"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:ingress.cors.allow_origins[0]: must be https:// and a host "
            "(http://localhost outside production only), got http://rentfix.com. Write it like "
            "https://rentfix.com."
        ),
        stack={"ingress/cors/allow_origins": ["http://rentfix.com"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:ingress.cors.allow_origins[0]: must be https:// and a host "
            "(http://localhost outside production only), got http://localhost:3000. Write it like "
            "https://rentfix.com."
        ),
        stack={"ingress/cors/allow_origins": ["http://localhost:3000"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:ingress.cors.allow_origins[0]: must be an origin, without path or "
            "slash at the end, got https://rentfix.com/. Write https://rentfix.com."
        ),
        stack={"ingress/cors/allow_origins": ["https://rentfix.com/"]},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: services.core-matching.environment.CORS_ORIGIN: must name "
            "origins one by one, never *: any site could call the API with a user's cookies, got *. Write "
            "https://rentfix.com and the others."
        ),
        system={"services/core-matching/environment/CORS_ORIGIN": "https://rentfix.com, *"},
    ),
    case(
        (
            "systems/rentalfix/system.yaml: ingress.waf.rate_limit.requests: must be at least 10 together "
            "with burst 4, got 5. WAF knows no lower limit: raise it, or lengthen window_s."
        ),
        system={"ingress/waf/rate_limit": {"requests": 5, "window_s": 60, "burst": 4}},
    ),
]


@pytest.mark.parametrize(("changes", "lines"), EDGE)
def test_refusals_of_edge(changes, lines):
    assert refusal(**changes) == lines


RECOVERY_AND_NAMES = [
    case(
        (
            "systems/rentalfix/system.yaml: database.backup_window: must not hold backups.schedule, "
            "cron(0 2 * * ? *), nor begin within an hour after it, got 02:30-03:30. AWS Backup fails there; move "
            "the window, point in time recovery does not depend on it."
        ),
        system={"database/backup_window": "02:30-03:30"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:backups.copy_region: must differ from aws:region, or one region's "
            "failure takes backups and copies, got us-east-1. Choose another region, or leave it out."
        ),
        stack={"backups/copy_region": "us-east-1"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:backups.bucket: must be the name of an S3 bucket, 3 to 63 "
            "characters without dots, got Rent_Fix. Write it like acme-backups."
        ),
        stack={"backups/bucket": "Rent_Fix"},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.identifier: makes a name of 64 characters, and 63 are "
            "possible (RDS takes no more), got "
            "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr.... Shorten it by 1."
        ),
        stack={"database/identifier": "r" * 64},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:database.replicas[0].identifier: makes a name of 64 characters, "
            "and 63 are possible (RDS takes no more), got "
            "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr.... Shorten it by 1."
        ),
        stack={"database/replicas/0/identifier": "r" * 64},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:services.sssssssssssssssssssssssss: lacks cpu, memory_mib, "
            "desired_count, min_count, max_count. Add them."
        ),
        (
            "systems/rentalfix/system.yaml: services.sssssssssssssssssssssssss: makes a name of 25 "
            "characters, and 24 are possible (a target group's name has 32, of which Pulumi adds 8), got "
            "sssssssssssssssssssssssss. Shorten it by 1."
        ),
        system={"services/" + "s" * 25: PRODUCT["services"]["worker-ai"]},
    ),
    case(
        (
            "Pulumi.prod.yaml: groundwork:caches.ccccccccccccccccccccccccccccccccc: lacks enabled, "
            "engine_version, node_type, shards, replicas_per_shard, snapshot_retention_days. Add them."
        ),
        (
            "systems/rentalfix/system.yaml: caches.ccccccccccccccccccccccccccccccccc: makes a name of 33 "
            "characters, and 32 are possible (a replication group's name has 40, of which Pulumi adds 8), "
            "got ccccccccccccccccccccccccccccccccc. Shorten it by 1."
        ),
        system={"caches/" + "c" * 33: PRODUCT["caches"]["queue"]},
    ),
    case(
        (
            "Pulumi.production-in-europe.yaml: groundwork:environment: makes a name of 30 characters, and 24 "
            "are possible (a load balancer's name has 32, of which Pulumi adds 8), got "
            "rentalfix-production-in-europe. Shorten it by 6."
        ),
        stack={"environment": "production-in-europe"},
        name="production-in-europe",
    ),
]


@pytest.mark.parametrize(("changes", "lines"), RECOVERY_AND_NAMES)
def test_refusals_of_recovery_and_names(changes, lines):
    assert refusal(**changes) == lines
