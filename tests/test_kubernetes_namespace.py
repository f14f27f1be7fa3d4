"""The namespace: closed, restricted, with secrets that are fetched and never held."""

import dataclasses

import pulumi
import pytest

from components.kubernetes_namespace import (
    FetchedSecret,
    KubernetesNamespace,
    KubernetesNamespaceArgs,
    Remote,
)
from local.provider import manifests
from tests.recorder import record

NAMESPACE = "kubernetes:core/v1:Namespace"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
STORE = "kubernetes:external-secrets.io/v1:SecretStore"
SECRET = "kubernetes:external-secrets.io/v1:ExternalSecret"
AUTHENTICATION = "kubernetes:keda.sh/v1alpha1:TriggerAuthentication"
ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:"

# T35 (template L355-365) and N45 (monorepo guide L428-435).
APP_SECRETS = FetchedSecret(
    name="app-secrets",
    remote={"jwt-secret": Remote(arn=f"{ARN}jwt"), "database-url": Remote(arn=f"{ARN}url")},
    plain={},
)
DB_CREDENTIALS = FetchedSecret(
    name="db-credentials",
    remote={"password": Remote(arn=f"{ARN}login", property="password")},
    plain={"host": "db.example.internal"},
)
GOOD = KubernetesNamespaceArgs(
    namespace="shop", region="us-east-1", secrets=[APP_SECRETS, DB_CREDENTIALS], scales_on_metrics=True
)


def declare(**changes):
    return record(lambda: KubernetesNamespace("namespace", dataclasses.replace(GOOD, **changes)))


@pytest.fixture(scope="module")
def declared():
    return declare()


def test_every_object_is_one_that_a_cluster_takes(declared):
    objects = [each for each in declared if each.type.startswith("kubernetes:")]
    assert len(objects) == 6
    assert [found for each in objects for found in manifests.problems(each.inputs, "1.33")] == []


def test_the_namespace_is_restricted_and_closed(declared):
    labels = declared.one(NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"
    assert declared.one(POLICY)["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_secrets_have_the_documents_names_and_keys(declared):
    app = declared.one(SECRET, "namespace-app-secrets")
    assert app["metadata"]["name"] == app["spec"]["target"]["name"] == "app-secrets"
    assert app["spec"]["data"] == [
        {"secretKey": "database-url", "remoteRef": {"key": f"{ARN}url"}},
        {"secretKey": "jwt-secret", "remoteRef": {"key": f"{ARN}jwt"}},
    ]
    assert "template" not in app["spec"]["target"]
    assert app["spec"]["secretStoreRef"]["name"] == declared.one(STORE)["metadata"]["name"]


def test_what_is_no_secret_stands_beside_it(declared):
    credentials = declared.one(SECRET, "namespace-db-credentials")["spec"]
    assert credentials["data"] == [
        {"secretKey": "password", "remoteRef": {"key": f"{ARN}login", "property": "password"}}
    ]
    assert credentials["target"]["template"]["data"] == {"host": "db.example.internal"}
    assert credentials["target"]["template"]["mergePolicy"] == "Merge"


def test_objects_come_after_their_namespace(declared):
    namespace = declared.one(NAMESPACE)
    assert declared.one(STORE).depends_on(namespace)
    assert declared.one(POLICY).depends_on(namespace)


def test_nothing_is_asked_for_figures_where_nothing_scales_on_them():
    assert declare(scales_on_metrics=False).all(AUTHENTICATION) == []


def test_its_name_is_known_before_it_is_made():
    names = []

    def program():
        KubernetesNamespace("namespace", GOOD).name.apply(names.append)

    record(program)
    assert names == ["shop"]


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ([APP_SECRETS, APP_SECRETS], "secret app-secrets is listed twice"),
        (
            [FetchedSecret(name="empty", remote={}, plain={"host": "db"})],
            "secret empty fetches nothing: what is no secret needs none",
        ),
        (
            [FetchedSecret(name="both", remote={"host": Remote(arn=ARN)}, plain={"host": "db"})],
            "secret both: host is fetched and plain: keep one of the two",
        ),
    ],
)
def test_what_is_refused(secrets, said):
    with pytest.raises(ValueError, match=f"^kubernetes namespace shop: {said}$"):
        dataclasses.replace(GOOD, secrets=secrets)


def test_a_value_that_is_known_later_is_waited_for():
    secret = dataclasses.replace(DB_CREDENTIALS, plain={"host": pulumi.Output.from_input("db")})
    declared = declare(secrets=[secret])
    assert declared.one(SECRET)["spec"]["target"]["template"]["data"] == {"host": "db"}
