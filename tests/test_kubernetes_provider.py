"""The `kubernetes` plugin: strict about manifests, and a folder of YAML that does what a cluster would."""

import json
from pathlib import Path

import pytest
import yaml
from pulumi.runtime.proto import provider_pb2

from local.provider import manifests
from local.provider.cloud import Refusal
from local.provider.kubernetes import KubernetesServicer, checked, settings_of
from local.provider.values import UNKNOWN, decode, encode

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
NAMESPACE = "kubernetes:core/v1:Namespace"
SEED = bytes.fromhex("0123456789abcdef")
SPEC = {
    "selector": {"matchLabels": {"app": "api"}},
    "template": {
        "metadata": {"labels": {"app": "api"}},
        "spec": {"containers": [{"name": "api", "image": "api:1.0.0"}]},
    },
}


def urn(token, name="api"):
    return f"urn:pulumi:test::groundwork::{token}::{name}"


def kubeconfig(version):
    cluster = {"server": "https://1", "extensions": [{"name": "version", "extension": version}]}
    return json.dumps({"clusters": [{"name": "shop", "cluster": cluster}]})


@pytest.fixture
def servicer(tmp_path):
    servicer = KubernetesServicer("1")
    told = {"kubernetes:config:kubeconfig": kubeconfig("1.33")}
    folder = {"renderYamlToDirectory": str(tmp_path)}
    servicer.Configure(provider_pb2.ConfigureRequest(variables=told, args=encode(folder)), None)
    return servicer


def check(servicer, token, inputs, old=None):
    request = provider_pb2.CheckRequest(
        urn=urn(token), olds=encode(old or {}), news=encode(inputs), randomSeed=SEED
    )
    answer = servicer.Check(request, None)
    return decode(answer.inputs), [(failure.property, failure.reason) for failure in answer.failures]


def create(servicer, inputs, *, preview=False):
    request = provider_pb2.CreateRequest(urn=urn(DEPLOYMENT), properties=encode(inputs), preview=preview)
    return servicer.Create(request, None)


def read(servicer, inputs):
    request = provider_pb2.ReadRequest(
        id="x", urn=urn(DEPLOYMENT), inputs=encode(inputs), properties=encode(inputs)
    )
    return servicer.Read(request, None)


def diff(servicer, old, new, ignored=()):
    request = provider_pb2.DiffRequest(
        urn=urn(DEPLOYMENT), old_inputs=encode(old), news=encode(new), ignoreChanges=ignored
    )
    return servicer.Diff(request, None)


def test_a_name_and_a_namespace_are_made_up_as_the_real_provider_does(servicer):
    inputs, failures = check(servicer, DEPLOYMENT, {"spec": SPEC})
    assert failures == []
    assert (inputs["apiVersion"], inputs["kind"]) == ("apps/v1", "Deployment")
    assert inputs["metadata"] == {
        "name": "api-01234567",
        "namespace": "default",
        "annotations": {"pulumi.com/autonamed": "true"},
    }
    again, _ = check(servicer, DEPLOYMENT, {"spec": SPEC}, old=inputs)
    assert again["metadata"]["name"] == "api-01234567"


def test_what_belongs_to_the_whole_cluster_has_no_namespace():
    made = checked(urn(NAMESPACE), {}, {"metadata": {"name": "shop"}}, SEED, "default")
    assert made == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


@pytest.mark.parametrize(
    ("spec", "path", "why"),
    [
        ({**SPEC, "replicas": "three"}, "spec.replicas", "'three' is not of type 'integer', 'null'"),
        ({**SPEC, "replica": 3}, "spec", "Additional properties are not allowed ('replica' was unexpected)"),
        ({"template": SPEC["template"]}, "spec", "'selector' is a required property"),
    ],
)
def test_a_manifest_that_a_cluster_would_refuse_is_refused(servicer, spec, path, why):
    _, failures = check(servicer, DEPLOYMENT, {"spec": spec})
    assert failures == [(path, f"Kubernetes 1.33 refuses it: {why}")]


def test_what_is_not_known_yet_is_taken_to_be_right(servicer):
    _, failures = check(servicer, DEPLOYMENT, {"spec": {**SPEC, "replicas": UNKNOWN}})
    assert failures == []


def test_a_kind_that_a_version_does_not_have_is_refused():
    with pytest.raises(Refusal, match=r"Kubernetes 1\.33 has no Deploymint of apps/v1"):
        list(manifests.problems({"apiVersion": "apps/v1", "kind": "Deploymint"}, "1.33"))
    with pytest.raises(Refusal, match=r"there are no schemas of Kubernetes 2\.0: use one of"):
        list(manifests.problems({"apiVersion": "apps/v1", "kind": "Deployment"}, "2.0"))


def test_objects_of_operators_have_schemas_too():
    binding = {
        "apiVersion": "elbv2.k8s.aws/v1beta1",
        "kind": "TargetGroupBinding",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"serviceRef": {"name": "api", "port": 80}, "targetGroupArn": "arn"},
    }
    ((path, why),) = manifests.problems(binding, "1.33")
    assert path == "spec"
    assert "'targetGroupArn' was unexpected" in why


def test_an_object_is_a_file_that_a_person_can_read(servicer, tmp_path):
    inputs, _ = check(servicer, DEPLOYMENT, {"metadata": {"name": "api", "namespace": "shop"}, "spec": SPEC})
    assert create(servicer, inputs).id == "shop/api"
    path = tmp_path / "shop" / "deployment-api.yaml"
    assert yaml.safe_load(path.read_text()) == inputs
    assert decode(read(servicer, inputs).inputs) == inputs

    changed = {**inputs, "spec": {**SPEC, "replicas": 2}}
    servicer.Update(provider_pb2.UpdateRequest(urn=urn(DEPLOYMENT), news=encode(changed)), None)
    assert decode(read(servicer, inputs).inputs)["spec"]["replicas"] == 2

    servicer.Delete(provider_pb2.DeleteRequest(urn=urn(DEPLOYMENT), properties=encode(changed)), None)
    assert not path.exists()
    assert read(servicer, inputs).id == ""
    servicer.Delete(provider_pb2.DeleteRequest(urn=urn(DEPLOYMENT), properties=encode(changed)), None)


def test_a_preview_writes_nothing(servicer, tmp_path):
    inputs, _ = check(servicer, DEPLOYMENT, {"metadata": {"name": "api"}, "spec": SPEC})
    assert create(servicer, inputs, preview=True).id == "default/api"
    request = provider_pb2.UpdateRequest(urn=urn(DEPLOYMENT), news=encode(inputs), preview=True)
    servicer.Update(request, None)
    assert list(tmp_path.iterdir()) == []
    unnamed = {"metadata": {"name": UNKNOWN}, "spec": SPEC}
    assert create(servicer, unnamed, preview=True).id == ""


def test_what_cannot_change_replaces_and_a_chosen_name_is_freed_first(servicer):
    old, _ = check(servicer, DEPLOYMENT, {"metadata": {"name": "api"}, "spec": SPEC})
    new = {**old, "spec": {**SPEC, "selector": {"matchLabels": {"app": "web"}}}}
    answer = diff(servicer, old, new)
    assert list(answer.replaces) == ["spec.selector.matchLabels.app"]
    assert answer.deleteBeforeReplace
    made_up, _ = check(servicer, DEPLOYMENT, {"spec": SPEC})
    assert not diff(servicer, made_up, {**made_up, "spec": new["spec"]}).deleteBeforeReplace


def test_a_new_image_updates_a_deployment_and_replaces_a_job(servicer):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "api", "image": "api:1"}]}}
    newer = {"spec": {"restartPolicy": "Never", "containers": [{"name": "api", "image": "api:2"}]}}
    for token, replaces in ((DEPLOYMENT, []), (JOB, ["spec.template.spec.containers[0].image"])):
        kind = token.rpartition(":")[2]
        old = {"kind": kind, "metadata": {"name": "api"}, "spec": {"template": template}}
        answer = diff(servicer, old, {**old, "spec": {"template": newer}})
        assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        assert list(answer.replaces) == replaces


def test_a_part_may_be_left_to_others(servicer):
    old = {"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"replicas": 1}}
    answer = diff(servicer, old, {**old, "spec": {"replicas": 2}}, ["spec.replicas"])
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_where_objects_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    assert settings_of({}).folder == tmp_path / "kubernetes"
    assert settings_of({"renderYamlToDirectory": "out"}).folder == Path("out")
    assert settings_of({}).version == manifests.versions()[-1]
    assert settings_of({"kubeconfig": kubeconfig("1.31")}).version == "1.31"
    assert settings_of({"kubeconfig": UNKNOWN}).version == manifests.versions()[-1]
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    servicer = KubernetesServicer("1")
    with pytest.raises(Refusal, match="It never talks to a cluster"):
        _ = servicer._store
