"""What a role may do with the objects of one bucket, as statements of its policy. No keys, and no other bucket."""

from collections.abc import Iterator, Sequence
from typing import Literal

import pulumi

from components import _iam

Right = Literal["read", "write", "delete"]


def statements(
    bucket_arn: pulumi.Input[str],
    rights: Sequence[Right],
    *,
    kms_key_arn: pulumi.Input[str] | None,
    region: str,
    sid: str,
) -> list[_iam.Statement]:
    """`sid` begins the name of each statement, and tells the buckets apart; `kms_key_arn` encrypts the objects."""
    return list(_statements(bucket_arn, rights, kms_key_arn, region, sid))


def _statements(
    bucket_arn: pulumi.Input[str],
    rights: Sequence[Right],
    kms_key_arn: pulumi.Input[str] | None,
    region: str,
    sid: str,
) -> Iterator[_iam.Statement]:
    objects = pulumi.Output.concat(bucket_arn, "/*")
    if "read" in rights:
        yield _iam.statement("s3:GetObject", objects, sid=f"{sid}Read")
        # Without it S3 answers 403 for an object that is not there, and no program can tell the two apart.
        yield _iam.statement("s3:ListBucket", bucket_arn, sid=f"{sid}List")
    if "write" in rights:
        yield _iam.statement(
            ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            objects,
            sid=f"{sid}Write",
        )
    if "delete" in rights:
        yield _iam.statement("s3:DeleteObject", objects, sid=f"{sid}Delete")
    actions = _kms_actions(rights)
    if kms_key_arn is not None and actions:
        # A bucket key carries the bucket's ARN: the same key opens no other bucket's objects to this role.
        yield _iam.statement(
            actions,
            kms_key_arn,
            conditions={
                "StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket_arn, objects]},
            },
            sid=f"{sid}Encryption",
        )


def _kms_actions(rights: Sequence[Right]) -> list[str]:
    """S3 decrypts the parts of a multipart upload before it puts them together: who writes needs both."""
    if "write" in rights:
        return ["kms:Decrypt", "kms:GenerateDataKey"]
    return ["kms:Decrypt"] if "read" in rights else []
