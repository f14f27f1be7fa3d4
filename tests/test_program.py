"""The whole program, stack by stack: what it declares, under which names, and what never leaves it."""

import json
import re

import pytest

from tests.policy_stack import configuration_of, violations
from tests.program import ALL_STACKS, STACKS, configuration, declared, run
from wiring.dumps import dump_disk_gib

PASSWORD = "random:index/randomPassword:RandomPassword"
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SYSTEMS = sorted({stack.rpartition("/")[0] + "/" if "/" in stack else "" for stack in ALL_STACKS})
GENERATED = re.compile(r"Aa1-[0-9a-f]{8}|Ynl0ZXMt\w{8}")  # by the recorder's RandomPassword and RandomBytes
INSTANCE = "aws:rds/instance:Instance"
GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_everything_hangs_from_a_component(stack):
    """All but the hosted zone, where a stack makes its own: it has nothing beside it."""
    assert set(declared(stack).orphans()) <= {"zone"}


@pytest.mark.parametrize("stack", [*STACKS, *(stack for stack in ALL_STACKS if stack.endswith("/prod"))])
def test_nothing_is_created_inside_apply(stack):
    """A preview, which knows no outputs, sees every resource that an update makes."""
    assert run(stack, preview=True).names() == declared(stack).names()


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_generated_secrets_only_travel_as_secrets(stack):
    recorded = declared(stack)
    open_inputs = [
        (resource.name, key)
        for resource in recorded
        for key, value in resource.inputs.items()
        if key not in resource.secrets and GENERATED.search(json.dumps(value, default=str))
    ]
    assert recorded.all(PASSWORD), "there are secrets to look for"
    assert not open_inputs
    assert not GENERATED.search(json.dumps(recorded.value, default=str)), "nor as an output"


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_the_policies_find_nothing_that_matters(stack):
    """With every value known, as after `pulumi up`: the preview's unknowns hide nothing."""
    assert not violations(declared(stack), configuration_of(stack))


@pytest.mark.parametrize("system", SYSTEMS)
def test_local_is_productions_shape(system):
    """Whatever production is made of, `make up` exercises."""
    kinds = {
        stack: {resource.type for resource in declared(f"{system}{stack}")} for stack in ("prod", "local")
    }
    # An account has one provider of an issuer, and several products may stand in one emulator.
    kinds["prod"] -= {"aws:iam/openIdConnectProvider:OpenIdConnectProvider"}
    # A vault's policy against deletion is what protection means for it, and nothing local is protected.
    assert kinds["prod"] - kinds["local"] == {"aws:backup/vaultPolicy:VaultPolicy"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_production_protects_what_holds_data(system):
    protected = {resource.type for resource in declared(f"{system}prod") if resource.protect}
    assert protected >= {INSTANCE, GROUP, "aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:backup/vault:Vault"}
    assert not [resource for resource in declared(f"{system}local") if resource.protect]


@pytest.mark.parametrize("system", SYSTEMS)
def test_staging_and_production_have_the_same_keys_in_the_same_order(system):
    """So that their diff is the difference of the two stacks."""

    assert list(configuration(f"{system}prod")) == list(configuration(f"{system}staging"))


def test_adding_a_zone_moves_nothing():
    config = configuration("staging")
    config["groundwork:network"]["zones"].append("us-east-1c")
    before, after = declared("staging"), run("staging", config)
    assert set(before.names()) < set(after.names())
    moved = {"cidrBlock", "availabilityZone", "mapPublicIpOnLaunch"}
    subnet = "aws:ec2/subnet:Subnet"
    for resource in before.all(subnet):
        same = after.one(subnet, resource.name)
        assert {key: resource.get(key) for key in moved} == {key: same.get(key) for key in moved}


def test_adding_a_replica_moves_nothing():
    config = configuration("prod")
    replica = {"identifier": "rentfix-replica-2", "instance_class": "db.r6g.large"}
    config["groundwork:database"]["replicas"].insert(0, replica)
    before, after = declared("prod"), run("prod", config)
    assert set(before.names()) < set(after.names())


def test_a_service_without_an_image_tag_is_not_started():
    """A first deployment: everything but the service is made, and the outputs say what to push."""
    config = configuration("prod")
    for service in config["groundwork:services"].values():
        service["image_tag"] = None
    first, later = run("prod", config), declared("prod")
    assert first.names(SERVICE) == ["collector"]
    assert set(first.names()) < set(later.names())
    assert first.names("aws:ecr/repository:Repository") == later.names("aws:ecr/repository:Repository")
    assert first.value["servicesToPush"] == ["core-matching", "worker-ai"]
    assert later.value["servicesToPush"] == []


def test_a_migration_may_run_ahead_of_its_service():
    """The task gets the new image while the service keeps the old one, or is not there yet."""
    config = configuration("prod")
    config["groundwork:tasks"] = {"migrate": {"image_tag": "1.1.0"}}
    config["groundwork:services"]["worker-ai"]["image_tag"] = None
    ahead = run("prod", config)
    images = {
        name: ahead.one(TASK, name).json("containerDefinitions")[0]["image"].rpartition(":")[2]
        for name in ("task-migrate", "task-seed", "core-matching")
    }
    assert images == {"task-migrate": "1.1.0", "task-seed": "1.0.0", "core-matching": "1.0.0"}
    config["groundwork:services"]["core-matching"]["image_tag"] = None
    first = run("prod", config)
    assert "task-migrate" in first.names(TASK)
    assert not {"core-matching", "task-seed"} & set(first.names(TASK))


def test_without_metrics_nothing_is_collected():
    config = configuration("local")
    for service in config["groundwork:services"].values():
        service["ports"] = {"metrics": None}
    assert "collector" not in run("local", config).names(SERVICE)


def test_a_digest_is_joined_to_its_repository_with_an_at():
    config = configuration("local")
    digest = "sha256:" + "a" * 64
    config["groundwork:services"]["worker-ai"]["image_tag"] = digest
    (container,) = run("local", config).one(TASK, "worker-ai").json("containerDefinitions")
    assert container["image"].endswith(f"/rentalfix/local/worker-ai@{digest}")
    (tagged,) = declared("local").one(TASK, "worker-ai").json("containerDefinitions")
    assert tagged["image"].endswith("/rentalfix/local/worker-ai:1.0.0")


def test_a_service_gets_what_its_variables_ask_for():
    (container,) = declared("prod").one(TASK, "core-matching").json("containerDefinitions")
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["DB_HOST"].startswith("rentfix-primary.")
    assert environment["ANALYTICS_DB_HOST"].startswith("rentfix-replica-1.")
    assert environment["DB_USER"] == "rentfix_app"
    assert (environment["DB_POOL_MAX"], environment["DB_POOL_MIN"]) == ("20", "5")
    assert environment["REDIS_CLUSTER_NODES"] == f"{environment['REDIS_HOST']}:6379"
    assert (environment["REDIS_CLUSTER"], environment["QUEUE_REDIS_CLUSTER"]) == ("true", "false")
    assert environment["CORS_ORIGIN"] == "https://rentfix.com,https://app.rentfix.com"
    secrets = {each["name"]: each["valueFrom"] for each in container["secrets"]}
    assert secrets["DB_PASSWORD"].endswith(":password::")
    assert set(secrets) == {"DB_PASSWORD", "REDIS_PASSWORD", "QUEUE_REDIS_PASSWORD", "API_KEY", "SENTRY_DSN"}


def test_without_a_replica_analytics_asks_the_primary():
    config = configuration("local")
    config["groundwork:database"]["replicas"] = []
    (container,) = run("local", config).one(TASK, "core-matching").json("containerDefinitions")
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["ANALYTICS_DB_HOST"] == environment["DB_HOST"]


def test_a_queue_without_a_cache_of_its_own_shares_and_warns():
    config = configuration("prod")
    config["groundwork:caches"]["queue"]["enabled"] = False
    shared = run("prod", config)
    assert shared.names(GROUP) == ["cache-cache"]
    (container,) = shared.one(TASK, "worker-ai").json("containerDefinitions")
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["QUEUE_REDIS_HOST"] == environment["REDIS_HOST"]


def test_the_migration_runs_as_the_owner_of_the_tables():
    (container,) = declared("prod").one(TASK, "task-migrate").json("containerDefinitions")
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["DB_USER"] == "postgres"
    assert "portMappings" not in container or container["portMappings"] == []
    (seed,) = declared("prod").one(TASK, "task-seed").json("containerDefinitions")
    assert {each["name"]: each["value"] for each in seed["environment"]}["DB_USER"] == "rentfix_app"


def test_the_dump_is_uploaded_by_the_second_container():
    first, second = declared("prod").one(TASK, "task-dump").json("containerDefinitions")
    assert "pg_dump" in first["command"][-1]
    assert '"s3://$BUCKET/postgres/$(date -u +rentfix_%Y%m%d.sql.gz)"' in second["command"][-1]
    assert second["dependsOn"] == [{"containerName": "dump", "condition": "SUCCESS"}]


def test_a_dump_that_does_not_arrive_is_noticed():
    """However it fails: what counts is that the upload told so, after it and not before."""
    recorded = declared("prod")
    _, upload = recorded.one(TASK, "task-dump").json("containerDefinitions")
    copied, _, told = upload["command"][-1].partition("; ")
    assert copied.startswith("aws s3 cp ")
    assert told == (
        "aws cloudwatch put-metric-data --region us-east-1 --namespace rentalfix/prod/backups "
        "--metric-name DumpCompleted --value 1 --unit Count"
    )
    assert upload["entryPoint"] == ["sh", "-ec"], "-e: a failed upload ends it there"
    rights = recorded.one("aws:iam/rolePolicy:RolePolicy", "task-dump-task").json("policy")["Statement"]
    (telling,) = [each for each in rights if each["Action"] == ["cloudwatch:PutMetricData"]]
    assert telling["Condition"] == {"StringEquals": {"cloudwatch:namespace": "rentalfix/prod/backups"}}
    alarm = recorded.one("aws:cloudwatch/metricAlarm:MetricAlarm", "alarms-dump-overdue")
    assert (alarm["namespace"], alarm["metricName"]) == ("rentalfix/prod/backups", "DumpCompleted")
    assert (alarm["period"] * alarm["evaluationPeriods"], alarm["treatMissingData"]) == (
        26 * 3600,
        "breaching",
    )
    assert alarm["alarmDescription"].endswith("/backups.md")


@pytest.mark.parametrize(
    ("database_gib", "disk_gib"), [(22, 21), (84, 21), (100, 25), (500, 125), (4000, 200)]
)
def test_a_dump_has_room_for_a_quarter_of_the_database(database_gib, disk_gib):
    assert dump_disk_gib(database_gib) == disk_gib


def test_the_dumps_disk_grows_with_the_database():
    assert declared("prod").one(TASK, "task-dump")["ephemeralStorage"] == {"sizeInGib": 125}


def test_a_database_with_replicas_has_a_master_password_of_ours():
    """RDS makes no replica of an instance whose password it manages; without replicas it may."""
    secret = "aws:secretsmanager/secret:Secret"
    ours, theirs = declared("prod"), declared("staging")
    primary = ours.one(INSTANCE, "database")
    assert "manageMasterUserPassword" not in primary
    assert "password" in primary.secrets
    assert ours.one(secret, "database-master")["namePrefix"] == "rentalfix/prod/database/postgres-"
    (migrate,) = ours.one(TASK, "task-migrate").json("containerDefinitions")
    password = {each["name"]: each["valueFrom"] for each in migrate["secrets"]}["DB_PASSWORD"]
    assert password == f"{ours.value['database']['masterSecretArn']}:password::"
    assert ":secret:database-master-" in password
    assert theirs.one(INSTANCE, "database")["manageMasterUserPassword"] is True
    assert "database-master" not in theirs.names(secret)


def test_the_database_waits_for_nothing_slow():
    """On AWS the longest chain is the time of `pulumi up`: the data stores must not wait for one another."""
    recorded = declared("prod")
    by_urn = {resource.urn: resource for resource in recorded}
    slow = {INSTANCE, GROUP, "aws:ec2/natGateway:NatGateway", "aws:lb/loadBalancer:LoadBalancer", SERVICE}

    def waits_for(resource, seen):
        for urn in resource.dependencies:
            if urn in by_urn and urn not in seen:
                seen.add(urn)
                waits_for(by_urn[urn], seen)
        return seen

    for store in [recorded.one(INSTANCE, "database"), *recorded.all(GROUP)]:
        assert not {by_urn[urn].name for urn in waits_for(store, set()) if by_urn[urn].type in slow}


def test_a_large_body_is_counted_and_not_refused():
    """AWS's common rules would refuse every body above 8 kB; without those rules there is nothing to except."""
    acl = "aws:wafv2/webAcl:WebAcl"
    assert "SizeRestrictions_BODY" in json.dumps(declared("prod").one(acl)["rules"])
    config = configuration("local")
    config["groundwork:ingress"]["waf"] = {"managed_rules": ["AWSManagedRulesSQLiRuleSet"]}
    assert "SizeRestrictions_BODY" not in json.dumps(run("local", config).one(acl)["rules"])
