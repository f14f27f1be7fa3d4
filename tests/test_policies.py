"""Each resource rule against a good resource with one thing spoiled: that rule says so, and no other."""

import re
from pathlib import Path

import credentials
import pulumi_policy
import pytest
from catalogue import RULES, TOPICS
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy
from rules import Rule, Unreadable

from tests.policy_examples import (
    BALANCER,
    BROKER,
    BYTES,
    CACHE_CLUSTER,
    CACHE_PARAMETERS,
    CACHE_USER,
    CLUSTER,
    FUNCTION,
    GOOD,
    GROUP,
    GROUP_RULE,
    INGRESS,
    INGRESS_RULE,
    INSTANCE,
    LEFT_OUT,
    LISTENER,
    NEVER_GOOD,
    OFFENCES,
    PARAMETERS,
    PASSWORD,
    REPLICATION_GROUP,
    REPOSITORY,
    SECRET,
    SERVICE,
    TARGETS,
    TASK,
    THRESHOLDS,
    TRIED_ELSEWHERE,
    container,
    ingress,
    ingress_rule,
    opened,
    spoiled,
    variable,
)

BY_ID = {rule.id: rule for rule in RULES}
RESOURCE_RULES = [rule for rule in RULES if not rule.whole_stack]


def run(rule: Rule, props, resource_type, name="example", **settings):
    asked = {"name": name, "resource_type": resource_type}
    return list(rule.check(unknown_checking_proxy(props), *(asked[what] for what in rule.takes), **settings))


def fired(props, resource_type, name="example"):
    """What every rule for this type says, by rule."""
    said = {
        rule.id: run(rule, props, resource_type, name)
        for rule in RESOURCE_RULES
        if resource_type in rule.types
    }
    return {rule_id: findings for rule_id, findings in said.items() if findings}


CASES = [
    pytest.param(rule_id, resource_type, changes, finding, id=f"{rule_id}: {finding}")
    for rule_id, by_type in OFFENCES.items()
    for resource_type, offences in by_type.items()
    for changes, finding in offences
]

# Offences that are two at once: an address range that is the world, on a port that has a rule of its own.
ALSO = {"no-ssh-open-world": {"sg-no-open-ingress"}}


@pytest.mark.parametrize("resource_type", sorted(set(GOOD) - NEVER_GOOD))
def test_no_rule_complains_about_a_good_resource(resource_type):
    assert fired(GOOD[resource_type], resource_type) == {}


@pytest.mark.parametrize(("rule_id", "resource_type", "changes", "finding"), CASES)
def test_the_rule_finds_the_spoiled_property_and_no_other_rule_does(rule_id, resource_type, changes, finding):
    said = fired(spoiled(resource_type, changes), resource_type)
    assert said[rule_id] == [finding]
    assert set(said) - {rule_id} == ALSO.get(rule_id, set())


@pytest.mark.parametrize(
    ("resource_type", "changes"),
    [
        (GROUP, opened("-1", (0, 0), cidrBlocks=["0.0.0.0/0"])),
        (INGRESS_RULE, ingress_rule("-1", (0, 0), cidrIpv4="0.0.0.0/0")),
    ],
)
def test_every_protocol_is_every_port(resource_type, changes):
    said = fired(spoiled(resource_type, changes), resource_type)
    assert said["sg-no-open-ingress"] == ['opens all ports to "0.0.0.0/0"']
    assert said["no-ssh-open-world"] == ['opens all ports to "0.0.0.0/0", and with it 22, 3389']
    assert said["sg-no-open-data-ports"][0].startswith('opens all ports to "0.0.0.0/0", and with it 5432, ')
    assert set(said) == {"sg-no-open-ingress", "no-ssh-open-world", "sg-no-open-data-ports"}


def test_a_log_router_may_be_root_and_nothing_more():
    router = {"firelensConfiguration": {"type": "fluentbit"}, "user": "0"}
    assert fired(spoiled(TASK, container(**router)), TASK) == {}
    privileged = fired(spoiled(TASK, container(**router, privileged=True)), TASK)
    assert privileged["container-non-root"] == ["container api: privileged is true"]


@pytest.mark.parametrize(
    ("resource_type", "changes"),
    [
        (INSTANCE, {"replicateSourceDb": "rentfix-primary", "multiAz": False, "backupRetentionPeriod": 0}),
        (INSTANCE, {"replicateSourceDb": "a", "storageEncrypted": LEFT_OUT, "skipFinalSnapshot": True}),
        (INSTANCE, {"replicateSourceDb": "a", "engine": LEFT_OUT, "engineVersion": LEFT_OUT}),
        (INSTANCE, {"engine": "db2-se", "parameterGroupName": LEFT_OUT, "engineVersion": "11.5"}),
        (PARAMETERS, {"family": "db2-se-11.5", "parameters": []}),
        (INSTANCE, {"autoMinorVersionUpgrade": LEFT_OUT}),
        (REPLICATION_GROUP, {"authToken": LEFT_OUT, "userGroupIds": ["app"], "parameterGroupName": LEFT_OUT}),
        (REPLICATION_GROUP, {"numNodeGroups": LEFT_OUT, "numCacheClusters": 2}),
        (CACHE_CLUSTER, {"engine": LEFT_OUT, "replicationGroupId": "sessions"}),
        (CACHE_PARAMETERS, {"family": "memcached1.6", "parameters": LEFT_OUT}),
        (CACHE_USER, {"accessString": "on ~app::* -@all +get +set"}),
        (GROUP, opened("tcp", (443, 443), prefixListIds=["pl-cloudfront"])),
        (GROUP, opened("tcp", (8080, 8080), cidrBlocks=["10.0.0.0/8", "not an address"])),
        (GROUP_RULE, {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]}),
        (TASK, container(healthCheck=LEFT_OUT, portMappings=[])),
        (TASK, container(healthCheck=LEFT_OUT, essential=False)),
        (TASK, container(image=f"node@sha256:{'a' * 64}")),
        (TASK, variable("JWT_TOKEN_TTL", "900")),
        (TASK, variable("OAUTH_TOKEN_URL", "https://login.rentfix.com/token")),
        (TASK, variable("OPTIONAL_API_KEY", "")),
        (FUNCTION, {"environment": LEFT_OUT}),
        (SERVICE, {"deploymentController": {"type": "CODE_DEPLOY"}, "deploymentCircuitBreaker": LEFT_OUT}),
        (SERVICE, {"networkConfiguration": LEFT_OUT}),
        (REPOSITORY, {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}),
        (SECRET, {"secretString": LEFT_OUT}),
        (PASSWORD, {"special": False}),
        (LISTENER, {"protocol": "TCP", "sslPolicy": LEFT_OUT}),
        (
            LISTENER,
            {"protocol": "HTTP", "defaultActions": [{"type": "redirect", "redirect": {"protocol": "HTTPS"}}]},
        ),
        (BALANCER, {"loadBalancerType": "network", "dropInvalidHeaderFields": LEFT_OUT}),
        (TARGETS, {"protocol": "TCP", "healthCheck": LEFT_OUT}),
        (INGRESS, {"metadata": LEFT_OUT, "spec": {"ingressClassName": "nginx"}}),
        (INGRESS, ingress(listen_ports=LEFT_OUT, ssl_redirect=LEFT_OUT)),
        (INGRESS, ingress(listen_ports='[{"HTTPS": 443}]', ssl_redirect=LEFT_OUT)),
        (
            INGRESS,
            ingress(
                ssl_policy=UNKNOWN_STRING_VALUE,
                certificate_arn=UNKNOWN_STRING_VALUE,
                healthcheck_path=UNKNOWN_STRING_VALUE,
            ),
        ),
        ("aws:kms/key:Key", {"enableKeyRotation": LEFT_OUT, "keyUsage": "SIGN_VERIFY"}),
        ("aws:kms/key:Key", {"enableKeyRotation": LEFT_OUT, "customerMasterKeySpec": "RSA_4096"}),
        ("aws:iam/role:Role", {"inlinePolicies": LEFT_OUT}),
    ],
)
def test_what_a_rule_does_not_ask_for_is_no_offence(resource_type, changes):
    assert fired(spoiled(resource_type, changes), resource_type) == {}


def test_a_secret_that_signs_tokens_is_known_by_its_name():
    short = {"length": 32}
    assert fired(short, PASSWORD, "session-key") == {}
    assert fired(short, PASSWORD, "jwt-secret")["jwt-secret-strength"] == [
        "length is 32, which is 32 characters of at least 64"
    ]
    assert fired(short, BYTES, "jwt-secret")["jwt-secret-strength"] == [
        "length is 32, which is 42 characters of at least 64"
    ]
    assert fired({"length": 48}, BYTES, "jwt-secret") == {}


@pytest.mark.parametrize("resource_type", sorted(NEVER_GOOD))
def test_static_keys_are_named_unless_allowed(resource_type):
    rule = BY_ID["iam-no-static-keys"]
    assert run(rule, GOOD[resource_type], resource_type) == ['"legacy" is a user with keys of its own']
    assert run(rule, GOOD[resource_type], resource_type, "smtp", allowed=["smtp"]) == []


@pytest.mark.parametrize(("rule_id", "resource_type", "changes", "settings"), THRESHOLDS)
def test_a_threshold_can_be_set(rule_id, resource_type, changes, settings):
    props = spoiled(resource_type, changes)
    assert run(BY_ID[rule_id], props, resource_type)
    assert run(BY_ID[rule_id], props, resource_type, **settings) == []


def test_every_threshold_is_tried():
    tried = {(rule_id, name) for rule_id, _, _, settings in THRESHOLDS for name in settings}
    tried |= {("iam-no-static-keys", "allowed"), ("jwt-secret-strength", "minimum_length"), *TRIED_ELSEWHERE}
    assert tried == {(rule.id, name) for rule in RULES for name in rule.settings}


def test_a_log_that_is_kept_for_ever_stays_an_offence_whatever_the_threshold():
    assert run(
        BY_ID["log-retention-set"], {"retentionInDays": 0}, "aws:cloudwatch/logGroup:LogGroup", minimum_days=0
    )


# Rules about a type that has a document, which look at something else of it.
BESIDE_THE_DOCUMENT = {"task-files-encrypted"}


@pytest.mark.parametrize(
    ("resource_type", "changes", "name"),
    [
        (TASK, {"containerDefinitions": "[{"}, "containerDefinitions is not a JSON document"),
        (
            TASK,
            {"containerDefinitions": '{"name": "api"}'},
            "containerDefinitions is not a JSON list of containers",
        ),
        ("aws:iam/policy:Policy", {"policy": "*"}, "policy is not a JSON document"),
        ("aws:iam/policy:Policy", {"policy": "[1]"}, "policy is not an IAM policy document"),
    ],
)
def test_a_document_that_cannot_be_read_is_never_passed_over(resource_type, changes, name):
    for rule in RESOURCE_RULES:
        if resource_type in rule.types and rule.id not in BESIDE_THE_DOCUMENT:
            with pytest.raises(Unreadable, match=re.escape(name)):
                run(rule, spoiled(resource_type, changes), resource_type)


@pytest.mark.parametrize("rule_id", ["rds-encrypted", "rds-multi-az"])
def test_a_value_that_is_not_known_yet_stops_the_rule(rule_id):
    props = spoiled(INSTANCE, {"storageEncrypted": UNKNOWN_STRING_VALUE, "multiAz": UNKNOWN_STRING_VALUE})
    with pytest.raises(UnknownValueError):
        run(BY_ID[rule_id], props, INSTANCE)


def test_attributes_of_an_ingress_that_hold_an_unknown_bucket_stop_the_rule():
    props = spoiled(INGRESS, ingress(load_balancer_attributes=UNKNOWN_STRING_VALUE))
    with pytest.raises(UnknownValueError):
        run(BY_ID["alb-hardening"], props, INGRESS)


def test_a_value_from_another_resource_is_as_good_as_any_where_only_a_literal_can_be_wrong():
    props = spoiled(INSTANCE, {"parameterGroupName": UNKNOWN_STRING_VALUE, "replicateSourceDb": LEFT_OUT})
    assert run(BY_ID["rds-force-ssl"], props, INSTANCE) == []
    props = spoiled(
        REPLICATION_GROUP, {"authToken": UNKNOWN_STRING_VALUE, "parameterGroupName": UNKNOWN_STRING_VALUE}
    )
    assert run(BY_ID["cache-auth-required"], props, REPLICATION_GROUP) == []
    assert run(BY_ID["cache-dangerous-commands-blocked"], props, REPLICATION_GROUP) == []
    assert fired(props, REPLICATION_GROUP) == {}
    assert run(BY_ID["no-default-secrets"], {"secretString": UNKNOWN_STRING_VALUE}, SECRET) == []
    props = spoiled(INGRESS_RULE, {"referencedSecurityGroupId": UNKNOWN_STRING_VALUE})
    assert fired(props, INGRESS_RULE) == {}


CANARY = "changeme:canary@"  # weak, a placeholder, and part of a URL with credentials


@pytest.mark.parametrize(
    ("resource_type", "changes"),
    [
        (TASK, variable("DB_PASSWORD", CANARY)),
        (TASK, variable("UPSTREAM", f"postgres://{CANARY}db/rentfix")),
        (FUNCTION, {"environment.variables": {"API_KEY": CANARY}}),
        (INSTANCE, {"password": CANARY}),
        (CLUSTER, {"masterPassword": CANARY}),
        (REPLICATION_GROUP, {"authToken": CANARY}),
        (BROKER, {"users": [{"username": "app", "password": CANARY}]}),
        (SECRET, {"secretString": CANARY}),
        (SECRET, {"secretString": f'{{"password": "{CANARY}"}}'}),
    ],
)
def test_no_finding_shows_a_secret(resource_type, changes):
    said = fired(spoiled(resource_type, changes), resource_type)
    assert said
    assert not [finding for findings in said.values() for finding in findings if "canary" in finding]


# The pack as a whole


def test_ids_are_unique_and_each_rule_says_why_and_what_to_do():
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert rule.what.endswith("."), rule.id
        assert rule.why.endswith("."), rule.id
        assert rule.remedy, rule.id
        assert not rule.remedy.endswith("."), rule.id
        assert rule.types, rule.id
        assert rule.checklist, rule.id


def test_the_catalogue_holds_every_topic():
    folder = Path(__file__).parent.parent / "policies"
    declaring = {path.stem for path in folder.glob("*.py") if "\nRULES: list[Rule] = []" in path.read_text()}
    assert declaring == {topic.__name__ for topic in TOPICS}


def test_every_resource_rule_is_broken_for_every_type_it_looks_at():
    tried = {(rule_id, resource_type) for rule_id, by_type in OFFENCES.items() for resource_type in by_type}
    tried |= {("iam-no-static-keys", resource_type) for resource_type in NEVER_GOOD}
    tried |= {("jwt-secret-strength", resource_type) for resource_type in (PASSWORD, BYTES)}
    asked = {(rule.id, first_name(resource_type)) for rule in RESOURCE_RULES for resource_type in rule.types}
    assert {(rule_id, first_name(resource_type)) for rule_id, resource_type in tried} == asked


def first_name(resource_type):
    """Some types have two names in the SDK, for the same arguments."""
    return resource_type.replace("aws:alb/", "aws:lb/").replace("V2", "")


def test_every_type_and_property_exists_in_the_sdk():
    """Read from the SDK's source: importing it would take longer than all of these tests."""
    packages = Path(pulumi_policy.__file__).parent.parent
    for resource_type in sorted({resource_type for rule in RULES for resource_type in rule.types}):
        package, place, kind = resource_type.split(":")
        module, _, resource = place.partition("/")
        if package == "kubernetes":
            module = re.sub(r"(\.authorization)?\.k8s\.io", "", place)
        module = {"lambda": "lambda_", "index": ""}.get(module, module)
        file = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", resource).lower()
        if package == "kubernetes":
            file = kind
        source = (packages / f"pulumi_{package}" / module / f"{file}.py").read_text(encoding="utf-8")
        assert f'"{resource_type}"' in source
        known = set(re.findall(r'@pulumi\.getter\(name="(\w+)"\)', source))
        known |= set(re.findall(r"@pulumi\.getter\n(?:    @\S+\n)*    def (\w+)", source))
        assert set(GOOD.get(resource_type, {})) <= known, resource_type


def test_a_generated_value_may_hold_a_placeholders_letters_by_chance():
    assert not credentials.is_default("k3Todo9example$<Ab!>xxxxQ7your2replace#dummyZ")
    assert credentials.is_default("<password>")
    assert credentials.is_default("please change-this")
