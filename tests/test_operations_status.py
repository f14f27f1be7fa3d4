"""`groundwork status`: each part of the screen, on both sides of what needs somebody.

Services, database and secrets are the emulator's; what it does not know (alarms that fire, maintenance, a broker that
is rebooting) are answers of the test, checked against botocore's models.
"""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from typer.testing import CliRunner

from operations import __main__ as groundwork_command
from operations.platform import Platform, Refusal
from operations.status import command, filling, stores, watching
from operations.status import running as running_part
from operations.status.part import Asked, Part
from tests.aws_cloud import Cloud, cloud, database
from tests.program import declared
from tests.running_services import clock, emulator_url, groundwork, outputs, refusal, running

__all__ = ["clock", "cloud", "emulator_url", "groundwork", "running"]

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """A suite may take longer than what counts as recent."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


def of(cloud, **more):
    """A stack that has nothing, and these outputs."""
    return Cloud("rentalfix", "prod", {**outputs("rentalfix-prod"), **NOTHING, **more}, cloud.endpoint_url)


NOTHING = {
    "alarms": [],
    "backups": {"vault": "", "bucket": "", "dumpPrefix": ""},
    "brokers": {},
    "caches": {},
    "cdn": {"url": "", "distributionId": ""},
    "loadBalancer": {"arn": "", "dnsName": ""},
    "secretsToFill": [],
    "topics": {},
    "undelivered": {},
    "urls": {},
}


@pytest.fixture
def empty(emulator_url):
    return Cloud("rentalfix", "prod", {**outputs("rentalfix-prod"), **NOTHING}, emulator_url)


def has(empty, **more):
    empty.outputs.update(more)
    return empty


# Services


def test_services_show_what_runs_and_nothing_needs_anybody(running):
    running.start("core-matching", ["0.9.0", "1.0.0"], count=3)
    part = running_part.services(running.cloud)
    assert part.rows == [
        {
            "service": "core-matching",
            "running": 3,
            "desired": 3,
            "autoscaling": "1-4",
            "revision": 2,
            "image": "1.0.0",
            "deployment": "completed",
        }
    ]
    assert part.needs == []


def test_too_few_tasks_are_told_with_what_the_others_died_of(running):
    running.start("core-matching", ["1.0.0"], count=3)
    real = running.described("core-matching")
    running.died(
        "core-matching",
        {
            "stoppedAt": NOW,
            "stoppedReason": "Task failed container health checks",
            "containers": [{"name": "core-matching", "exitCode": 137}],
        },
    )
    running.cloud.says("DescribeServices", {"services": [{**real, "runningCount": 1}]})
    first, second, _ = running_part.services(running.cloud).needs
    assert first == "core-matching: 1 of 3 tasks run. `groundwork service show core-matching`."
    assert second.startswith(
        "core-matching: A task of revision 1 died. Its own health check (health.command) failed."
    )


def test_where_no_task_has_died_the_events_tell(running):
    running.start("core-matching", ["1.0.0"], count=3)
    real = running.described("core-matching")
    running.died("core-matching")
    event = {
        "id": "1",
        "createdAt": NOW,
        "message": "was unable to place a task. Reason: Capacity is unavailable at this time.",
    }
    running.cloud.says("DescribeServices", {"services": [{**real, "runningCount": 0, "events": [event]}]})
    assert "Fargate has no room" in running_part.services(running.cloud).needs[1]


def test_a_deployment_that_failed_or_goes_on_is_told(running):
    running.start("core-matching", ["1.0.0"])
    real = running.described("core-matching")
    [now] = real["deployments"]
    running.cloud.says(
        "DescribeServices", {"services": [{**real, "deployments": [{**now, "rolloutState": "FAILED"}]}]}
    )
    assert running_part.services(running.cloud).needs == [
        "core-matching: its last deployment failed. `groundwork service show core-matching` says why."
    ]
    both = [{**now, "rolloutState": "IN_PROGRESS"}, {**now, "id": "ecs-svc/1", "status": "ACTIVE"}]
    running.cloud.says("DescribeServices", {"services": [{**real, "deployments": both}]})
    part = running_part.services(running.cloud)
    assert (part.rows[0]["deployment"], part.needs) == ("in progress, 1 older", [])


def test_a_service_that_was_rolled_back_or_stopped_is_told(running, groundwork, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    groundwork("rollback", "--yes")
    [need] = running_part.services(running.cloud).needs
    assert need.startswith("core-matching runs revision 1, and Pulumi declares 2: it was rolled back.")
    groundwork("rollback", "--to", "2", "--yes")
    groundwork("service", "stop", "core-matching", "--yes")
    part = running_part.services(running.cloud)
    assert part.needs == [
        "core-matching is stopped by hand, its autoscaling suspended. `groundwork service start core-matching`."
    ]
    assert part.rows[0]["autoscaling"] == "1-4, suspended"


@pytest.mark.parametrize(("scaled", "needs"), [(None, 1), ((0, 4), 0), ((1, 4), 1)])
def test_no_task_at_all_is_somebody_s_work_unless_autoscaling_may_go_to_none(running, scaled, needs):
    running.start("worker-ai", ["1.0.0"], count=0, scaled=scaled)
    assert len(running_part.services(running.cloud).needs) == needs


def test_without_services_or_on_kubernetes_nothing_is_asked(running):
    assert running_part.services(running.cloud) == Part()
    running.start("core-matching", ["1.0.0"])
    running.cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    assert running_part.services(running.cloud).notes == [
        "Kubernetes runs them: `kubectl --namespace rentalfix-prod get deployments,pods` tells how."
    ]


# Stores


def test_the_database_shows_its_state_and_how_far_replicas_are_behind(cloud):
    database(cloud)
    cloud.client("rds").create_db_instance_read_replica(
        DBInstanceIdentifier="rentfix-replica-1", SourceDBInstanceIdentifier="rentfix-primary"
    )
    cloud.says("GetMetricData", {"MetricDataResults": [{"Id": "each0", "Values": [4.0, 3.0]}]})
    part = stores.database(cloud)
    assert [(row["database"], row["is"], row["state"], row["lag_s"]) for row in part.rows] == [
        ("rentfix-primary", "primary", "available", None),
        ("rentfix-replica-1", "replica", "available", 4.0),
    ]
    assert part.needs == []
    cloud.says("GetMetricData", {"MetricDataResults": [{"Id": "each0", "Values": [600.0]}]})
    assert stores.database(cloud).needs == [
        "rentfix-replica-1 is 10 min 00 s behind. `groundwork db activity --replica`."
    ]
    cloud.says("GetMetricData", {"MetricDataResults": []})
    assert stores.database(cloud).rows[1]["lag_s"] is None


def test_a_database_that_is_not_available_or_waits_for_a_restart_is_told(cloud):
    made = database(cloud)
    group = [{"DBParameterGroupName": "a", "ParameterApplyStatus": "pending-reboot"}]
    now = {**made, "DBInstanceStatus": "storage-full", "DBParameterGroups": group}
    cloud.says("DescribeDBInstances", {"DBInstances": [now]})
    cloud.says("DescribeDBClusters", refusal("DBClusterNotFoundFault"))
    assert stores.database(cloud).needs == [
        "rentfix-primary is storage-full. docs/runbooks/database.md.",
        "rentfix-primary waits for a restart to take parameters. `groundwork db reboot-if-pending`.",
    ]


def test_caches_show_their_shards_and_what_is_not_available(empty):
    has(empty, caches={"queue": {"replicationGroupId": "rentalfix-queue"}})
    group = {
        "Status": "available",
        "Engine": "redis",
        "CacheNodeType": "cache.t4g.medium",
        "AutomaticFailover": "enabled",
        "NodeGroups": [{"Status": "available"}],
        "MemberClusters": ["queue-001", "queue-002"],
    }
    empty.says("DescribeReplicationGroups", {"ReplicationGroups": [group]})
    empty.says("DescribeCacheClusters", {"CacheClusters": [{"EngineVersion": "7.1.0"}]})
    part = stores.caches(empty)
    assert part.rows == [
        {
            "cache": "queue",
            "state": "available",
            "engine": "redis",
            "version": "7.1.0",
            "node": "cache.t4g.medium",
            "shards": 1,
            "nodes": 2,
            "failover": "enabled",
        }
    ]
    assert part.needs == []
    empty.says(
        "DescribeReplicationGroups",
        {"ReplicationGroups": [{**group, "NodeGroups": [{"Status": "modifying"}]}]},
    )
    empty.says("DescribeCacheClusters", refusal("AccessDenied"))
    part = stores.caches(empty)
    assert part.needs == ["The cache queue is modifying. docs/runbooks/cache.md."]
    assert part.rows[0]["version"] == "", "what only a member tells does not take the row with it"


def test_brokers_show_their_state_and_the_version_to_come(empty):
    has(empty, brokers={"events": {"id": "b-1"}})
    broker = {
        "BrokerState": "RUNNING",
        "EngineVersion": "3.13",
        "HostInstanceType": "mq.m7g.medium",
        "DeploymentMode": "CLUSTER_MULTI_AZ",
    }
    empty.says("DescribeBroker", broker)
    part = stores.brokers(empty)
    assert part.rows[0] == {
        "broker": "events",
        "state": "running",
        "version": "3.13",
        "type": "mq.m7g.medium",
        "deployment": "cluster multi az",
    }
    assert (part.needs, part.notes) == ([], [])
    empty.says(
        "DescribeBroker", {**broker, "BrokerState": "REBOOT_IN_PROGRESS", "PendingEngineVersion": "4.2"}
    )
    part = stores.brokers(empty)
    assert part.needs == ["The broker events is REBOOT_IN_PROGRESS. docs/runbooks/broker.md."]
    assert part.notes == ["The broker events becomes 4.2 in its maintenance window."]


@pytest.mark.parametrize(("days", "needs"), [(2, 1), (30, 0), (None, 0)])
def test_what_aws_forces_soon_needs_somebody(cloud, days, needs):
    made = database(cloud)
    forced = {} if days is None else {"ForcedApplyDate": NOW + timedelta(days=days)}

    def action(arn, name):
        details = [
            {"Action": name, "Description": "New Operating System update", "CurrentApplyDate": NOW, **forced}
        ]
        return {"ResourceIdentifier": arn, "PendingMaintenanceActionDetails": details}

    actions = [
        action(made["DBInstanceArn"], "system-update"),
        action("arn:aws:rds:us-east-1:1:db:another", "db-upgrade"),
    ]
    cloud.says("DescribePendingMaintenanceActions", {"PendingMaintenanceActions": actions})
    part = stores.maintenance(cloud)
    assert [(row["store"], row["what"], row["when"]) for row in part.rows] == [
        ("rentfix-primary", "system-update", NOW)
    ]
    assert len(part.needs) == needs


@pytest.mark.parametrize(("severity", "needs"), [("critical", 1), ("low", 0)])
def test_a_critical_update_of_a_cache_needs_somebody(empty, severity, needs):
    has(empty, caches={"queue": {"replicationGroupId": "rentalfix-queue"}})
    update = {
        "ReplicationGroupId": "rentalfix-queue",
        "ServiceUpdateName": "elasticache-2026-11",
        "ServiceUpdateSeverity": severity,
        "ServiceUpdateType": "security-update",
        "ServiceUpdateRecommendedApplyByDate": NOW + timedelta(days=1),
    }
    empty.says("DescribeUpdateActions", {"UpdateActions": [update]})
    part = stores.maintenance(empty)
    assert part.rows[0]["store"] == "queue"
    assert part.rows[0]["why"] == f"{severity} security-update"
    assert len(part.needs) == needs


# Alarms, backups, certificates


def alarm(name, state="OK", **more):
    return {"AlarmName": name, "StateValue": state, "ActionsEnabled": True, **more}


def test_alarms_that_fire_are_told_with_what_their_description_says(empty):
    has(empty, alarms=["api-errors", "api-latency", "database-cpu"])
    firing = alarm(
        "api-errors",
        "ALARM",
        StateUpdatedTimestamp=NOW,
        StateReason="Threshold Crossed",
        AlarmDescription="More errors than usual. docs/runbooks/service.md\nsecond line",
    )
    quiet = [alarm("api-latency"), alarm("database-cpu")]
    empty.says("DescribeAlarms", {"MetricAlarms": [firing, quiet[0]], "CompositeAlarms": [quiet[1]]})
    part = watching.alarms(empty)
    assert part.rows == [{"alarm": "api-errors", "since": NOW, "why": "Threshold Crossed"}]
    assert part.needs == ["api-errors is in alarm. More errors than usual. docs/runbooks/service.md"]
    assert part.notes == ["1 of 3 alarms are in alarm."]
    [asked] = empty.calls("DescribeAlarms")
    assert asked["AlarmTypes"] == ["MetricAlarm", "CompositeAlarm"]


def test_an_alarm_that_is_silent_or_gone_needs_somebody(empty):
    has(empty, alarms=["api-errors", "gone"])
    empty.says("DescribeAlarms", {"MetricAlarms": [{**alarm("api-errors"), "ActionsEnabled": False}]})
    assert watching.alarms(empty).needs == [
        "Nobody hears of api-errors: its actions are switched off.",
        "gone is not there any more. `pulumi up --refresh` makes it again.",
    ]


def test_more_than_a_hundred_alarms_are_asked_for_in_parts(empty):
    names = [f"a{number}" for number in range(150)]
    has(empty, alarms=names)
    empty.says(
        "DescribeAlarms", lambda given: {"MetricAlarms": [alarm(name) for name in given["AlarmNames"]]}
    )
    assert watching.alarms(empty).needs == []
    assert [len(given["AlarmNames"]) for given in empty.calls("DescribeAlarms")] == [100, 50]


def test_backups_are_what_backup_status_says(cloud):
    database(cloud)
    part = watching.backed_up(cloud, "database")
    assert {row["store"] for row in part.rows} == {"rentfix-primary"}
    assert set(part.rows[0]) == {"store", "kept in", "newest", "age_s"}
    cloud.says("ListRecoveryPointsByBackupVault", {"RecoveryPoints": []})
    cloud.says("ListBackupPlans", {"BackupPlansList": []})
    part = watching.backed_up(cloud, "vaults")
    assert part.needs[0].startswith("everything, vault rentalfix-prod: there is none yet.")


@pytest.mark.parametrize("store", ["database", "vaults", "dumps", "caches", "proofs"])
def test_a_stack_that_keeps_nothing_has_no_backup_and_needs_no_proof(empty, store):
    assert watching.backed_up(empty, store) == Part()


def listeners(empty, *certificates):
    has(
        empty,
        loadBalancer={"arn": "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/a/1", "dnsName": "a"},
    )
    found = [{"Certificates": [{"CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/1"}]}, {}]
    empty.says("DescribeListeners", {"Listeners": found})
    answers = list(certificates)
    empty.says("DescribeCertificate", lambda _: {"Certificate": answers.pop(0)})


def certificate(days=300, status="ISSUED", **more):
    return {
        "DomainName": "api.rentfix.com",
        "Status": status,
        "NotAfter": NOW + timedelta(days=days, hours=1),
        **more,
    }


@pytest.mark.parametrize(
    ("told", "need"),
    [
        (certificate(), ""),
        (certificate(days=10), "ends in 10 days, and ACM renews 60 days before."),
        (certificate(status="EXPIRED", days=-2), "is EXPIRED"),
        (
            certificate(
                RenewalSummary={
                    "RenewalStatus": "FAILED",
                    "DomainValidationOptions": [{"DomainName": "a"}],
                    "UpdatedAt": NOW,
                }
            ),
            "could not be renewed",
        ),
        ({"DomainName": "api.rentfix.com", "Status": "PENDING_VALIDATION"}, "is PENDING_VALIDATION"),
    ],
)
def test_a_certificate_is_told_before_it_ends(empty, told, need):
    listeners(empty, told)
    part = watching.certificates(empty)
    assert part.rows[0]["certificate"] == "api.rentfix.com"
    assert len(part.needs) == bool(need)
    assert need in "".join(part.needs)


def test_the_cdn_s_certificate_is_in_its_own_region(empty):
    has(empty, region="eu-west-1", cdn={"url": "https://cdn.rentfix.com", "distributionId": "E1"})
    arn = "arn:aws:acm:us-east-1:111122223333:certificate/2"
    asked = []
    empty.client("cloudfront", region="eu-west-1")

    class Client:
        def get_distribution(self, **_):
            return {"Distribution": {"DistributionConfig": {"ViewerCertificate": {"ACMCertificateArn": arn}}}}

        def describe_certificate(self, **_):
            return {"Certificate": certificate()}

    class Somewhere(Platform):
        def client(self, service, *, region=None):
            asked.append((service, region))
            return Client()

    part = watching.certificates(Somewhere("rentalfix", "prod", empty.outputs))
    assert len(part.rows) == 1
    assert ("acm", "us-east-1") in asked


def test_without_a_balancer_and_a_cdn_there_is_no_certificate(empty):
    assert watching.certificates(empty) == Part()


# What is still to be filled in


def test_an_empty_secret_needs_somebody_and_a_service_without_a_tag_is_noted(empty):
    client = empty.client("secretsmanager")
    made = {name: client.create_secret(Name=f"{name}-{time.monotonic_ns()}") for name in ("dsn", "key")}
    client.put_secret_value(SecretId=made["key"]["ARN"], SecretString="something")
    has(empty, secretsToFill=[each["ARN"] for each in made.values()], servicesToPush=["worker-ai"])
    part = filling.secrets(empty)
    assert part.needs == [
        f"Empty, so that their services cannot start: {made['dsn']['Name']}. `groundwork secrets put`."
    ]
    assert part.notes == [
        "worker-ai does not run: the stack file has no image tag for it. `groundwork deploy` gives one."
    ]
    assert [row["what"] for row in part.rows] == ["secret without a value", "service without an image tag"]


def test_a_roles_empty_login_is_the_bootstraps_to_fill_and_no_persons(empty):
    client = empty.client("secretsmanager")
    made = {name: client.create_secret(Name=f"{name}-{time.monotonic_ns()}") for name in ("app", "worker")}
    client.put_secret_value(SecretId=made["app"]["ARN"], SecretString="something")
    has(empty, database={"roleSecretArns": {role: each["ARN"] for role, each in made.items()}})
    part = filling.secrets(empty)
    name = made["worker"]["Name"]
    assert part.needs == [
        f"Empty, so that their services cannot start: {name}. `groundwork db bootstrap` makes them."
    ]
    assert part.rows == [{"to fill": name, "what": "login without a password"}]


def test_somebody_who_has_not_confirmed_and_a_topic_without_anybody_are_told(empty):
    has(
        empty,
        topics={"critical": "arn:aws:sns:us-east-1:1:critical", "warning": "arn:aws:sns:us-east-1:1:warning"},
    )

    def subscribed(given):
        if given["TopicArn"].endswith("warning"):
            return {"Subscriptions": []}
        confirmed = {
            "SubscriptionArn": "arn:aws:sns:us-east-1:1:critical:1",
            "Endpoint": "oncall@rentfix.com",
        }
        return {
            "Subscriptions": [
                confirmed,
                {"SubscriptionArn": "PendingConfirmation", "Endpoint": "new@rentfix.com"},
            ]
        }

    empty.says("ListSubscriptionsByTopic", subscribed)
    first, second = filling.subscriptions(empty).needs
    assert first.startswith("new@rentfix.com has not confirmed the subscription to critical")
    assert second == "Nobody is subscribed to warning, so its alarms reach nobody. Set notifications.warning."


@pytest.mark.parametrize("messages", [0, 3])
def test_what_slack_did_not_get_is_told(empty, messages):
    has(empty, undelivered={"slack": "https://sqs.us-east-1.amazonaws.com/1/slack"})
    empty.says("GetQueueAttributes", {"Attributes": {"ApproximateNumberOfMessages": str(messages)}})
    assert filling.subscriptions(empty).needs == (
        ["slack did not get 3 messages. docs/runbooks/notifications.md."] if messages else []
    )


@pytest.fixture
def history(monkeypatch):
    """What `pulumi stack history` writes."""

    def answers(text):
        asked = []

        def run(arguments, **_):
            asked.append(arguments)
            return subprocess.CompletedProcess(arguments, 0, text, "")

        monkeypatch.setattr(filling.subprocess, "run", run)
        return asked

    return answers


LAST = {
    "kind": "update",
    "startTime": "2026-11-26T03:00:00.000Z",
    "endTime": "2026-11-26T03:04:00.000Z",
    "result": "succeeded",
}


def test_when_pulumi_was_there_last(empty, history):
    asked = history(json.dumps([LAST]))
    part = filling.updated(empty)
    assert part.rows == [
        {"last change": "update", "ended": datetime(2026, 11, 26, 3, 4, tzinfo=UTC), "result": "succeeded"}
    ]
    assert part.needs == []
    assert asked[0][:3] == ["pulumi", "stack", "history"]
    assert asked[0][-5:] == ["--stack", "prod", "--json", "--page-size", "1"]


def test_an_update_that_failed_needs_somebody_and_none_at_all_is_noted(empty, history):
    history(json.dumps([{**LAST, "result": "failed"}]))
    assert filling.updated(empty).needs == [
        "The last `pulumi update` ended as failed. `pulumi up` goes on from there."
    ]
    history("[]")
    assert filling.updated(empty).notes == ["Pulumi has not changed the stack yet."]


def test_where_pulumi_does_not_tell_it_is_left_out_with_a_sentence(empty, history):
    history("error: no credentials")
    with pytest.raises(Refusal, match="Pulumi does not tell when it last changed the stack"):
        filling.updated(empty)


def test_the_outputs_of_a_real_stack_have_what_it_reads():
    said = declared("prod").value
    assert set(NOTHING) | set(outputs("rentalfix-prod")) <= set(said)
    for part, known in NOTHING.items():
        assert isinstance(said[part], type(known)), part
        assert set(known) <= set(said[part]) or not isinstance(known, dict), part
    assert {"name", "taskDefinition", "logGroup"} <= set(said["services"]["core-matching"])
    assert "replicationGroupId" in said["caches"]["queue"]


# The screen


def look(platform, **parts):
    sections = {"Services": parts}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "SECTIONS", sections)
        return command.look(platform, limit_s=0.3)["Services"]


def fails(error):
    def part(_):
        raise error

    return part


def client_error(code, status=400):
    said = {"Error": {"Code": code, "Message": "not you"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "DescribeServices")


AWS = Platform("rentalfix", "prod", {"region": "us-east-1", "environment": "prod"})
LOCAL = Platform("rentalfix", "local", AWS.outputs, "http://127.0.0.1:1")


def test_a_part_that_fails_is_a_sentence_and_the_others_are_there():
    found = look(
        AWS,
        denied=fails(client_error("AccessDeniedException")),
        away=fails(EndpointConnectionError(endpoint_url="https://ecs")),
        refused=fails(Refusal("No such thing.")),
        broken=fails(KeyError("Status")),
        fine=lambda _: Part(rows=[{"a": 1}]),
    )
    assert found["denied"].problem == (
        "AWS refused DescribeServices: not you (AccessDeniedException). Ask with a role that may, or have it granted."
    )
    assert "Could not connect" in found["away"].problem
    assert found["refused"].problem == "No such thing."
    assert found["broken"].problem == "KeyError: 'Status'"
    assert found["fine"] == Part(rows=[{"a": 1}])


def test_a_part_that_hangs_is_left_out_in_time():
    began = time.monotonic()
    found = look(AWS, slow=lambda _: time.sleep(5), fine=lambda _: Part())
    assert time.monotonic() - began < 2
    assert found["slow"].problem == "did not answer within 0 s"
    assert found["fine"].problem == ""


def test_what_the_emulator_does_not_have_is_nobody_s_work():
    missing, broken = client_error("InternalFailure", 500), ResponseParserError("no XML")
    found = look(
        LOCAL, missing=fails(missing), broken=fails(broken), denied=fails(client_error("AccessDenied"))
    )
    assert found["missing"] == Part(notes=["the emulator has no DescribeServices"])
    assert found["broken"] == Part(notes=["the emulator lacks an operation"])
    assert found["denied"].problem
    on_aws = look(AWS, missing=fails(missing), broken=fails(broken))
    assert on_aws["missing"].problem
    assert on_aws["broken"].problem == "no XML"


def test_clients_are_made_once_for_all_threads_and_do_not_wait_long(emulator_url):
    asked = Asked("rentalfix", "prod", {"region": "us-east-1"}, emulator_url)
    assert asked.client("ecs") is asked.client("ecs")
    assert asked.client("acm", region="us-east-1") is not asked.client("acm", region="eu-west-1")
    assert asked.client("ecs").meta.config.retries["total_max_attempts"] == 1
    on_aws = Asked("rentalfix", "prod", {"region": "us-east-1"})
    assert on_aws.client("ecs").meta.config.retries["total_max_attempts"] == 3
    assert on_aws.client("ecs").meta.config.read_timeout == 10


@pytest.fixture
def screen(running, monkeypatch, history):
    """The whole command, on a stack of two services in the emulator."""
    running.start("core-matching", ["1.0.0"])
    running.cloud.outputs.update(NOTHING)
    history(json.dumps([LAST]))
    monkeypatch.setattr(command, "opened", lambda *_: running.cloud)

    def run(*arguments, code=0):
        result = CliRunner().invoke(groundwork_command.app, ["status", *arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result.stdout

    return run


def test_one_screen_of_a_stack_that_is_well(screen):
    said = screen()
    assert [line for line in said.splitlines() if line in command.SECTIONS] == list(command.SECTIONS)
    assert "core-matching" in said
    assert said.rstrip().endswith("Nothing needs anybody.")
    assert "Not looked at" not in said


def test_what_needs_somebody_stands_last_and_ends_it_with_1(screen, running):
    running.cloud.outputs["services"]["core-matching"]["taskDefinition"] += "9"
    said = screen(code=1)
    assert "\nNeeds somebody\n  core-matching runs revision 1, and Pulumi declares 19" in said


def test_what_could_not_be_looked_at_ends_it_with_1(screen, history):
    history("no")
    said = screen(code=1)
    assert "Not looked at\n  Pulumi (updates): Pulumi does not tell when it last changed the stack." in said
    assert "Nothing needs anybody." in said


def test_json_has_needs_problems_and_every_section(screen):
    told = json.loads(screen("--json"))
    assert (told["needs"], told["problems"]) == ([], [])
    assert set(told["sections"]) == set(command.SECTIONS)
    assert told["sections"]["Services"]["services"]["rows"][0]["service"] == "core-matching"


def test_a_screen_does_not_print_what_would_move_a_cursor(capsys):
    command._print(AWS, {"Services": {"services": Part(notes=["a\x1b[31m"])}}, ["b\x1b[0m"], ["c\x07"])
    assert not [sign for sign in capsys.readouterr().out if sign in "\x1b\x07"]


def test_tables_with_the_same_columns_are_one():
    tables = [[{"a": 1}], [{"b": 2}], [{"a": 3}]]
    assert list(command._same_columns(tables)) == [[{"a": 1}, {"a": 3}], [{"b": 2}]]
