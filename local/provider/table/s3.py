"""S3 buckets, what is set on them one by one, and objects."""

from local.provider.entry import Resource, Tagging, call, send

_ENCRYPTION = """{Rules: inputs.rules[].{
    BucketKeyEnabled: bucketKeyEnabled,
    ApplyServerSideEncryptionByDefault: applyServerSideEncryptionByDefault && {
        SSEAlgorithm: applyServerSideEncryptionByDefault.sseAlgorithm,
        KMSMasterKeyID: applyServerSideEncryptionByDefault.kmsMasterKeyId
    }
}}"""
_LIFECYCLE = """{Rules: inputs.rules[].{
    ID: id, Status: status,
    Filter: filter && {
        Prefix: filter.prefix, ObjectSizeGreaterThan: filter.objectSizeGreaterThan,
        ObjectSizeLessThan: filter.objectSizeLessThan,
        Tag: filter.tag && {Key: filter.tag.key, Value: filter.tag.value},
        And: filter.and && {
            Prefix: filter.and.prefix, Tags: pairs(filter.and.tags)[].{Key: key, Value: value},
            ObjectSizeGreaterThan: filter.and.objectSizeGreaterThan,
            ObjectSizeLessThan: filter.and.objectSizeLessThan
        }
    } || {Prefix: prefix || ''},
    AbortIncompleteMultipartUpload: abortIncompleteMultipartUpload && {
        DaysAfterInitiation: abortIncompleteMultipartUpload.daysAfterInitiation
    },
    Expiration: expiration && {
        Days: expiration.days, Date: expiration.date,
        ExpiredObjectDeleteMarker: expiration.expiredObjectDeleteMarker
    },
    NoncurrentVersionExpiration: noncurrentVersionExpiration && {
        NoncurrentDays: noncurrentVersionExpiration.noncurrentDays,
        NewerNoncurrentVersions: noncurrentVersionExpiration.newerNoncurrentVersions
    },
    Transitions: transitions[].{Days: days, Date: date, StorageClass: storageClass},
    NoncurrentVersionTransitions: noncurrentVersionTransitions[].{
        NoncurrentDays: noncurrentDays, StorageClass: storageClass
    }
}}"""
_CORS = """{CORSRules: inputs.corsRules[].{
    ID: id, AllowedHeaders: allowedHeaders, AllowedMethods: allowedMethods, AllowedOrigins: allowedOrigins,
    ExposeHeaders: exposeHeaders, MaxAgeSeconds: maxAgeSeconds
}}"""
_BLOCK = """{
    BlockPublicAcls: inputs.blockPublicAcls || `false`, BlockPublicPolicy: inputs.blockPublicPolicy || `false`,
    IgnorePublicAcls: inputs.ignorePublicAcls || `false`,
    RestrictPublicBuckets: inputs.restrictPublicBuckets || `false`
}"""
_PUT_OBJECT = send(
    "put_object",
    Body="inputs.source || inputs.content",
    ServerSideEncryption="inputs.serverSideEncryption || inputs.kmsKeyId && 'aws:kms' || null",
    SSEKMSKeyId="inputs.kmsKeyId",
    Tagging="null",
)


_PUT_VERSIONING = call(
    "put_bucket_versioning",
    Bucket="inputs.bucket",
    VersioningConfiguration=(
        "{Status: inputs.versioningConfiguration.status, MFADelete: inputs.versioningConfiguration.mfaDelete}"
    ),
)
_PUT_ENCRYPTION = call(
    "put_bucket_encryption", Bucket="inputs.bucket", ServerSideEncryptionConfiguration=_ENCRYPTION
)
_PUT_BLOCK = call("put_public_access_block", Bucket="inputs.bucket", PublicAccessBlockConfiguration=_BLOCK)
_PUT_OWNERSHIP = call(
    "put_bucket_ownership_controls",
    Bucket="inputs.bucket",
    OwnershipControls="{Rules: [{ObjectOwnership: inputs.rule.objectOwnership}]}",
)
_PUT_LIFECYCLE = call(
    "put_bucket_lifecycle_configuration", Bucket="inputs.bucket", LifecycleConfiguration=_LIFECYCLE
)
_PUT_POLICY = call("put_bucket_policy", Bucket="inputs.bucket", Policy="inputs.policy")
_PUT_CORS = call("put_bucket_cors", Bucket="inputs.bucket", CORSConfiguration=_CORS)
_PUT_LOGGING = call(
    "put_bucket_logging",
    Bucket="inputs.bucket",
    BucketLoggingStatus=(
        "{LoggingEnabled: {TargetBucket: inputs.targetBucket, TargetPrefix: inputs.targetPrefix || '', "
        "TargetObjectKeyFormat: inputs.targetObjectKeyFormat && "
        "{SimplePrefix: inputs.targetObjectKeyFormat.simplePrefix}}}"
    ),
)

TYPES = [
    Resource(
        token="aws:s3/bucket:Bucket",
        service="s3",
        create=call(
            "create_bucket",
            Bucket="inputs.bucket",
            ObjectLockEnabledForBucket="inputs.objectLockEnabled",
            CreateBucketConfiguration="region() != 'us-east-1' && {LocationConstraint: region()} || null",
        ),
        id="inputs.bucket",
        read=[call("head_bucket", Bucket="id", at="{found: 'yes'}")],
        delete=[call("delete_bucket", Bucket="id")],
        empties="inputs.forceDestroy",
        local=["forceDestroy"],
        replace=["bucket", "objectLockEnabled"],
        outputs={
            "arn": "join('', ['arn:aws:s3:::', id])",
            "bucketDomainName": "join('', [id, '.s3.amazonaws.com'])",
            "bucketRegionalDomainName": "join('', [id, '.s3.', region(), '.amazonaws.com'])",
            "hostedZoneId": "'Z3AQBSTGFYJSTF'",
        },
        auto_name="bucket",
        auto_length=63,
        tag_id="id",
        tagging=Tagging(sets="put_bucket_tagging", removes="", lists="get_bucket_tagging"),
        example={"forceDestroy": True, "tags": {"Name": "example"}},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:s3/bucketVersioning:BucketVersioning",
        service="s3",
        create=_PUT_VERSIONING,
        id="inputs.bucket",
        read=[
            call(
                "get_bucket_versioning",
                Bucket="inputs.bucket",
                at="Status && {versioningConfiguration: {status: Status}}",
            )
        ],
        update=[_PUT_VERSIONING],
        # S3 cannot take versioning off a bucket; it can suspend it.
        delete=[
            call(
                "put_bucket_versioning",
                Bucket="inputs.bucket",
                VersioningConfiguration="{Status: 'Suspended'}",
            )
        ],
        stays=True,
        local=["mfa", "expectedBucketOwner"],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "versioningConfiguration": {"status": "Enabled"},
        },
        change={"versioningConfiguration": {"status": "Suspended"}},
    ),
    Resource(
        token="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        service="s3",
        create=_PUT_ENCRYPTION,
        id="inputs.bucket",
        read=[
            call("get_bucket_encryption", Bucket="inputs.bucket", at="ServerSideEncryptionConfiguration"),
        ],
        update=[_PUT_ENCRYPTION],
        delete=[call("delete_bucket_encryption", Bucket="inputs.bucket")],
        local=["expectedBucketOwner"],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "rules": [
                {
                    "bucketKeyEnabled": True,
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": "{aws:kms/key:Key.arn}",
                    },
                }
            ],
        },
        change={"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
    ),
    Resource(
        token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        service="s3",
        create=_PUT_BLOCK,
        id="inputs.bucket",
        read=[call("get_public_access_block", Bucket="inputs.bucket", at="PublicAccessBlockConfiguration")],
        update=[_PUT_BLOCK],
        delete=[call("delete_public_access_block", Bucket="inputs.bucket")],
        local=["skipDestroy"],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        change={"restrictPublicBuckets": False},
    ),
    Resource(
        token="aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        service="s3",
        create=_PUT_OWNERSHIP,
        id="inputs.bucket",
        read=[
            call(
                "get_bucket_ownership_controls",
                Bucket="inputs.bucket",
                at="{rule: OwnershipControls.Rules[0]}",
            )
        ],
        update=[_PUT_OWNERSHIP],
        delete=[call("delete_bucket_ownership_controls", Bucket="inputs.bucket")],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "rule": {"objectOwnership": "BucketOwnerEnforced"},
        },
        change={"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    Resource(
        token="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        service="s3",
        create=_PUT_LIFECYCLE,
        id="inputs.bucket",
        read=[call("get_bucket_lifecycle_configuration", Bucket="inputs.bucket", at="{found: Rules[].ID}")],
        update=[_PUT_LIFECYCLE],
        delete=[call("delete_bucket_lifecycle", Bucket="inputs.bucket")],
        # The emulator loses parts of a rule (sizes of objects, newer versions).
        kept=["rules"],
        local=["expectedBucketOwner", "transitionDefaultMinimumObjectSize"],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "rules": [
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": "logs/"},
                    "expiration": {"days": 90},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                }
            ],
        },
        change={"rules": [{"id": "expire", "status": "Disabled", "expiration": {"days": 10}}]},
    ),
    Resource(
        token="aws:s3/bucketPolicy:BucketPolicy",
        service="s3",
        create=_PUT_POLICY,
        id="inputs.bucket",
        read=[call("get_bucket_policy", Bucket="inputs.bucket")],
        update=[_PUT_POLICY],
        delete=[call("delete_bucket_policy", Bucket="inputs.bucket")],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "policy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject",'
            '"Principal":{"Service":"logging.s3.amazonaws.com"},"Resource":"arn:aws:s3:::{aws:s3/bucket:Bucket}/*"}]}',
        },
        change={"policy": '{"Version":"2012-10-17","Statement":[]}'},
    ),
    Resource(
        token="aws:s3/bucketLogging:BucketLogging",
        service="s3",
        create=_PUT_LOGGING,
        id="inputs.bucket",
        read=[call("get_bucket_logging", Bucket="inputs.bucket", at="LoggingEnabled")],
        update=[_PUT_LOGGING],
        delete=[call("put_bucket_logging", Bucket="inputs.bucket", BucketLoggingStatus="`{}`")],
        kept=["targetObjectKeyFormat"],
        local=["expectedBucketOwner"],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "targetBucket": "{aws:s3/bucketPolicy:BucketPolicy}",
            "targetPrefix": "s3/",
        },
        change={"targetPrefix": "changed/"},
    ),
    Resource(
        token="aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
        service="s3",
        create=_PUT_CORS,
        id="inputs.bucket",
        read=[call("get_bucket_cors", Bucket="inputs.bucket")],
        update=[_PUT_CORS],
        delete=[call("delete_bucket_cors", Bucket="inputs.bucket")],
        local=["expectedBucketOwner"],
        replace=["bucket"],
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "corsRules": [
                {
                    "allowedMethods": ["GET", "PUT"],
                    "allowedOrigins": ["https://example.com"],
                    "maxAgeSeconds": 3600,
                }
            ],
        },
        change={"corsRules": [{"allowedMethods": ["GET"], "allowedOrigins": ["https://example.com"]}]},
    ),
    Resource(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        service="s3",
        create=_PUT_OBJECT,
        id="join('/', [inputs.bucket, inputs.key])",
        read=[
            call(
                "head_object",
                Bucket="inputs.bucket",
                Key="inputs.key",
                at="{contentType: ContentType, etag: replace(ETag, '\"', '')}",
            )
        ],
        update=[_PUT_OBJECT],
        delete=[call("delete_object", Bucket="inputs.bucket", Key="inputs.key")],
        local=["forceDestroy", "sourceHash"],
        replace=["bucket", "key"],
        outputs={"arn": "join('', ['arn:aws:s3:::', id])", "etag": "read.etag"},
        tags_kept=True,
        example={
            "bucket": "{aws:s3/bucket:Bucket}",
            "key": "canary.zip",
            "content": "one",
            "contentType": "text/plain",
        },
        change={"content": "two"},
    ),
]
