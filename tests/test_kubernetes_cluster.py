"""The cluster: private, encrypted, logged; machines that hold little; controllers that may do little."""

import dataclasses
import json

import pytest
import yaml

from components import _iam
from components.kubernetes_cluster import Controller, KubernetesCluster, KubernetesClusterArgs, Nodes
from local.provider.kubernetes import settings_of
from tests.recorder import record

CLUSTER = "aws:eks/cluster:Cluster"
NODES = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ADDON = "aws:eks/addon:Addon"
ENTRY = "aws:eks/accessEntry:AccessEntry"
ADMIN = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
IDENTITY = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

GOOD = KubernetesClusterArgs(
    cluster_name="shop-prod",
    version="1.33",
    account_id="111122223333",
    region="us-east-1",
    subnet_ids=["subnet-a", "subnet-b"],
    control_plane_security_group_id="sg-control",
    node_security_group_id="sg-nodes",
    nodes=Nodes(instance_types=["m7i.large"], min_count=3, max_count=6),
    admin_role_arns=["arn:aws:iam::111122223333:role/admin"],
    controllers=[
        Controller(
            name="keda",
            namespace="keda",
            service_account="keda-operator",
            statements=[_iam.statement("cloudwatch:GetMetricData", "*")],
        )
    ],
    secrets_key_arn="arn:aws:kms:us-east-1:111122223333:key/secrets",
    log_key_arn="arn:aws:kms:us-east-1:111122223333:key/logs",
    log_retention_days=30,
    namespace="shop",
    tags={"owner": "platform"},
)


def declare(**changes):
    kept = []
    recording = record(
        lambda: kept.append(KubernetesCluster("kubernetes", dataclasses.replace(GOOD, **changes)))
    )
    return recording, kept[0]


@pytest.fixture(scope="module")
def declared():
    return declare()[0]


def test_the_api_is_private_its_secrets_encrypted_and_all_of_it_logged(declared):
    cluster = declared.one(CLUSTER)
    assert cluster["vpcConfig"] == {
        "subnetIds": ["subnet-a", "subnet-b"],
        "securityGroupIds": ["sg-control"],
        "endpointPrivateAccess": True,
        "endpointPublicAccess": False,
    }
    assert cluster["encryptionConfig"] == {
        "provider": {"keyArn": GOOD.secrets_key_arn},
        "resources": ["secrets"],
    }
    assert cluster["enabledClusterLogTypes"] == [
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    ]
    logs = declared.one("aws:cloudwatch/logGroup:LogGroup")
    assert logs["name"] == "/aws/eks/shop-prod/cluster"
    assert cluster.depends_on(logs)
    assert cluster["deletionProtection"] is True


def test_only_the_named_roles_enter(declared):
    access = declared.one(CLUSTER)["accessConfig"]
    assert access == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert declared.one(ENTRY)["principalArn"] == "arn:aws:iam::111122223333:role/admin"
    assert declared.one(ADMIN)["policyArn"].endswith("/AmazonEKSClusterAdminPolicy")


def test_machines_are_held_by_the_stacks_own_firewall_and_give_no_credentials_away(declared):
    template = declared.one(TEMPLATE)
    assert template["vpcSecurityGroupIds"] == ["sg-nodes"]
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
    nodes = declared.one(NODES)
    assert nodes["scalingConfig"] == {"desiredSize": 3, "minSize": 3, "maxSize": 6}
    assert nodes.ignore_changes == ("scalingConfig.desiredSize",)
    assert nodes["launchTemplate"]["version"] == "1"


def test_machines_come_after_the_network_and_addons_that_need_machines_after_them(declared):
    nodes = declared.one(NODES)
    for addon in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent"):
        assert nodes.depends_on(declared.one(ADDON, f"kubernetes-{addon}"))
    for addon in ("coredns", "metrics-server", "amazon-cloudwatch-observability"):
        assert declared.one(ADDON, f"kubernetes-{addon}").depends_on(nodes)


def test_pods_have_security_groups_and_network_policies(declared):
    cni = json.loads(declared.one(ADDON, "kubernetes-vpc-cni")["configurationValues"])
    assert cni["enableNetworkPolicy"] == "true"
    assert cni["env"] == {"ENABLE_POD_ENI": "true", "POD_SECURITY_GROUP_ENFORCING_MODE": "standard"}
    policies = {each["policyArn"].rpartition("/")[2] for each in declared.all(ATTACHMENT)}
    assert "AmazonEKSVPCResourceController" in policies


def test_what_pods_write_goes_where_their_annotation_says(declared):
    values = json.loads(
        declared.one(ADDON, "kubernetes-amazon-cloudwatch-observability")["configurationValues"]
    )
    routes = values["containerLogs"]["fluentBit"]["config"]["extraFiles"]["application-log.conf"]
    assert "/var/log/containers/*_shop_*.log" in routes
    assert "$kubernetes['annotations']['groundwork.dev/log-group']" in routes
    assert "${AWS_REGION}" in routes


def test_a_controller_has_its_own_role(declared):
    identity = declared.one(IDENTITY)
    assert (identity["namespace"], identity["serviceAccount"]) == ("keda", "keda-operator")
    policy = declared.one("aws:iam/rolePolicy:RolePolicy").json("policy")
    assert policy["Statement"][0]["Action"] == ["cloudwatch:GetMetricData"]


def test_the_kubeconfig_holds_no_credential_and_names_the_version(declared):
    text = declared.outputs("kubernetes")["kubeconfig"]
    config = yaml.safe_load(text)
    user = config["users"][0]["user"]["exec"]
    assert user["args"] == ["eks", "get-token", "--cluster-name", "shop-prod", "--region", "us-east-1"]
    assert settings_of({"kubeconfig": text}).version == "1.33"


def test_the_machines_are_watched():
    _, cluster = declare()
    assert [watch.name for watch in cluster.watches] == [
        "kubernetes-failed-nodes",
        "kubernetes-node-cpu",
        "kubernetes-node-memory",
        "kubernetes-node-disk",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subnet_ids": ["subnet-a"]}, "subnet_ids must name subnets in at least two zones, got 1"),
        (
            {"nodes": Nodes(instance_types=[], min_count=1, max_count=1)},
            "nodes.instance_types is empty: name at least one type",
        ),
        (
            {"nodes": Nodes(instance_types=["m7i.large"], min_count=3, max_count=2)},
            "nodes.min_count must be 1 or more and at most nodes.max_count, got 3 and 2",
        ),
        (
            {"admin_role_arns": []},
            "admin_role_arns is empty: nobody could enter the cluster, Pulumi included",
        ),
    ],
)
def test_what_is_refused(changes, said):
    with pytest.raises(ValueError, match=f"^kubernetes cluster shop-prod: {said}$"):
        dataclasses.replace(GOOD, **changes)
