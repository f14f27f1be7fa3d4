"""AdminAccess: the endpoint, how clients prove who they are, where they may send to, and what is refused."""

import re
from typing import Any

import pytest

from components.admin_access import AdminAccess, AdminAccessArgs, MutualTls, SingleSignOn
from tests.recorder import record

ENDPOINT = "aws:ec2clientvpn/endpoint:Endpoint"
ASSOCIATION = "aws:ec2clientvpn/networkAssociation:NetworkAssociation"
RULE = "aws:ec2clientvpn/authorizationRule:AuthorizationRule"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
SIGN_ON = SingleSignOn(saml_provider_arn="arn:saml")


def args(**changes):
    values: dict[str, Any] = {
        "vpc_id": "vpc-1",
        "subnet_ids": {"a": "subnet-a", "b": "subnet-b"},
        "security_group_id": "sg-vpn",
        "client_cidr_block": "10.250.0.0/22",
        "server_certificate_arn": "arn:server",
        "authentication": MutualTls(root_certificate_arn="arn:root"),
        "networks": {"isolated-a": "10.20.128.0/21", "isolated-b": "10.20.136.0/21"},
        "dns_server": "10.20.0.2",
        "log_group_name": "/shop/prod/vpn",
        "log_key_arn": "arn:key:logs",
        "log_retention_days": 90,
        "tags": {"owner": "platform"},
        **changes,
    }
    return AdminAccessArgs(**values)


def build(**changes):
    made = args(**changes)
    found: list[Any] = []
    return record(lambda: found.append(AdminAccess("vpn", made))), found[0]


def test_the_endpoint_is_narrow_logged_and_ends_its_sessions():
    declared, _ = build()
    endpoint = declared.one(ENDPOINT)
    assert endpoint["clientCidrBlock"] == "10.250.0.0/22"
    assert endpoint["serverCertificateArn"] == "arn:server"
    assert endpoint["authenticationOptions"] == [
        {"type": "certificate-authentication", "rootCertificateChainArn": "arn:root"}
    ]
    assert endpoint["connectionLogOptions"] == {"enabled": True, "cloudwatchLogGroup": "/shop/prod/vpn"}
    assert (endpoint["vpcId"], endpoint["securityGroupIds"]) == ("vpc-1", ["sg-vpn"])
    assert (endpoint["splitTunnel"], endpoint["dnsServers"]) == (True, ["10.20.0.2"])
    assert (endpoint["sessionTimeoutHours"], endpoint["disconnectOnSessionTimeout"]) == (8, True)
    assert declared.orphans() == []


def test_what_may_be_chosen():
    endpoint = build(split_tunnel=False, session_timeout_h=24)[0].one(ENDPOINT)
    assert (endpoint["splitTunnel"], endpoint["sessionTimeoutHours"]) == (False, 24)


def test_its_log_is_encrypted_and_kept_as_long_as_said():
    logs = build()[0].one(LOG_GROUP)
    assert (logs["name"], logs["kmsKeyId"], logs["retentionInDays"]) == ("/shop/prod/vpn", "arn:key:logs", 90)


def test_each_zone_has_a_network_interface():
    declared, _ = build()
    assert [(each.name, each["subnetId"]) for each in declared.all(ASSOCIATION)] == [
        ("vpn-a", "subnet-a"),
        ("vpn-b", "subnet-b"),
    ]


def test_clients_may_send_to_what_is_named_and_ask_for_names():
    declared, _ = build()
    assert {each.name: each["targetNetworkCidr"] for each in declared.all(RULE)} == {
        "vpn-dns": "10.20.0.2/32",
        "vpn-isolated-a": "10.20.128.0/21",
        "vpn-isolated-b": "10.20.136.0/21",
    }
    assert all(each["authorizeAllGroups"] is True for each in declared.all(RULE))


def test_single_sign_on_and_one_group_of_it():
    declared, _ = build(authentication=SIGN_ON)
    assert declared.one(ENDPOINT)["authenticationOptions"] == [
        {"type": "federated-authentication", "samlProviderArn": "arn:saml"}
    ]
    assert all(each["authorizeAllGroups"] is True for each in declared.all(RULE))
    grouped, _ = build(authentication=SingleSignOn(saml_provider_arn="arn:saml", group_id="admins"))
    assert all(each["accessGroupId"] == "admins" for each in grouped.all(RULE))
    assert not any("authorizeAllGroups" in each for each in grouped.all(RULE))


def test_a_further_zone_renames_nothing():
    one, two = build(subnet_ids={"a": "subnet-a"})[0], build()[0]
    assert set(one.names()) < set(two.names())


def test_somebody_who_tries_is_noticed_and_so_is_a_certificate_that_ends():
    _, access = build()
    watches = {watch.name: watch for watch in access.watches}
    assert list(watches) == ["vpn-refused", "vpn-server-expiry", "vpn-client-root-expiry"]
    refused = watches["vpn-refused"]
    assert (refused.metrics[0].namespace, refused.metrics[0].metric_name) == (
        "AWS/ClientVPN",
        "AuthenticationFailures",
    )
    assert watches["vpn-server-expiry"].metrics[0].dimensions == {"CertificateArn": "arn:server"}
    assert [watch.name for watch in build(authentication=SIGN_ON)[1].watches] == [
        "vpn-refused",
        "vpn-server-expiry",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"client_cidr_block": "10.250.0.1/22"}, "client_cidr_block must be an IPv4 block without host bits"),
        ({"client_cidr_block": "10.250.0.0/23"}, "client_cidr_block must be /12 to /22, got 10.250.0.0/23"),
        ({"client_cidr_block": "10.0.0.0/11"}, "client_cidr_block must be /12 to /22, got 10.0.0.0/11"),
        ({"subnet_ids": {}}, "subnet_ids is empty; name at least one subnet"),
        ({"networks": {"x": "10.20.0.1/16"}}, "networks.x must be an IPv4 block without host bits"),
        ({"networks": {"x": "0.0.0.0/0"}}, "networks.x is wider than a VPC, got 0.0.0.0/0"),
        (
            {"networks": {"x": "10.250.0.0/16"}},
            "networks.x 10.250.0.0/16 overlaps client_cidr_block 10.250.0.0/22",
        ),
        ({"networks": {"dns": "10.20.0.0/16"}}, "networks.dns is the resolver's own label; rename it"),
        ({"session_timeout_h": 9}, "session_timeout_h must be one of 8, 10, 12, 24, got 9"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)
