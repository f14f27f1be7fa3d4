"""Bucket: private, encrypted, versioned, TLS only; expiry and log delivery on demand."""

import re
from typing import Any

import pulumi
import pytest

from components import _iam
from components.bucket import Bucket, BucketArgs, Cors, MalwareScan
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
CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
PLAN = "aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
ARN = "arn:aws:s3:::rentfix-backups"
SCAN = MalwareScan(
    topic_arn="arn:aws:sns:us-east-1:111122223333:warning", account_id="111122223333", region="us-east-1"
)


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


def test_what_was_overwritten_goes_after_its_own_time():
    cleanup = build(noncurrent_expire_days=30).one(LIFECYCLE)["rules"][-1]
    assert cleanup["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert cleanup["filter"] == {"prefix": ""}


def test_browsers_of_named_pages_may_call_it():
    cors = Cors(allow_origins=["https://app.example.com"], allow_methods=["GET", "PUT"], max_age_s=3000)
    assert build(cors=cors).one(CORS).inputs == {
        "bucket": "rentfix-backups",
        "corsRules": [
            {
                "allowedOrigins": ["https://app.example.com"],
                "allowedMethods": ["GET", "PUT"],
                "allowedHeaders": ["Content-Type", "Content-MD5", "x-amz-*"],
                "exposeHeaders": ["ETag"],
                "maxAgeSeconds": 3000,
            }
        ],
    }
    assert build().names(CORS) == []


def test_distributions_of_the_account_may_deliver_their_logs():
    declared = build(kms_key_arn=None, log_delivery="distribution", account_id="111122223333")
    (write,) = [
        each for each in declared.one(POLICY).json("policy")["Statement"] if each["Sid"] == "DistributionLogs"
    ]
    assert write["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert write["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}
    with pytest.raises(
        ValueError, match="log_delivery distribution needs account_id: whose distributions may write"
    ):
        build(kms_key_arn=None, log_delivery="distribution")


def test_one_distribution_may_read():
    distribution = "arn:aws:cloudfront::111122223333:distribution/E1"
    _, reader = build(reader_distribution_arn=distribution).one(POLICY).json("policy")["Statement"]
    assert reader == {
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": [f"{ARN}/*"],
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceArn": distribution}},
        "Sid": "OneDistributionReads",
    }


def test_a_distribution_may_be_named_after_the_bucket_is_made():
    """Only the policy waits for it: the distribution itself needs the bucket's domain name."""

    def program():
        arn, tell = pulumi.deferred_output()
        bucket = Bucket("pages", BucketArgs(kms_key_arn=None, protect=False, reader_distribution_arn=arn))
        tell(bucket.regional_domain_name.apply(lambda domain: f"arn:of-the-distribution-before-{domain}"))

    statements = record(program).one(POLICY).json("policy")["Statement"]
    named = statements[-1]["Condition"]["StringEquals"]["aws:SourceArn"]
    assert named.startswith("arn:of-the-distribution-before-pages-")


def test_nobody_reads_what_is_not_found_clean():
    declared = build(malware_scan=SCAN)
    role = declared.one(ROLE)
    role_arn = f"arn:aws:iam::111122223333:role/{declared.one(PLAN)['role'].rpartition('/')[2]}"
    _, read, tag = declared.one(POLICY).json("policy")["Statement"]
    assert read == {
        "Effect": "Deny",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": [f"{ARN}/*"],
        "Principal": "*",
        "Condition": {
            "StringNotEquals": {"s3:ExistingObjectTag/GuardDutyMalwareScanStatus": "NO_THREATS_FOUND"},
            "ArnNotEquals": {"aws:PrincipalArn": role_arn},
        },
        "Sid": "ReadOnlyWhatIsClean",
    }
    assert tag["Effect"] == "Deny"
    assert tag["Action"] == ["s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"]
    assert tag["Condition"] == {
        "ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": ["GuardDutyMalwareScanStatus"]},
        "ArnNotEquals": {"aws:PrincipalArn": role_arn},
    }
    trust = role.json("assumeRolePolicy")["Statement"]
    assert [statement["Principal"] for statement in trust] == [
        {"Service": "malware-protection-plan.guardduty.amazonaws.com"}
    ]
    assert declared.orphans() == []


def test_guardduty_scans_and_tags_this_bucket_only():
    declared = build(malware_scan=SCAN, tags={"owner": "platform"})
    plan, rights = declared.one(PLAN), declared.one(ROLE_POLICY)
    assert plan["protectedResource"] == {"s3Bucket": {"bucketName": "rentfix-backups"}}
    assert plan["actions"] == [{"taggings": [{"status": "ENABLED"}]}]
    assert plan.depends_on(rights)
    statements = {statement["Sid"]: statement for statement in rights.json("policy")["Statement"]}
    rules = "arn:aws:events:us-east-1:111122223333:rule/DO-NOT-DELETE-AmazonGuardDutyMalwareProtectionS3*"
    assert {sid: statement["Resource"] for sid, statement in statements.items()} == {
        "ToldOfNewObjects": [rules],
        "WatchesItsRule": [rules],
        "Bucket": [ARN],
        "ValidationObject": [f"{ARN}/malware-protection-resource-validation-object"],
        "ScanAndTag": [f"{ARN}/*"],
        "Decrypt": ["arn:aws:kms:storage"],
    }
    assert statements["Decrypt"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    }
    without_key = build(malware_scan=SCAN, kms_key_arn=None).one(ROLE_POLICY).json("policy")["Statement"]
    assert "Decrypt" not in [statement["Sid"] for statement in without_key]


def test_somebody_is_told_of_every_object_that_stays_closed():
    declared = build(malware_scan=SCAN)
    assert declared.one(EVENT_RULE).json("eventPattern") == {
        "source": ["aws.guardduty"],
        "detail-type": ["GuardDuty Malware Protection Object Scan Result"],
        "detail": {
            "s3ObjectDetails": {"bucketName": ["rentfix-backups"]},
            "scanResultDetails": {"scanResultStatus": [{"anything-but": "NO_THREATS_FOUND"}]},
        },
    }
    target = declared.one(EVENT_TARGET)
    assert target["arn"] == "arn:aws:sns:us-east-1:111122223333:warning"
    # With a role, deliveries to an encrypted topic fail (EventBridge guide, "Using resource-based policies").
    assert "roleArn" not in target
    assert target["inputTransformer"]["inputTemplate"] == (
        '"Malware scan says <status> of <key> in <bucket>. Nobody can read it."'
    )
    assert build().names(PLAN) == []


def test_data_outlives_the_stack_only_where_it_is_protected():
    kept, gone = build().one(BUCKET), build(protect=False).one(BUCKET)
    assert (kept.protect, kept.retain_on_delete, kept["forceDestroy"]) == (True, True, False)
    assert (gone.protect, gone.retain_on_delete, gone["forceDestroy"]) == (False, False, True)


def test_names_tags_and_outputs():
    declared = build(tags={"owner": "platform"})
    assert declared.one(BUCKET)["bucket"] == "rentfix-backups"
    assert declared.one(BUCKET)["tags"] == {"owner": "platform", "Name": "rentfix-backups"}
    assert declared.outputs("backups") == {
        "name": "rentfix-backups",
        "arn": ARN,
        "regional_domain_name": "rentfix-backups.s3.us-east-1.amazonaws.com",
    }
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
            {"noncurrent_expire_days": 0, "versioned": False},
            "noncurrent_expire_days must be at least 1, got 0; "
            "noncurrent_expire_days needs versioned: without versions nothing is kept",
        ),
        (
            {"cors": Cors(allow_origins=[], allow_methods=[], max_age_s=0)},
            "cors.allow_origins is empty; name the origins of the web pages, such as https://app.example.com; "
            "cors.allow_methods is empty; name GET, PUT or POST",
        ),
        (
            {"cors": Cors(allow_origins=["*"], allow_methods=["GET"], max_age_s=0)},
            "cors.allow_origins must name origins, got *",
        ),
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
