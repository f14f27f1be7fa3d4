"""The connection proxy as declared: TLS only, exactly the given logins, its share of the connections."""

import dataclasses

import pytest

from components.database_proxy import DatabaseProxy, DatabaseProxyArgs
from tests.recorder import record

PROXY = "aws:rds/proxy:Proxy"
GROUP = "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup"
TARGET = "aws:rds/proxyTarget:ProxyTarget"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

GOOD = DatabaseProxyArgs(
    proxy_name="shop-primary-proxy",
    database_identifier="shop-primary",
    role_secret_arns={"shop_app": "arn:secret:app", "shop_worker": "arn:secret:worker"},
    secrets_key_arn="arn:key:secrets",
    subnet_ids=["subnet-a", "subnet-b"],
    security_group_id="sg-proxy",
    account_id="111122223333",
    region="us-east-1",
    log_key_arn="arn:key:logs",
    log_retention_days=30,
    max_connections=200,
)


def declare(**changes):
    return record(lambda: DatabaseProxy("database-proxy", dataclasses.replace(GOOD, **changes)))


def watches(**changes):
    made = record(lambda: DatabaseProxy("database-proxy", dataclasses.replace(GOOD, **changes)).watches).value
    return {watch.name.removeprefix("database-proxy-"): watch for watch in made}


def test_tls_only_and_the_logins_of_the_roles():
    declared = declare()
    proxy = declared.one(PROXY)
    assert (proxy["engineFamily"], proxy["requireTls"], proxy["debugLogging"]) == ("POSTGRESQL", True, False)
    assert proxy["idleClientTimeout"] == 1800
    assert proxy["auths"] == [
        {
            "authScheme": "SECRETS",
            "clientPasswordAuthType": "POSTGRES_SCRAM_SHA_256",
            "iamAuth": "DISABLED",
            "description": f"The role {role}",
            "secretArn": arn,
        }
        for role, arn in (("shop_app", "arn:secret:app"), ("shop_worker", "arn:secret:worker"))
    ]
    assert declared.orphans() == []


def test_it_reads_those_logins_and_no_others():
    declared = declare()
    read, decrypt = declared.one("aws:iam/rolePolicy:RolePolicy").json("policy")["Statement"]
    assert read["Action"] == ["secretsmanager:GetSecretValue"]
    assert read["Resource"] == ["arn:secret:app", "arn:secret:worker"]
    assert decrypt["Resource"] == ["arn:key:secrets"]
    assert decrypt["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    }
    trust = declared.one("aws:iam/role:Role").json("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "rds.amazonaws.com"}
    assert declared.one(PROXY).depends_on(declared.one("aws:iam/rolePolicy:RolePolicy"))


def test_its_log_group_is_there_before_it():
    declared = declare()
    group = declared.one(LOG_GROUP)
    assert group["name"] == "/aws/rds/proxy/shop-primary-proxy"
    assert declared.one(PROXY).depends_on(group)


def test_its_share_of_the_connections():
    pool = declare(max_connections_percent=80).one(GROUP)["connectionPoolConfig"]
    assert pool == {
        "maxConnectionsPercent": 80,
        "maxIdleConnectionsPercent": 40,
        "connectionBorrowTimeout": 120,
    }


@pytest.mark.parametrize("key", ["database_identifier", "cluster_identifier"])
def test_it_stands_before_an_instance_or_a_cluster(key):
    both = {"database_identifier": None, "cluster_identifier": None, key: "shop-primary"}
    target = declare(**both).one(TARGET)
    given = {"database_identifier": "dbInstanceIdentifier", "cluster_identifier": "dbClusterIdentifier"}[key]
    assert {
        name: target[name] for name in target.inputs if name.startswith("db") and "Proxy" not in name
    } == {given: "shop-primary"}
    assert target["targetGroupName"] == "default"


def test_what_is_watched():
    made = watches()
    assert set(made) == {
        "unavailable",
        "borrow-latency",
        "latency",
        "failed-logins",
        "pinned",
        "connections",
    }
    assert (made["pinned"].threshold, made["connections"].threshold) == (90, 162)
    assert (made["pinned"].period_s, made["pinned"].evaluation_periods) == (60, 15)
    assert made["latency"].metrics[0].metric_name == "QueryDatabaseResponseLatency"
    assert {watch.metrics[0].namespace for watch in made.values()} == {"AWS/RDS"}


def test_without_a_number_of_connections_its_share_is_not_watched():
    assert not {"pinned", "connections"} & set(watches(max_connections=None))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"proxy_name": "Shop"}, "proxy_name must be at most 63 lower-case letters"),
        ({"proxy_name": "a" * 64}, "proxy_name must be at most 63"),
        ({"cluster_identifier": "x"}, "give database_identifier or cluster_identifier"),
        ({"database_identifier": None}, "give database_identifier or cluster_identifier"),
        ({"role_secret_arns": {}}, "role_secret_arns is empty: nobody could log in"),
        ({"max_connections_percent": 0}, "max_connections_percent must be 1 to 100, got 0"),
        ({"max_connections_percent": 101}, "max_connections_percent must be 1 to 100, got 101"),
        ({"idle_client_timeout_s": 28801}, "idle_client_timeout_s must be 1 to 28800, got 28801"),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(GOOD, **changes)
