"""Policy documents: what a statement holds, and what is refused."""

import json

import pulumi
import pytest

from components import _iam
from tests.recorder import record


def text(output):
    return json.loads(record(output).value)


def test_a_single_action_and_resource_need_no_list():
    made = _iam.statement("s3:GetObject", "arn:aws:s3:::dumps/*")
    assert made == {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::dumps/*"]}


def test_everything_that_a_statement_can_say():
    made = _iam.statement(
        ["s3:*"],
        ["a", "b"],
        effect="Deny",
        conditions={"Bool": {"aws:SecureTransport": "false"}},
        principals="*",
        sid="TlsOnly",
    )
    assert made == {
        "Effect": "Deny",
        "Action": ["s3:*"],
        "Resource": ["a", "b"],
        "Principal": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        "Sid": "TlsOnly",
    }


def test_a_statement_without_an_action_is_refused():
    with pytest.raises(ValueError, match="statement Read: it names no action; name at least one"):
        _iam.statement([], "arn", sid="Read")


def test_a_document_resolves_what_is_not_known_yet():
    def program():
        arn = pulumi.Output.from_input("arn:aws:s3:::dumps")
        return _iam.document(
            _iam.statement("s3:ListBucket", arn),
            _iam.statement("s3:GetObject", [pulumi.Output.concat(arn, "/*")], principals={"AWS": arn}),
        )

    assert text(program) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::dumps"]},
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::dumps/*"],
                "Principal": {"AWS": "arn:aws:s3:::dumps"},
            },
        ],
    }


def test_an_empty_document_is_refused():
    with pytest.raises(ValueError, match="a policy document needs at least one statement"):
        _iam.document()


def test_trust_is_in_the_service_alone_unless_narrowed():
    trust = text(lambda: _iam.assume_role("backup.amazonaws.com"))
    assert trust["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Principal": {"Service": "backup.amazonaws.com"},
        }
    ]


def test_trust_is_narrowed_to_an_account_and_a_source():
    trust = text(
        lambda: _iam.assume_role(
            "ecs-tasks.amazonaws.com",
            account_id=pulumi.Output.from_input("111122223333"),
            source_arn="arn:aws:ecs:us-east-1:111122223333:*",
        )
    )
    assert trust["Statement"][0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:111122223333:*"},
    }


def test_pods_of_one_cluster_may_take_a_role():
    arn = "arn:aws:eks:us-east-1:111122223333:cluster/shop-prod"
    trust = text(lambda: _iam.assume_role_by_pods(account_id="111122223333", cluster_arn=arn))
    assert trust["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "111122223333"},
                "ArnEquals": {"aws:SourceArn": arn},
            },
        }
    ]


def test_tags_and_regions_as_conditions():
    assert _iam.bearing({"system": "shop"}) == {"aws:ResourceTag/system": "shop"}
    named = {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}
    assert _iam.in_regions(["us-east-1", "eu-west-1"]) == named
    assert _iam.in_regions(["eu-west-1"]) == named, "IAM answers in us-east-1 alone"
