"""Settings: who is told, how administrators get in, where logs go."""

import pytest

from settings.reach import VPN, Reach, groups, reaches
from settings.references import known_stack_values, stack_names
from tests.settings_examples import ABSENT, PRODUCT, refusal, settle

WEBHOOK = {"secrets/slack-webhook": {"external": "The incoming webhook of #alerts"}}
SLACK = {"severities": ["critical", "warning"], "webhook_secret": "slack-webhook"}
PAGERDUTY = {"severities": ["critical"], "integration_url_secret": "slack-webhook"}
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
VPN_BLOCK = {
    "client_cidr_block": "10.250.0.0/22",
    "server_certificate_arn": CERTIFICATE,
    "client_root_certificate_arn": CERTIFICATE,
    "reaches": ["database", "cache"],
}
IMAGE = {"operations/log_router_image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.2.1"}
LOKI = {"observability/log_router": {"loki": {"host": "logs.example.com"}}}


def vpn(**changes):
    block = {**VPN_BLOCK, **changes}
    return {"admin_access": {"client_vpn": {key: value for key, value in block.items() if value is not None}}}


def routed(**changes):
    return {"observability/log_router": {"loki": {"host": "logs.example.com"}, **changes}}


def test_nobody_has_to_write_any_of_it():
    settings = settle()
    assert (settings.notifications.slack, settings.notifications.pagerduty) == (None, None)
    assert settings.notifications.topic_names.by_severity == {}
    assert settings.notifications.responses.by_severity == {}
    assert settings.admin_access.client_vpn is None
    assert settings.observability.log_router is None
    assert settings.observability.alerts.error_logs_per_5_minutes == 10
    assert VPN not in groups(settings)


def test_receivers_fixed_names_and_promises():
    settings = settle(
        {
            "notifications/slack": SLACK,
            "notifications/pagerduty": PAGERDUTY,
            "notifications/topic_names": {"critical": "prod-alerts"},
            "notifications/responses": {"critical": {"priority": "P1", "within": "15 minutes"}},
        },
        WEBHOOK,
    )
    assert settings.notifications.topic_names.by_severity == {"critical": "prod-alerts"}
    assert settings.notifications.responses.by_severity == {"critical": "P1: answered within 15 minutes"}


@pytest.mark.parametrize(
    ("stack", "system", "sentence"),
    [
        (
            {"notifications/slack": SLACK},
            {},
            "groundwork:notifications.slack.webhook_secret: must be a secret of `secrets`, got",
        ),
        (
            {"notifications/slack": {**SLACK, "webhook_secret": "api-key"}},
            {},
            "groundwork:notifications.slack.webhook_secret: must be an external secret: its value comes from the "
            "other side",
        ),
        (
            {"notifications/pagerduty": {**PAGERDUTY, "integration_url_secret": "sentry-dns"}},
            {},
            "groundwork:notifications.pagerduty.integration_url_secret: must be a secret of `secrets`",
        ),
        (
            {"notifications/slack": {**SLACK, "severities": ["critical", "critical"]}},
            WEBHOOK,
            "groundwork:notifications.slack.severities[1]: must not stand twice, got critical. Remove one",
        ),
        (
            {"notifications/slack": {**SLACK, "severities": ["info"]}},
            WEBHOOK,
            "groundwork:notifications.slack.severities[0]:",
        ),
        (
            {"notifications/slack": {**SLACK, "severities": []}},
            WEBHOOK,
            "groundwork:notifications.slack.severities:",
        ),
        (
            {"notifications/topic_names": {"critical": "alerts", "warning": "alerts"}},
            {},
            "groundwork:notifications.topic_names.warning: must differ from the name of the critical topic, got",
        ),
        (
            {"notifications/topic_names": {"critical": "prod alerts"}},
            {},
            "groundwork:notifications.topic_names.critical: must be up to 256 letters",
        ),
    ],
)
def test_receivers_that_are_refused(stack, system, sentence):
    assert any(sentence in line for line in refusal(stack, system))


def test_a_secret_that_nothing_is_like_is_asked_for():
    (line,) = refusal({"notifications/slack": SLACK}, {"secrets": ABSENT, **_without_secrets()})
    assert line.endswith("Add slack-webhook to secrets, with external: and what it is.")


def _without_secrets():
    """The product without secrets: what its services read of them goes too."""
    return {
        f"services/{name}/secrets/{variable}": ABSENT
        for name, service in PRODUCT["services"].items()
        for variable, template in service["secrets"].items()
        if template.startswith("${secrets.")
    }


def test_clients_of_the_vpn_reach_what_is_named_and_no_more():
    settings = settle(vpn())
    assert VPN in groups(settings)
    assert [reach for reach in reaches(settings) if VPN in (reach.source, reach.target)] == [
        Reach(VPN, "database", 5432, "Queries"),
        Reach(VPN, "cache-cache", 6379, "Cache and queues"),
    ]
    assert not [reach for reach in reaches(settle(vpn(reaches=[]))) if reach.source == VPN]


def test_single_sign_on_takes_a_provider_and_a_group():
    saml = "arn:aws:iam::111122223333:saml-provider/staff"
    settings = settle(
        vpn(client_root_certificate_arn=None, saml_provider_arn=saml, saml_group_id="admins", reaches=[])
    )
    assert settings.admin_access.client_vpn is not None
    assert settings.admin_access.client_vpn.saml_group_id == "admins"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"client_cidr_block": "10.250.0.0/23"}, "client_cidr_block: must be a block from /12 to /22, got"),
        ({"client_cidr_block": "10.0.0.0/11"}, "client_cidr_block: must be a block from /12 to /22, got"),
        (
            {"client_cidr_block": "11.0.0.0/22"},
            "client_cidr_block: must be a private block, got 11.0.0.0/22.",
        ),
        (
            {"client_cidr_block": "10.20.4.0/22"},
            "overlaps 10.20.0.0/16 of network.cidr_block, got 10.20.4.0/22",
        ),
        ({"client_cidr_block": "10.30.4.0/22"}, "overlaps 10.30.0.0/16 of network.reserved_cidr_blocks, got"),
        (
            {"client_root_certificate_arn": None},
            "admin_access.client_vpn: must say either client_root_certificate_arn or saml_provider_arn",
        ),
        (
            {"saml_provider_arn": "arn:aws:iam::111122223333:saml-provider/staff"},
            "admin_access.client_vpn: must say either client_root_certificate_arn or saml_provider_arn",
        ),
        (
            {"saml_group_id": "admins"},
            "saml_group_id: is for single sign-on, and there is no saml_provider_arn",
        ),
        (
            {"server_certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            "server_certificate_arn: must be a certificate of us-east-1 and account 111122223333, got eu-west-1",
        ),
        ({"server_certificate_arn": "my-certificate"}, "must be the ARN of a certificate of ACM"),
        ({"reaches": ["databse"]}, "reaches[0]: must be database, or a cache, broker or service"),
        ({"session_timeout_h": 9}, "session_timeout_h"),
    ],
)
def test_a_vpn_that_is_refused(changes, sentence):
    assert any(sentence in line for line in refusal(vpn(**changes)))


def test_on_kubernetes_there_is_no_sidecar():
    lines = refusal({"compute": "kubernetes", **IMAGE}, LOKI)
    assert any(
        "observability.log_router: is a sidecar of tasks on ECS, got kubernetes." in line for line in lines
    )


def test_logs_go_to_loki_on_the_internet():
    settings = settle(IMAGE, LOKI)
    assert known_stack_values(settings)["logs.loki_url"] == "https://logs.example.com"
    assert settings.has_log_router("worker-ai")
    assert settings.loki_behind("worker-ai") is None
    assert "logs.loki_url" not in stack_names(settle())


def test_logs_go_to_a_service_of_the_system_and_its_own_do_not_go_in_circles():
    settings = settle(IMAGE, {"observability/log_router": {"loki": {"service": "core-matching"}}})
    assert known_stack_values(settings)["logs.loki_url"] == "http://core-matching:4400"
    assert Reach("worker-ai", "core-matching", 4400, "Calls core-matching") in reaches(settings)
    assert not settings.has_log_router("core-matching")
    assert settings.has_log_router("worker-ai")


def test_a_service_may_be_left_out():
    settings = settle(IMAGE, routed(except_services=["worker-ai"]))
    assert not settings.has_log_router("worker-ai")
    assert settings.has_log_router("core-matching")


@pytest.mark.parametrize(
    ("stack", "router", "sentence"),
    [
        ({}, {}, "operations.log_router_image: is missing, and observability.log_router needs it"),
        (IMAGE, {"loki": None}, "observability.log_router: must name loki, datadog or https"),
        (IMAGE, {"loki": {}}, "log_router.loki: must say either host or service"),
        (
            IMAGE,
            {"loki": {"host": "logs.example.com", "service": "core-matching"}},
            "log_router.loki: must say either host or service",
        ),
        (IMAGE, {"loki": {"service": "loki"}}, "log_router.loki.service: must be a service with a port, got"),
        (
            IMAGE,
            {"loki": {"host": "logs.example.com", "port": 3100}},
            "log_router.loki.port: must be 443, the only port of the internet",
        ),
        (IMAGE, {"loki": {"host": "https://logs"}}, "log_router.loki.host: must be a host name"),
        (
            IMAGE,
            {"datadog": {"site": "datadoghq.com", "api_key_secret": "api-key"}},
            "log_router.datadog.api_key_secret: must be an external secret of `secrets`, got",
        ),
        (
            IMAGE,
            {"https": {"host": "in.example.com", "secret": "nothing"}},
            "log_router.https.secret: must be an external secret of `secrets`",
        ),
        (IMAGE, {"except_services": ["worker"]}, "except_services[0]: must be a service of `services`, got"),
    ],
)
def test_a_router_that_is_refused(stack, router, sentence):
    lines = refusal(stack, routed(**router))
    assert any(sentence in line for line in lines), lines
