"""The pack as the engine sees it: through the SDK's own server, with the values of a preview."""

import json
import re
import runpy
from pathlib import Path

import conversions
import pytest
from catalogue import RULES
from configuration import problems
from pack import policies
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, policy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE
from rules import Rule, rule

POLICIES = Path(__file__).parent.parent / "policies"
INSTANCE = "aws:rds/instance:Instance"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
BUCKET = "aws:s3/bucket:Bucket"


class Engine:
    """Asks the SDK's server what the engine would ask it."""

    def __init__(self, rules=RULES, config=None):
        self.server = policy._PolicyAnalyzerServicer(
            "groundwork", "0.1.0", policies(rules), EnforcementLevel.MANDATORY
        )
        if config:
            self.server.Configure(
                proto.ConfigureAnalyzerRequest(policyConfig={k: configured(v) for k, v in config.items()}),
                None,
            )

    def analyze(self, resource_type, props, name="example"):
        request = proto.AnalyzeRequest(type=resource_type, urn=f"urn:{name}", name=name)
        request.properties.update(props)
        return self.server.Analyze(request, None)

    def analyze_stack(self, *resources):
        request = proto.AnalyzeStackRequest()
        for name, resource_type, props in resources:
            declared = request.resources.add(type=resource_type, urn=f"urn:{name}", name=name)
            declared.properties.update(props)
        return self.server.AnalyzeStack(request, None)


def configured(settings):
    config = proto.PolicyConfig(enforcementLevel=proto.MANDATORY)
    config.properties.update(settings)
    return config


def messages(response):
    return {diagnostic.policyName: diagnostic.message for diagnostic in response.diagnostics}


def only(rule_id):
    return [rule for rule in RULES if rule.id == rule_id]


def test_a_violation_says_what_should_hold_what_is_wrong_and_what_to_do():
    engine = Engine(only("rds-multi-az"))
    [diagnostic] = engine.analyze(INSTANCE, {"engine": "postgres", "multiAz": False}).diagnostics
    assert diagnostic.policyName == "rds-multi-az"
    assert diagnostic.message == (
        "A database has a standby in another zone; read replicas need none.\n"
        "multiAz is false. Set multiAz to true (stack file: database.multi_az)."
    )
    assert diagnostic.enforcementLevel == proto.MANDATORY
    assert diagnostic.severity == proto.POLICY_SEVERITY_MEDIUM


def test_a_rule_that_only_advises_does_not_stop_the_deployment():
    engine = Engine(only("rds-log-exports"))
    [diagnostic] = engine.analyze(INSTANCE, {"engine": "postgres"}).diagnostics
    assert diagnostic.enforcementLevel == proto.ADVISORY


def test_a_violation_among_several_resources_names_its_own():
    engine = Engine(only("s3-encrypted"))
    [diagnostic] = engine.analyze_stack(
        ("topic", "aws:sns/topic:Topic", {}), ("logs", BUCKET, {})
    ).diagnostics
    assert diagnostic.urn == "urn:logs"
    assert "no BucketServerSideEncryptionConfiguration names the bucket." in diagnostic.message


def test_other_types_are_left_alone():
    response = Engine().analyze("aws:sns/topic:Topic", {"displayName": UNKNOWN_STRING_VALUE})
    assert not response.diagnostics
    assert not response.not_applicable


def test_what_is_not_known_yet_is_neither_passed_nor_failed_but_reported():
    engine = Engine()
    response = engine.analyze(TASK, {"family": "api", "containerDefinitions": UNKNOWN_STRING_VALUE}, "api")
    assert not response.diagnostics
    waiting = {skipped.policy_name for skipped in response.not_applicable}
    assert {"container-non-root", "container-image-pinned", "no-plaintext-secrets-in-env"} <= waiting
    assert "containerDefinitions can't be known during preview" in response.not_applicable[0].reason

    [diagnostic] = engine.analyze_stack().diagnostics
    assert diagnostic.policyName == "not-evaluated"
    assert diagnostic.enforcementLevel == proto.ADVISORY
    assert f"{len(waiting)} checks wait for values that only `pulumi up` will know:" in diagnostic.message
    assert f"  containerDefinitions of api: {', '.join(sorted(waiting))}" in diagnostic.message
    assert not engine.analyze_stack().diagnostics, "the account starts anew with each deployment"


def test_resources_that_wait_for_the_same_are_one_line():
    engine = Engine(only("container-non-root"))
    for name in ("worker", "api"):
        engine.analyze(TASK, {"containerDefinitions": UNKNOWN_STRING_VALUE}, name)
    said = messages(engine.analyze_stack())["not-evaluated"]
    assert said.endswith(
        "2 checks wait for values that only `pulumi up` will know:\n"
        "  containerDefinitions of api, worker: container-non-root"
    )


def test_a_stack_rule_that_meets_an_unknown_value_judges_the_other_resources():
    props = {"bucket": "logs", "policy": UNKNOWN_STRING_VALUE}
    response = Engine(only("s3-tls-only")).analyze_stack(
        ("logs", BUCKET, {"bucket": "logs"}),
        ("uploads", BUCKET, {"bucket": "uploads"}),
        ("logs-policy", "aws:s3/bucketPolicy:BucketPolicy", props),
    )
    assert "no BucketPolicy names the bucket" in messages(response)["s3-tls-only"]
    assert "  policy of logs: s3-tls-only" in messages(response)["not-evaluated"]


def test_what_was_found_before_an_unknown_value_is_reported_all_the_same():
    props = {"engine": "postgres", "deletionProtection": False, "skipFinalSnapshot": UNKNOWN_STRING_VALUE}
    engine = Engine(only("rds-deletion-protection"))
    assert (
        "deletionProtection is false" in messages(engine.analyze(INSTANCE, props))["rds-deletion-protection"]
    )
    assert (
        "skipFinalSnapshot of example: rds-deletion-protection"
        in messages(engine.analyze_stack())["not-evaluated"]
    )


def test_a_document_that_cannot_be_read_is_a_violation():
    said = messages(Engine(only("container-non-root")).analyze(TASK, {"containerDefinitions": "["}))
    assert said["container-non-root"].endswith(
        "containerDefinitions is not a JSON document, so it cannot be judged"
    )


def test_a_threshold_comes_from_the_configuration():
    engine = Engine(only("rds-backup-retention"), {"rds-backup-retention": {"minimum_days": 7}})
    assert not engine.analyze(INSTANCE, {"backupRetentionPeriod": 7}).diagnostics
    said = messages(engine.analyze(INSTANCE, {"backupRetentionPeriod": 6}))["rds-backup-retention"]
    assert "backupRetentionPeriod is 6, at least 7 days are asked for." in said


def test_a_list_comes_from_the_configuration():
    engine = Engine(only("no-debug-ports"), {"no-debug-ports": {"ports": [1234]}})
    rule_of_a_group = {"ipProtocol": "tcp", "fromPort": 1234, "toPort": 1234}
    said = messages(
        engine.analyze("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", rule_of_a_group)
    )
    assert "opens port 1234, and with it 1234." in said["no-debug-ports"]


def test_a_misspelt_threshold_is_a_violation():
    engine = Engine(only("rds-backup-retention"), {"rds-backup-retention": {"minimun_days": 1}})
    said = messages(engine.analyze(INSTANCE, {"backupRetentionPeriod": 30}))["rds-backup-retention"]
    assert said.endswith(
        "the policy configuration sets minimun_days, which rds-backup-retention does not have "
        "(its settings: minimum_days)"
    )


def test_a_threshold_is_declared_to_the_engine():
    [declared] = [
        info
        for info in Engine().server.GetAnalyzerInfo(None, None).policies
        if info.name == "jwt-secret-strength"
    ]
    assert dict(declared.configSchema.properties["minimum_length"]) == {
        "type": "integer",
        "minimum": 32,
        "default": 64,
    }


@pytest.mark.parametrize("path", sorted((POLICIES / "config").glob("*.json")), ids=lambda path: path.stem)
def test_each_configuration_names_only_what_exists(path):
    assert list(problems(json.loads(path.read_text()), RULES)) == []


def test_production_relaxes_nothing():
    assert json.loads((POLICIES / "config" / "prod.json").read_text()) == {}


def test_a_configuration_that_names_what_does_not_exist():
    config = {
        "rds-multiaz": "advisory",
        "rds-backup-retention": {"enforcementLevel": "advisory", "minimum_day": 1},
        "not-evaluated": "mandatory",
        "all": "advisory",
        "xyz": "disabled",
    }
    assert list(problems(config, RULES)) == [
        "rds-multiaz is not a rule of this pack; did you mean rds-multi-az?",
        "rds-backup-retention has no setting minimum_day, it has enforcementLevel, minimum_days; "
        "did you mean minimum_days?",
        "xyz is not a rule of this pack",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"rds-multiaz": "advisory"}',
            "{path}: rds-multiaz is not a rule of this pack; did you mean rds-multi-az?",
        ),
        ('{"rds-multi-az": "advisory"}', 0),
    ],
)
def test_a_configuration_is_checked_from_the_shell(tmp_path, monkeypatch, text, said):
    path = tmp_path / "config.json"
    path.write_text(text)
    monkeypatch.setattr("sys.argv", ["configuration.py", str(path)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(POLICIES / "configuration.py"), run_name="__main__")
    assert ended.value.code == (said and said.format(path=path))


def test_a_resource_is_converted_once_for_all_rules(monkeypatch):
    converted = []
    convert = policy.deserialize_properties

    def count(props, *rest):
        converted.append(props)
        return convert(props, *rest)

    for name in ("json_format", "unknown_checking_proxy"):
        monkeypatch.setattr(policy, name, getattr(policy, name))
    monkeypatch.setattr(policy, "deserialize_properties", count)
    before = messages(Engine().analyze(INSTANCE, {"engine": "postgres"}))
    assert len(converted) == len([rule for rule in RULES if not rule.whole_stack])

    converted.clear()
    conversions.share()
    engine = Engine()
    assert messages(engine.analyze(INSTANCE, {"engine": "postgres"})) == before
    assert len(converted) == 1
    assert "storageEncrypted is not set" not in str(
        messages(engine.analyze(INSTANCE, {"storageEncrypted": True}))
    )
    engine.analyze_stack(("a", BUCKET, {}), ("b", BUCKET, {}))
    assert len(converted) == 4, "two resources by themselves, two in the stack"


def test_a_rule_is_declared_in_ten_lines():
    rules: list[Rule] = []

    @rule(
        rules,
        "topic-named",
        types=["aws:sns/topic:Topic"],
        severity="low",
        why="Why.",
        remedy="Do",
        checklist=["C1"],
    )
    def topic_named(props, name, *, minimum: int = 3):
        """A topic has a name."""
        if len(props.get("displayName") or "") < minimum:
            yield f"{name} is short"

    assert [topic.settings for topic in rules] == [{"minimum": {"type": "integer", "default": 3}}]
    said = messages(Engine(rules).analyze("aws:sns/topic:Topic", {"displayName": "a"}, "alerts"))
    assert said == {"topic-named": "A topic has a name.\nalerts is short. Do."}


def test_the_readme_names_every_module():
    readme = (POLICIES / "README.md").read_text()
    assert not [
        path.name for path in POLICIES.glob("*.py") if not re.search(rf"`{re.escape(path.name)}`", readme)
    ]
