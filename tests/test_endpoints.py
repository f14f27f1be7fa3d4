"""Interface endpoints: one per service, private names, behind one group."""

import pytest

from components.endpoints import Endpoints, EndpointsArgs
from tests.recorder import record

ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"


def args(services):
    return EndpointsArgs(
        vpc_id="vpc-1",
        subnet_ids=["subnet-a", "subnet-b"],
        security_group_id="sg-endpoints",
        region="us-east-1",
        services=services,
        tags={"owner": "platform"},
    )


def test_one_endpoint_per_service_with_private_names():
    declared = record(lambda: Endpoints("endpoints", args(["ecr.api", "logs"])))
    assert declared.names(ENDPOINT) == ["endpoints-ecr-api", "endpoints-logs"]
    assert declared.one(ENDPOINT, "endpoints-ecr-api").inputs == {
        "vpcId": "vpc-1",
        "serviceName": "com.amazonaws.us-east-1.ecr.api",
        "vpcEndpointType": "Interface",
        "subnetIds": ["subnet-a", "subnet-b"],
        "securityGroupIds": ["sg-endpoints"],
        "privateDnsEnabled": True,
        "tags": {"owner": "platform", "Name": "endpoints-ecr-api"},
    }
    assert set(declared.outputs("endpoints")["ids"]) == {"ecr.api", "logs"}
    assert declared.orphans() == []


def test_no_services_no_endpoints():
    assert record(lambda: Endpoints("endpoints", args([]))).names(ENDPOINT) == []


def test_refuses_repeated_services_and_those_with_a_gateway_endpoint():
    with pytest.raises(ValueError, match=r"services: logs is listed twice; s3 has a gateway endpoint"):
        args(["logs", "s3", "logs"])


def test_a_preview_sees_every_resource():
    def program():
        return Endpoints("endpoints", args(["logs"]))

    assert record(program, preview=True).names() == record(program).names()
