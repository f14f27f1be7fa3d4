"""The `kubernetes` provider under the real engine: up, no change, no drift, drift put back, a new Job, destroyed."""

# ruff: noqa: F401, F811 - fixtures are imported

import pytest
import yaml

from local import stack
from local.workspace import Workspace
from tests.engine import configure, home, port, workspace

pytestmark = pytest.mark.engine

PROGRAM = """
import json

import pulumi
import pulumi_kubernetes as kubernetes

settings = pulumi.Config()
version = {"name": "version", "extension": "1.33"}
clusters = [{"name": "shop", "cluster": {"server": "https://192.0.2.1", "extensions": [version]}}]
provider = kubernetes.Provider("shop", kubeconfig=json.dumps({"clusters": clusters}))
options = pulumi.ResourceOptions(provider=provider)
namespace = kubernetes.core.v1.Namespace("shop", metadata={"name": "shop"}, opts=options)
tag = settings.get("tag") or "1"
template = {
    "spec": {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": f"api:{tag}"}]}
}
job = kubernetes.batch.v1.Job(
    "migrate",
    metadata={"name": f"migrate-{tag}", "namespace": namespace.metadata.name},
    spec={"template": template},
    opts=options,
)
kubernetes.core.v1.ConfigMap("made-up", metadata={"namespace": "shop"}, data={"key": "value"}, opts=options)
binding = {"serviceRef": {"name": "api", settings.get("port_key") or "port": 80}, "targetGroupARN": "arn"}
kubernetes.apiextensions.CustomResource(
    "api",
    api_version="elbv2.k8s.aws/v1beta1",
    kind="TargetGroupBinding",
    metadata={"name": "api", "namespace": "shop"},
    spec=binding,
    opts=options,
)
pulumi.export("job", job.metadata.name)
"""


@pytest.fixture
def project(workspace: Workspace) -> Workspace:
    (workspace.root / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    workspace.stack_file.write_text("config:\n  tiny:unused: true\n", encoding="utf-8")
    return workspace


def run(project, command, *options):
    """What the engine did, counted: {"create": 7}."""
    stack.select(project)
    return dict(stack.run(project, command, "--yes", "--skip-preview", *options).changes)


def test_the_whole_life_of_a_stack(project):
    folder = project.folder / "kubernetes"
    stack.select(project)
    stack.run(project, "preview")
    assert not folder.exists()

    assert run(project, "up")["create"] == 6  # the provider and the stack among them
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))
    assert names[0] == "cluster/namespace-shop.yaml"
    assert names[1].startswith("shop/configmap-made-up-")
    assert names[2:] == ["shop/job-migrate-1.yaml", "shop/targetgroupbinding-api.yaml"]
    assert run(project, "up").keys() == {"same"}
    assert run(project, "refresh").keys() == {"same"}

    binding = folder / "shop" / "targetgroupbinding-api.yaml"
    edited = yaml.safe_load(binding.read_text())
    edited["spec"]["serviceRef"]["port"] = 81
    binding.write_text(yaml.safe_dump(edited))
    (folder / "shop" / "job-migrate-1.yaml").unlink()
    drift = run(project, "refresh")
    assert (drift["delete"], drift["update"]) == (1, 1)
    assert run(project, "up")["create"] == 1
    assert yaml.safe_load(binding.read_text())["spec"]["serviceRef"]["port"] == 80

    configure(project, 'tiny:tag: "2"')
    assert run(project, "up")["replace"] == 1
    assert stack.outputs(project)["job"] == "migrate-2"
    assert not (folder / "shop" / "job-migrate-1.yaml").exists()

    run(project, "destroy")
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_manifest_that_a_cluster_would_refuse_stops_the_preview(project):
    configure(project, "tiny:port_key: prot")
    stack.select(project)
    with pytest.raises(stack.EngineError) as refused:
        stack.run(project, "preview")
    assert "Additional properties are not allowed ('prot' was unexpected)" in refused.value.output
