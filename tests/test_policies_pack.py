"""The pack as the engine sees it: through the SDK's own server, with the values of a preview."""

import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import conversions
import pytest
from analyzer import ByType
from catalogue import RULES
from configuration import problems
from google.protobuf import json_format
from pack import policies
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, policy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE
from rules import Rule, rule

POLICIES = Path(__file__).parent.parent / "policies"
INSTANCE = "aws:rds/instance:Instance"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
BUCKET = "aws:s3/bucket:Bucket"
TOPIC = "aws:sns/topic:Topic"
ACTIVITY = "aws:sfn/activity:Activity"  # no rule is about it


class Engine:
    """Asks the SDK's server what the engine would ask it."""

    def __init__(self, rules=RULES, config=None):
        self.server = ByType("groundwork", "0.1.0", policies(rules), EnforcementLevel.MANDATORY)
        if config:
            self.configure(config)

    def configure(self, config):
        request = proto.ConfigureAnalyzerRequest(policyConfig={k: configured(v) for k, v in config.items()})
        self.server.Configure(request, None)

    def analyze(self, resource_type, props, name="example"):
        request = proto.AnalyzeRequest(type=resource_type, urn=f"urn::{name}", name=name)
        request.properties.update(props)
        return self.server.Analyze(request, None)

    def remediate(self, resource_type, props, name="example"):
        """The properties that come back, None where nothing was changed."""
        request = proto.AnalyzeRequest(type=resource_type, urn=f"urn::{name}", name=name)
        request.properties.update(props)
        changed = [dict(each.properties) for each in self.server.Remediate(request, None).remediations]
        return changed[-1] if changed else None

    def analyze_stack(self, *resources):
        request = proto.AnalyzeStackRequest()
        for name, resource_type, props in resources:
            declared = request.resources.add(type=resource_type, urn=f"urn::{name}", name=name)
            declared.properties.update(props)
        return self.server.AnalyzeStack(request, None)


def configured(settings):
    """As the engine would send it: a level, thresholds, or both."""
    settings = {"enforcementLevel": settings} if isinstance(settings, str) else dict(settings)
    level = settings.pop("enforcementLevel", "mandatory")
    config = proto.PolicyConfig(enforcementLevel=proto.EnforcementLevel.Value(level.upper()))
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
    [diagnostic] = engine.analyze_stack(("topic", TOPIC, {}), ("logs", BUCKET, {})).diagnostics
    assert diagnostic.urn == "urn::logs"
    assert "no BucketServerSideEncryptionConfiguration names the bucket." in diagnostic.message


def test_other_types_are_left_alone():
    response = Engine().analyze(ACTIVITY, {"name": UNKNOWN_STRING_VALUE})
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


def test_a_rule_about_the_whole_stack_has_a_level_too():
    unnamed = ("logs", BUCKET, {"bucket": "logs"})
    [found] = Engine(only("s3-encrypted")).analyze_stack(unnamed).diagnostics
    assert found.enforcementLevel == proto.MANDATORY
    [found] = Engine(only("s3-encrypted"), {"s3-encrypted": "advisory"}).analyze_stack(unnamed).diagnostics
    assert found.enforcementLevel == proto.ADVISORY
    [found] = Engine(only("s3-encrypted"), {"s3-encrypted": "remediate"}).analyze_stack(unnamed).diagnostics
    assert found.enforcementLevel == proto.MANDATORY, "nothing about a whole stack can be mended"
    assert not Engine(only("s3-encrypted"), {"s3-encrypted": "disabled"}).analyze_stack(unnamed).diagnostics


def test_the_stack_is_made_once_for_all_rules_about_it(monkeypatch):
    made = []
    monkeypatch.setattr(
        policy,
        "PolicyResource",
        lambda *given: (
            made.append(given)
            or SimpleNamespace(
                resource_type=given[0],
                props=given[1],
                urn=given[2],
                name=given[3],
                dependencies=[],
                property_dependencies={},
            )
        ),
    )
    rules = [rule for rule in RULES if rule.id in {"s3-encrypted", "s3-block-public", "s3-tls-only"}]
    found = messages(Engine(rules).analyze_stack(("logs", BUCKET, {"bucket": "logs"}), ("topic", TOPIC, {})))
    assert set(found) == {"s3-encrypted", "s3-block-public", "s3-tls-only"}
    assert len(made) == 2


def test_what_was_found_before_an_unknown_value_is_reported_all_the_same():
    props = {"vpcConfig": {"endpointPublicAccess": True}, "encryptionConfig": UNKNOWN_STRING_VALUE}
    engine = Engine(only("eks-cluster-closed"))
    said = messages(engine.analyze("aws:eks/cluster:Cluster", props))["eks-cluster-closed"]
    assert "endpointPublicAccess is true" in said
    waiting = messages(engine.analyze_stack())["not-evaluated"]
    assert "encryptionConfig of example: eks-cluster-closed" in waiting


def test_a_resource_that_a_targeted_run_leaves_out_is_not_judged():
    engine = Engine(only("rds-force-ssl"))
    assert not engine.analyze("aws:rds/parameterGroup:ParameterGroup", {}, "parameters").diagnostics
    assert "  family of parameters: rds-force-ssl" in messages(engine.analyze_stack())["not-evaluated"]


def test_a_document_that_cannot_be_read_is_a_violation():
    said = messages(Engine(only("container-non-root")).analyze(TASK, {"containerDefinitions": "["}))
    assert said["container-non-root"].endswith(
        "containerDefinitions is not a JSON document, so it cannot be judged."
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
    assert len(converted) == len([rule for rule in RULES if INSTANCE in rule.types and not rule.whole_stack])

    converted.clear()
    conversions.share()
    engine = Engine()
    assert messages(engine.analyze(INSTANCE, {"engine": "postgres"})) == before
    assert len(converted) == 1
    assert "storageEncrypted is not set" not in str(
        messages(engine.analyze(INSTANCE, {"storageEncrypted": True}))
    )
    converted.clear()
    engine.analyze_stack(("a", BUCKET, {}), ("b", BUCKET, {}))
    assert len(converted) == 2, "not once for each of the rules about the whole stack"


def test_what_no_rule_is_about_is_not_even_converted(monkeypatch):
    monkeypatch.setattr(policy, "deserialize_properties", None)
    assert not Engine().analyze(ACTIVITY, {}).diagnostics
    with pytest.raises(TypeError):
        Engine().analyze(INSTANCE, {})


def test_a_rule_that_must_know_fails_where_it_cannot():
    rules: list[Rule] = []

    @rule(rules, "topic-named", types=[TOPIC], severity="low", why="Why.", remedy="Name it", must_know=True)
    def topic_named(props):
        """A topic has a name."""
        if not props.get("displayName"):
            yield "it has none"

    engine = Engine(rules)
    response = engine.analyze(TOPIC, {"displayName": UNKNOWN_STRING_VALUE})
    assert messages(response)["topic-named"].endswith(
        "displayName is not known in a preview, and has to be: write the value itself. Name it."
    )
    assert not response.not_applicable
    assert not engine.analyze_stack().diagnostics
    assert not engine.analyze(TOPIC, {"displayName": "alerts"}).diagnostics


def remediating(level):
    rules: list[Rule] = []

    @rule(
        rules,
        "topic-signed",
        types=[TOPIC, BUCKET],
        severity="low",
        why="Why.",
        remedy="Sign",
        remediates={TOPIC: {"signatureVersion": 2}},
    )
    def topic_signed(props, *, minimum: int = 2):
        """A topic signs."""
        if (props.get("signatureVersion") or 1) < minimum:
            yield "it does not"

    return Engine(rules, {"topic-signed": level} if level else None)


def test_nothing_is_changed_unless_the_configuration_says_so():
    assert remediating(None).remediate(TOPIC, {"displayName": "a"}) is None
    assert remediating("mandatory").remediate(TOPIC, {"displayName": "a"}) is None
    assert set(messages(remediating("mandatory").analyze(TOPIC, {}))) == {"topic-signed"}


def test_a_remediation_changes_only_what_the_rule_finds_and_keeps_the_rest():
    engine = remediating("remediate")
    tags = {"team": UNKNOWN_STRING_VALUE, "list": [1, "a", {"b": UNKNOWN_STRING_VALUE}]}
    changed = engine.remediate(TOPIC, {"signatureVersion": 1, "tags": tags})
    assert changed["signatureVersion"] == 2
    assert json_format.MessageToDict(changed["tags"]) == tags
    assert engine.remediate(TOPIC, {"signatureVersion": 2}) is None
    assert engine.remediate(BUCKET, {}) is None, "there is none for this type"
    assert engine.remediate("aws:sqs/queue:Queue", {}) is None


def test_what_is_exempt_is_not_remediated():
    granted = {
        "rule": "topic-signed",
        "resource": "example",
        "reason": "r",
        "owner": "o",
        "expires": "2999-01-01",
    }
    engine = remediating("remediate")
    config = {"topic-signed": "remediate", "exemptions": {"granted": [granted]}}
    engine.configure(config)
    assert engine.remediate(TOPIC, {}) is None
    assert engine.remediate(TOPIC, {}, "another") is not None


def test_a_threshold_counts_for_a_remediation():
    assert remediating({"enforcementLevel": "remediate", "minimum": 1}).remediate(TOPIC, {}) is None


def test_a_rule_is_declared_in_ten_lines():
    rules: list[Rule] = []

    @rule(
        rules,
        "topic-named",
        types=[TOPIC],
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
    said = messages(Engine(rules).analyze(TOPIC, {"displayName": "a"}, "alerts"))
    assert said == {"topic-named": "A topic has a name.\nalerts is short. Do."}


def test_the_readme_names_every_module():
    readme = (POLICIES / "README.md").read_text()
    assert not [
        path.name for path in POLICIES.glob("*.py") if not re.search(rf"`{re.escape(path.name)}`", readme)
    ]
