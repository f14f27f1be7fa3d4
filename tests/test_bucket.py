"""Bucket: private, encrypted, versioned, TLS only; expiry and log delivery on demand."""

import re
from typing import Any

import pytest

from components import _iam
from components.bucket import Bucket, BucketArgs
from tests.recorder import record

# The SDK warns of its own deprecated classes when the module is imported, used or not.
pytestmark = pytest.mark.filterwarnings("ignore:s3.* has been deprecated:DeprecationWarning")

BUCKET = "aws:s3/bucket:Bucket"
PUBLIC = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ARN = "arn:aws:s3:::rentfix-backups"


def build(**changes):
    values: dict[str, Any] = {
        "bucket_name": "rentfix-backups",
        "kms_key_arn": "arn:aws:kms:storage",
        **changes,
    }
    return record(lambda: Bucket("backups", BucketArgs(**values)))


def test_nobody_outside_gets_in():
    declared = build()
    assert declared.one(PUBLIC).inputs == {
        "bucket": "rentfix-backups",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    assert declared.one(OWNERSHIP)["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert declared.one(POLICY).json("policy")["Statement"] == [
        {
            "Effect": "Deny",
            "Action": ["s3:*"],
            "Resource": [ARN, f"{ARN}/*"],
            "Principal": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            "Sid": "TlsOnly",
        }
    ]
    assert declared.one(POLICY).depends_on(declared.one(PUBLIC))


def test_encryption_with_a_key_of_ones_own_or_with_s3s():
    own, s3s = build().one(ENCRYPTION), build(kms_key_arn=None).one(ENCRYPTION)
    assert own["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {
                "sseAlgorithm": "aws:kms",
                "kmsMasterKeyId": "arn:aws:kms:storage",
            },
            "bucketKeyEnabled": True,
        }
    ]
    assert s3s["rules"] == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]


def test_objects_and_their_old_versions_expire_by_prefix():
    declared = build(expire_days={"postgres/": 30, "": 365})
    lifecycle = declared.one(LIFECYCLE)
    assert lifecycle["rules"] == [
        {
            "id": "expire-all",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "expiration": {"days": 365},
            "noncurrentVersionExpiration": {"noncurrentDays": 365},
        },
        {
            "id": "expire-postgres",
            "status": "Enabled",
            "filter": {"prefix": "postgres/"},
            "expiration": {"days": 30},
            "noncurrentVersionExpiration": {"noncurrentDays": 30},
        },
        {
            "id": "cleanup",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            "expiration": {"expiredObjectDeleteMarker": True},
        },
    ]
    assert lifecycle.depends_on(declared.one(VERSIONING))


def test_versions_can_be_left_out():
    declared = build(versioned=False, expire_days={"logs/": 90})
    assert declared.one(VERSIONING)["versioningConfiguration"] == {"status": "Suspended"}
    expire, cleanup = declared.one(LIFECYCLE)["rules"]
    assert "noncurrentVersionExpiration" not in expire
    assert "expiration" not in cleanup
    assert build().one(VERSIONING)["versioningConfiguration"] == {"status": "Enabled"}


def test_a_load_balancer_of_the_account_may_write_its_logs():
    declared = build(kms_key_arn=None, log_delivery="load_balancer", account_id="111122223333")
    _, logs = declared.one(POLICY).json("policy")["Statement"]
    assert logs == {
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Resource": [f"{ARN}/*AWSLogs/111122223333/*"],
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Sid": "LoadBalancerLogs",
    }


def test_further_statements_follow():
    extra = _iam.statement("s3:GetObject", f"{ARN}/*", principals={"AWS": "arn:role"}, sid="Reader")
    statements = build(extra_policy_statements=[extra]).one(POLICY).json("policy")["Statement"]
    assert [statement["Sid"] for statement in statements] == ["TlsOnly", "Reader"]


def test_data_outlives_the_stack_only_where_it_is_protected():
    kept, gone = build().one(BUCKET), build(protect=False).one(BUCKET)
    assert (kept.protect, kept.retain_on_delete, kept["forceDestroy"]) == (True, True, False)
    assert (gone.protect, gone.retain_on_delete, gone["forceDestroy"]) == (False, False, True)


def test_names_tags_and_outputs():
    declared = build(tags={"owner": "platform"})
    assert declared.one(BUCKET)["bucket"] == "rentfix-backups"
    assert declared.one(BUCKET)["tags"] == {"owner": "platform", "Name": "rentfix-backups"}
    assert declared.outputs("backups") == {"name": "rentfix-backups", "arn": ARN}
    assert declared.names() == [
        f"{BUCKET}::backups",
        f"{LIFECYCLE}::backups-lifecycle",
        f"{OWNERSHIP}::backups-ownership",
        f"{POLICY}::backups-policy",
        f"{PUBLIC}::backups-public-access",
        f"{ENCRYPTION}::backups-encryption",
        f"{VERSIONING}::backups-versioning",
        "groundwork:storage:Bucket::backups",
    ]
    assert declared.orphans() == []


def test_the_engine_may_choose_the_name():
    bucket = build(bucket_name=None).one(BUCKET)
    assert "bucket" not in bucket
    assert bucket["tags"] == {"Name": "backups"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"expire_days": {"a/": 0}},
            "bucket rentfix-backups: expire_days of 'a/' must be at least 1, got 0",
        ),
        ({"expire_days": {"/a": 1}}, "expire_days: a prefix does not begin with /, got '/a'"),
        (
            {"log_delivery": "load_balancer"},
            "log_delivery load_balancer needs account_id: whose load balancers may write; "
            "log_delivery load_balancer needs kms_key_arn None: the balancer writes with SSE-S3 only",
        ),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(**changes)
