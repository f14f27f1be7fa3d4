"""What a role may do with the objects of one bucket: rights, the key through S3 only, nothing of another bucket."""

import json

import pulumi
import pytest

from components import _iam, _object_access
from tests.recorder import record

ARN = "arn:aws:s3:::shop-files"
KEY = "arn:aws:kms:us-east-1:111122223333:key/storage"


def statements(rights, kms_key_arn: str | None = KEY):
    def program():
        made = _object_access.statements(
            pulumi.Output.from_input(ARN), rights, kms_key_arn=kms_key_arn, region="us-east-1", sid="Files"
        )
        return _iam.document(*made)

    return {statement["Sid"]: statement for statement in json.loads(record(program).value)["Statement"]}


def test_each_right_is_its_own_statement():
    found = statements(["read", "write", "delete"])
    assert {sid: (statement["Action"], statement["Resource"]) for sid, statement in found.items()} == {
        "FilesRead": (["s3:GetObject"], [f"{ARN}/*"]),
        "FilesList": (["s3:ListBucket"], [ARN]),
        "FilesWrite": (
            ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            [f"{ARN}/*"],
        ),
        "FilesDelete": (["s3:DeleteObject"], [f"{ARN}/*"]),
        "FilesEncryption": (["kms:Decrypt", "kms:GenerateDataKey"], [KEY]),
    }


def test_the_key_is_used_through_s3_and_for_this_bucket_only():
    assert statements(["read"])["FilesEncryption"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": [ARN, f"{ARN}/*"]},
    }


@pytest.mark.parametrize(
    ("rights", "actions"),
    [
        (["read"], ["kms:Decrypt"]),
        (["write"], ["kms:Decrypt", "kms:GenerateDataKey"]),
        (["delete"], None),
    ],
)
def test_what_each_right_needs_of_the_key(rights, actions):
    found = statements(rights)
    assert (found["FilesEncryption"]["Action"] if "FilesEncryption" in found else None) == actions
    assert "FilesEncryption" not in statements(rights, None)
