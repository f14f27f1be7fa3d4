"""The emulator's own routes, and that it comes and goes quietly."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import urllib3

from local.emulator import Emulator
from tests.provider_support import ROOT, running_emulator

URN = "urn:pulumi:test::groundwork::aws:kms/key:Key::x"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    log = tmp_path_factory.mktemp("emulator") / "log"
    with running_emulator(log) as url:
        yield url, log


@pytest.fixture
def url(place: tuple[str, Path]) -> str:
    return place[0]


def ask(url, method, path, content=None, headers=None):
    body = None if content is None else json.dumps(content).encode()
    return urllib3.request(method, f"{url}/groundwork/{path}", body=body, headers=headers, timeout=30)


def test_it_says_who_it_is(url):
    said = ask(url, "GET", "identity").json()
    assert said["marker"] == "groundwork-emulator"
    assert said["root"] == str(ROOT)
    assert len(said["boot"]) == 32
    os.kill(said["pid"], 0)


def test_an_unknown_route_is_not_found(url):
    assert ask(url, "GET", "nothing").status == 404


def test_a_record_is_made_read_changed_and_deleted(url):
    place = "records/aws%3Ax%2Fy%3AZ"
    assert ask(url, "POST", place, {"id": "a/b", "content": {"one": 1}}).json() == {"id": "a/b"}
    assert ask(url, "POST", place, {"id": "a/b", "content": {}}).status == 409
    assert ask(url, "GET", f"{place}/a%2Fb").json() == {"one": 1}
    assert ask(url, "PUT", f"{place}/a%2Fb", {"one": 2}).status == 200
    assert ask(url, "GET", f"{place}/a%2Fb").json() == {"one": 2}
    assert ask(url, "GET", "records").json()["aws:x/y:Z"] == ["a/b"]
    assert ask(url, "DELETE", f"{place}/a%2Fb").status == 200
    assert ask(url, "GET", f"{place}/a%2Fb").status == 404
    assert ask(url, "DELETE", f"{place}/a%2Fb").status == 404


def test_the_answer_to_a_creation_is_given_again_when_asked(url):
    def create(record_id, *, replay):
        mark = json.dumps({"urn": URN, "names": {"name": "x-1"}, "replay": replay})
        content = {"id": record_id, "content": {}}
        return ask(url, "POST", "records/kind", content, {"X-Groundwork-Creation": mark})

    first = create("one", replay=True)
    again = create("two", replay=True)
    anew = create("three", replay=False)
    assert (first.json(), "X-Groundwork-Replayed" in first.headers) == ({"id": "one"}, False)
    assert (again.json(), again.headers["X-Groundwork-Replayed"]) == ({"id": "one"}, "1")
    assert anew.json() == {"id": "three"}
    assert ask(url, "GET", "records").json()["kind"] == ["one", "three"]
    assert {"urn": URN, "names": {"name": "x-1"}} in ask(url, "GET", "creations").json()
    ask(url, "DELETE", f"creations/{URN.replace('/', '%2F')}")
    assert create("four", replay=True).json() == {"id": "four"}


def test_a_creation_that_failed_is_not_given_again(url):
    mark = json.dumps({"urn": "urn:failed", "names": {}, "replay": True})
    for _ in range(2):
        answer = ask(url, "POST", "records/taken", {"id": "x", "content": {}})
    assert answer.status == 409
    failed = ask(url, "POST", "records/taken", {"id": "x", "content": {}}, {"X-Groundwork-Creation": mark})
    assert failed.status == 409
    assert "urn:failed" not in [item["urn"] for item in ask(url, "GET", "creations").json()]


def client(url, service):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_awss_managed_policies_exist(url):
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    assert client(url, "iam").get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_a_service_is_steady_at_once_and_keeps_its_arguments(url):
    ecs = client(url, "ecs")
    ecs.create_cluster(clusterName="c")
    container = {"name": "app", "image": "busybox", "essential": True}
    ecs.register_task_definition(
        family="t", cpu="256", memory="512", networkMode="awsvpc", containerDefinitions=[container]
    )
    breaker = {"enable": True, "rollback": True}
    ecs.create_service(
        cluster="c",
        serviceName="s",
        taskDefinition="t",
        desiredCount=2,
        deploymentConfiguration={"deploymentCircuitBreaker": breaker},
    )
    ecs.get_waiter("services_stable").wait(
        cluster="c", services=["s"], WaiterConfig={"Delay": 1, "MaxAttempts": 2}
    )
    service = ecs.describe_services(cluster="c", services=["s"])["services"][0]
    assert service["runningCount"] == 2
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == breaker
    ecs.update_service(cluster="c", service="s", desiredCount=3)
    assert ecs.describe_services(cluster="c", services=["s"])["services"][0]["runningCount"] == 3
    assert ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"] == []


def test_a_task_runs_with_its_size_on_the_task_only(url):
    ecs, ec2 = client(url, "ecs"), client(url, "ec2")
    ecs.create_cluster(clusterName="jobs")
    ecs.register_task_definition(
        family="job",
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "app", "image": "busybox"}],
    )
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
    ran = ecs.run_task(
        cluster="jobs", taskDefinition="job", launchType="FARGATE", networkConfiguration=network
    )
    assert len(ran["tasks"]) == 1
    assert ran["failures"] == []


def test_a_reset_empties_the_records_too(url):
    ask(url, "POST", "records/kind", {"id": "left", "content": {}})
    urllib3.request("POST", f"{url}/moto-api/reset", timeout=60)
    assert ask(url, "GET", "records").json() == {}
    assert ask(url, "GET", "creations").json() == []


def test_it_writes_no_line_for_a_request(place):
    url, log = place
    ask(url, "GET", "identity")
    assert "GET /" not in log.read_text()


def test_it_ends_at_once_when_asked_and_its_port_is_free_again(tmp_path):
    with running_emulator(tmp_path / "log") as url:
        assert ask(url, "GET", "identity").status == 200
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        urllib3.request("GET", f"{url}/groundwork/identity", retries=1)


def test_a_port_that_is_taken_is_an_error(url):
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "local.emulator", "--port", port]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert f"Port {port} is in use" in ended.stderr


def test_each_start_has_an_id_of_its_own():
    def nothing(environ, start_response):
        return []

    assert Emulator(nothing)._identity["boot"] != Emulator(nothing)._identity["boot"]


@pytest.mark.parametrize(
    ("shape", "ends"),
    [
        ({"NumCacheClusters": 1}, ("master", "replica", None)),
        (
            {"ClusterMode": "enabled", "NumNodeGroups": 2, "ReplicasPerNodeGroup": 1},
            (None, None, "clustercfg"),
        ),
    ],
)
def test_a_cache_tells_where_it_is_written_and_where_it_is_read(url, shape, ends):
    caches = client(url, "elasticache")
    name = f"shop-{len(shape)}"
    caches.create_replication_group(ReplicationGroupId=name, ReplicationGroupDescription="x", **shape)
    (group,) = caches.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    node_group = group["NodeGroups"][0]
    found = [
        node_group.get("PrimaryEndpoint"),
        node_group.get("ReaderEndpoint"),
        group.get("ConfigurationEndpoint"),
    ]
    assert tuple(each["Address"].split(".")[0] if each else None for each in found) == ends
