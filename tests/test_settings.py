"""From the two files to Settings: what they hold, which file a fault is in, everything at once."""

import json

import pulumi
import pytest
from pulumi.runtime import config as engine_config

from settings import loader
from settings.loader import SettingsError
from tests.settings_examples import ABSENT, CONFIG, ROOT, database, refusal, settle


@pytest.fixture(scope="module", params=["prod", "staging", "local"])
def stack(request):
    return loader.from_file(ROOT / f"Pulumi.{request.param}.yaml")


def test_every_stack_is_accepted(stack):
    assert stack.name == "rentalfix"
    assert stack.environment == stack.stack
    assert stack.name_prefix == f"rentalfix-{stack.stack}"


def test_every_stack_only_warns_of_memory(stack):
    # RentalFix guide L142 and L150: 200 connections x 64 MB are more than the instance has; the document's own figures.
    assert [warning.split(": ")[1] for warning in stack.warnings] == ["database.parameters.work_mem"]


def test_stacks_have_the_same_keys_in_the_same_order():
    prod, staging = (list(_keys(f"Pulumi.{name}.yaml")) for name in ("prod", "staging"))
    assert prod == staging


def _keys(file):
    """Lines that hold a key, without values and comments, entries of lists left out."""
    for line in (ROOT / file).read_text().splitlines():
        if ":" in line and not line.lstrip().startswith(("#", "-")):
            key = line.split(": ")[0].rstrip(":")
            yield key.removesuffix(" {}").rstrip()


def test_local_makes_all_that_production_makes():
    prod, local = (loader.from_file(ROOT / f"Pulumi.{name}.yaml") for name in ("prod", "local"))
    assert local.hosts.keys() == prod.hosts.keys()
    assert local.enabled_caches.keys() == prod.enabled_caches.keys()
    assert local.caches["cache"].shards == prod.caches["cache"].shards == 3
    assert len(database(local).replicas) == len(database(prod).replicas) == 1
    assert all(service.is_started for service in local.services.values())
    assert local.aws.is_emulated
    assert not prod.aws.is_emulated


def test_production_holds_the_documents_figures():
    settings = settle()
    assert database(settings).parameters == {
        "max_connections": "200",
        "max_prepared_transactions": "100",
        "shared_buffers": "524288",
        "work_mem": "65536",
        "maintenance_work_mem": "524288",
    }
    assert database(settings).max_connections == 200
    assert settings.services["core-matching"].desired_count == 4
    assert settings.ingress.waf.rate_limit.requests == 100
    assert settings.observability.alerts.server_errors_per_5_minutes == 15
    assert settings.backups.retention_days == 30


def test_helpers():
    settings = settle()
    assert settings.region == "us-east-1"
    assert settings.is_production
    assert settings.hosts == {
        "api": "api.rentfix.com",
        "grafana": "grafana.rentfix.com",
        "prometheus": "prometheus.rentfix.com",
    }
    assert settings.connections_at_most == {"core-matching": 140, "worker-ai": 20}
    assert settings.cache_behind("queue") == "queue"


@pytest.mark.parametrize(("image_tag", "is_started"), [(None, False), ("1.0.0", True)])
def test_a_service_without_an_image_tag_is_not_started(image_tag, is_started):
    settings = settle({"services/worker-ai/image_tag": image_tag})
    assert settings.services["worker-ai"].is_started is is_started


def test_hosts_without_grafana_are_only_the_services():
    assert settle({"observability/grafana/enabled": False}).hosts == {"api": "api.rentfix.com"}
    assert settle(system={"observability/grafana/redirects": ABSENT}).hosts == {"api": "api.rentfix.com"}


def test_a_cache_that_is_not_enabled_stands_behind_its_fallback():
    settings = settle({"caches/queue/enabled": False})
    assert settings.cache_behind("queue") == "cache"
    assert list(settings.enabled_caches) == ["cache"]


def test_connections_that_rds_derives_from_memory():
    formula = {"database/parameters/max_connections": "{DBInstanceClassMemory/9531392}"}
    assert database(settle(system=formula)).max_connections is None


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        database(settle()).__setattr__("name", "other")


def test_a_digest_is_an_image_tag():
    tag = "sha256:" + "0" * 64
    assert settle({"services/worker-ai/image_tag": tag}).services["worker-ai"].image_tag == tag


def test_local_origins_are_allowed_outside_production():
    changes = {"environment": "staging", "ingress/cors/allow_origins": ["http://localhost:3000"]}
    cors = settle(changes, name="staging").ingress.cors
    assert cors is not None
    assert cors.allow_origins == ("http://localhost:3000",)


def test_an_emulator_needs_no_allowed_account():
    changes = {"aws:allowedAccountIds": ABSENT, "aws:endpoints": [{"s3": "http://localhost:4566"}]}
    assert settle(changes).aws.is_emulated


def test_a_stack_may_be_named_system_and_environment():
    assert settle(name="rentalfix-prod").environment == "prod"


def test_outside_production_nobody_need_be_told():
    changes = {"environment": "staging", "notifications": {"critical": [], "warning": []}, "protect": False}
    assert settle(changes, name="staging").notifications.critical == ()


# Which file


def test_a_fault_is_told_with_the_file_that_holds_the_value():
    key = "database/parameters/work_mem"
    rest = "must be a whole number of kB, or a formula in braces, got 64MB. Set it to 65536."
    assert refusal(system={key: "64MB"}) == (
        f"systems/rentalfix/system.yaml: database.parameters.work_mem: {rest}",
    )
    assert refusal({key: "64MB"}) == (f"Pulumi.prod.yaml: groundwork:database.parameters.work_mem: {rest}",)


def test_null_in_the_stack_file_takes_a_key_away():
    assert refusal({"services/worker-ai/health": None}) == (
        "Pulumi.prod.yaml: groundwork:services.worker-ai.health: is missing. "
        "Add it: How the platform sees that a task is well.",
    )


def test_an_entry_that_only_the_stack_file_has_is_taken_as_the_nearest():
    entry = json.loads(json.dumps(CONFIG["groundwork:services"]["worker-ai"])) | {"memory_mib": 1}
    lines = refusal({"services/worker-ai": ABSENT, "services/worker": entry})
    assert lines == (
        "Pulumi.prod.yaml: groundwork:services.worker: is not in `services` of systems/rentalfix/system.yaml. "
        "Did you mean worker-ai?",
        "Pulumi.prod.yaml: groundwork:services.worker-ai.memory_mib: must be one of 2048, 3072, 4096, 5120, 6144, "
        "7168, 8192 for cpu 1024 (Fargate sizes), got 1. Set it to 2048.",
    )


def test_an_entry_like_no_other_is_refused_alone():
    assert refusal({"services/billing": {"cpu": 256}}) == (
        "Pulumi.prod.yaml: groundwork:services.billing: is not in `services` of systems/rentalfix/system.yaml. "
        "Known: core-matching, worker-ai.",
    )


# Everything at once


def test_every_problem_is_told_at_once():
    lines = refusal(
        {
            "protect": "no",
            "network/nat_gateway": "single",
            "network/cidr_block": "10.20.0.0/24",
            "database/multi_az": "yes",
            "database/instance_class": ABSENT,
            "services/core-matching/memory_mib": 1000,
            "services/worker-ai/min_count": 9,
            "services/worker-ai/image_tag": "latest",
            "ingress/cors/allow_origins": ["*"],
        },
        {"secrets/api-key/generate/length": 8, "services/core-matching/health": {}},
    )
    assert sorted(line.split(": ")[1] for line in lines) == [
        "groundwork:database.instance_class",
        "groundwork:database.multi_az",
        "groundwork:ingress.cors.allow_origins[0]",
        "groundwork:network.cidr_block",
        "groundwork:network.nat_gateway",
        "groundwork:protect",
        "groundwork:services.core-matching.memory_mib",
        "groundwork:services.worker-ai.image_tag",
        "groundwork:services.worker-ai.min_count",
        "secrets.api-key.generate.length",
        "services.core-matching.health.path",
    ]


def test_nothing_is_said_twice_or_concluded_from_a_wrong_value():
    assert refusal({"aws:region": ABSENT}) == (
        "Pulumi.prod.yaml: aws:region: is missing. Add it: The stack's region.",
    )
    assert len(refusal({"environment": 5})) == 1


def test_a_misspelt_key_is_not_missing_too():
    assert refusal({"network/nat_gateways": ABSENT, "network/nat_gateway": "single"}) == (
        "Pulumi.prod.yaml: groundwork:network.nat_gateway: is not a key of this block. Did you mean nat_gateways?",
    )


def test_keys_missing_in_one_block_are_one_problem():
    assert refusal({"caches/queue": ABSENT}) == (
        "Pulumi.prod.yaml: groundwork:caches.queue: lacks enabled, engine_version, node_type, shards, "
        "replicas_per_shard, snapshot_retention_days. Add them.",
    )


def test_a_value_that_looks_secret_is_never_shown():
    told = "\n".join(
        [
            *refusal({"tags": {"password": 12345678}}),
            *refusal({"domain/name": "https://admin:12345678@rentfix.com"}),
            *refusal({"services/worker-ai/environment": {"DB_PASSWORD": 12345678}}),
            *refusal({"services/worker-ai/secrets": {"DB_PASSWORD": "12345678"}}),
        ]
    )
    assert "12345678" not in told
    assert "a value that is not shown because it looks like a secret" in told


def test_encrypted_settings_are_refused():
    with pytest.raises(SettingsError) as refused:
        loader.load("prod", {"groundwork:tags": "{}"}, encrypted=["groundwork:tags", "aws:secretKey"])
    assert refused.value.lines == (
        "Pulumi.prod.yaml: groundwork:tags: is encrypted, and settings hold no secrets. Name it in `secrets` of the "
        "system file and put its value into Secrets Manager.",
    )


# The system that a stack file names


def told(config, **arguments):
    with pytest.raises(SettingsError) as refused:
        loader.load("prod", config, **arguments)
    return refused.value.lines


def test_a_stack_file_without_settings():
    assert told({}) == (
        "Pulumi.prod.yaml: groundwork:system: is missing. "
        "Set it to the name of a folder in systems/: fixrx, nx-monorepo, rentalfix, sports-nutrition, ts-service.",
    )


def test_an_unknown_system():
    assert told({"groundwork:system": "rentalfox"}) == (
        "Pulumi.prod.yaml: groundwork:system: must be a folder in systems/, got rentalfox. Did you mean rentalfix?",
    )


def test_a_stack_file_under_another_name():
    lines = told({}, stack_file="systems/rentalfix/Pulumi.prod.yaml")
    assert lines[0].startswith("systems/rentalfix/Pulumi.prod.yaml: groundwork:system: is missing.")


def test_a_system_file_that_is_no_yaml(tmp_path):
    file = tmp_path / "systems" / "broken" / "system.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("name: [")
    assert told({"groundwork:system": "broken"}, root=tmp_path) == (
        "systems/broken/system.yaml: is not YAML: line 1: expected the node content, but found '<stream end>'. "
        "Mend that line.",
    )


def test_a_stack_file_that_is_no_yaml(tmp_path):
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  a: 1\n  a: 2\n")
    with pytest.raises(SettingsError) as refused:
        loader.from_file(file)
    assert refused.value.lines == (
        "Pulumi.prod.yaml: line 3: the key a stands twice in one block, first on line 2. Remove one of the two.",
    )


def test_a_stack_file_in_a_systems_folder_is_named_with_it(tmp_path):
    file = tmp_path / "systems" / "other" / "Pulumi.prod.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("")
    with pytest.raises(SettingsError, match=r"^systems/other/Pulumi\.prod\.yaml: is empty\."):
        loader.from_file(file, root=tmp_path)


def test_a_stack_file_whose_config_is_no_mapping(tmp_path):
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config: 5\n")
    with pytest.raises(SettingsError, match="groundwork:system: is missing"):
        loader.from_file(file)


# The engine's configuration


@pytest.fixture
def engine(monkeypatch):
    """The engine's configuration, as a program sees it."""
    before, secret_before = engine_config.CONFIG.get(), engine_config._SECRET_KEYS.get()
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    monkeypatch.delenv("GROUNDWORK_STACK_FILE", raising=False)
    yield engine_config.set_all_config
    engine_config.set_all_config(before, list(secret_before))


def test_from_pulumi(engine):
    engine(loader.as_engine_config(CONFIG), [])
    assert loader.from_pulumi() == loader.from_file(ROOT / "Pulumi.prod.yaml")


def test_from_pulumi_reads_the_environment_too(engine, monkeypatch):
    engine({}, [])
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(loader.as_engine_config(CONFIG)))
    assert loader.from_pulumi().name == "rentalfix"


def test_from_pulumi_refuses_encrypted_settings(engine):
    engine(loader.as_engine_config(CONFIG), ["groundwork:tags"])
    with pytest.raises(pulumi.RunError, match="groundwork:tags: is encrypted"):
        loader.from_pulumi()


def test_from_pulumi_names_the_file_that_was_copied(engine, monkeypatch):
    engine({}, [])
    monkeypatch.setenv("GROUNDWORK_STACK_FILE", "systems/other/Pulumi.prod.yaml")
    with pytest.raises(
        pulumi.RunError, match=r"^systems/other/Pulumi\.prod\.yaml: groundwork:system: is missing"
    ):
        loader.from_pulumi()


def test_engine_values():
    config = loader.as_engine_config({"a": {"b": 1}, "c": True, "d": "x", "e": None, "f": 12})
    assert config == {"a": '{"b": 1}', "c": "true", "d": "x", "e": "null", "f": "12"}
    assert loader._blocks({"groundwork:tags": "{not json"}) == {"tags": "{not json"}
    blocks = loader._blocks({f"groundwork:{key}": text for key, text in config.items()} | {"aws:region": "x"})
    assert blocks == {"a": {"b": 1}, "c": True, "d": "x", "e": None, "f": "12"}
