"""Buckets, registries, databases, disks, and the passwords of what holds data."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.mutations.breaking import (
    Breach,
    Breaking,
    Edit,
    altering,
    coming_from,
    edited,
    gone,
    itself,
    new,
    of_companion,
    referred,
    referring,
    setting,
    unless,
)
from tests.mutations.carrying import Unfit
from tests.mutations.judging import Bench, Changes, Resource
from tests.policy_builders import (
    BROKER,
    CLUSTER,
    CLUSTER_PARAMETERS,
    DEPLOYMENT,
    INSTANCE,
    LAUNCH_TEMPLATE,
    PARAMETERS,
    PASSWORD,
    REPLICATION_GROUP,
    SECRET,
    SERVICE,
    STRONG,
    TASK,
)

CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
FETCHED = "kubernetes:external-secrets.io/v1:ExternalSecret"
GROUPS = (PARAMETERS, CLUSTER_PARAMETERS)
PROXY_TARGET = "aws:rds/proxyTarget:ProxyTarget"
OPENLY_RANDOM = "random:index/randomString:RandomString"

bucket_policy = referring("aws:s3/bucketPolicy:BucketPolicy", "bucket")
encryption = referring(
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "bucket"
)
lifecycle = referring("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "bucket")
public_access_block = referring("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "bucket")
scan = referring("aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan", "protectedResource")
versioning = referring("aws:s3/bucketVersioning:BucketVersioning", "bucket")
image_lifecycle = referring("aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository")

Statement = dict[str, Any]


def denial(about: str, alter: Callable[[Statement], Statement | None]) -> Breaking:
    """The statements of the bucket's policy with a condition about this are altered, or gone where that is None.

    Raises `Unfit` where it has none.
    """

    def altered(text: str) -> str:
        policy = json.loads(text)
        found = [about in json.dumps(each.get("Condition")) for each in policy["Statement"]]
        if not any(found):
            raise Unfit("its policy has no such denial")
        statements = [
            alter(each) if is_it else each for each, is_it in zip(policy["Statement"], found, strict=True)
        ]
        return json.dumps({**policy, "Statement": [each for each in statements if each]})

    return edited(bucket_policy, altering("policy", altered))


def denial_spoiled(about: str) -> Iterator[Breach]:
    one = {"AWS": "arn:aws:iam::111122223333:role/one"}
    yield Breach("its policy's denial is gone", denial(about, lambda _: None))
    yield Breach(
        "its policy allows instead of denying", denial(about, lambda said: {**said, "Effect": "Allow"})
    )
    yield Breach(
        "its policy denies it to one role alone", denial(about, lambda said: {**said, "Principal": one})
    )
    yield Breach(
        "its policy denies it under another condition", denial(about, lambda said: {**said, "Condition": {}})
    )


def uploads_without_scan(bench: Bench, bucket: Resource) -> Changes:
    try:
        scan(bench, bucket)
    except Unfit:
        rules = [{"allowedMethods": ["PUT"], "allowedOrigins": ["https://example.com"]}]
        added = new(CORS, f"{bucket.name}-uploads", {"corsRules": rules}, bucket=bucket)
        return {added.urn: added}
    raise Unfit("it is scanned")


# Databases

# Where each type holds the password that another resource generates.
PASSWORDS = {INSTANCE: "password", CLUSTER: "masterPassword", REPLICATION_GROUP: "authToken", BROKER: "users"}


def literal_password(bench: Bench, store: Resource) -> Changes:
    name = PASSWORDS[store.type]
    if name not in store.inputs:
        raise Unfit("it has no password of ours")
    literal = [{"username": "app", "password": STRONG}] if store.type == BROKER else STRONG
    return edited(itself, setting(**{name: literal}))(bench, store)


def openly_random(bench: Bench, version: Resource) -> Changes:
    """A secret holds what another random resource made, which Pulumi does not keep secret."""
    source = new(OPENLY_RANDOM, "open", {"length": 64})
    edit = coming_from(source, "secretString", source.outputs["id"])
    return {source.urn: source, **edited(itself, edit)(bench, version)}


def parameter(name: str, value: str) -> Edit:
    def altered(parameters: Sequence[Any]) -> Sequence[Any]:
        kept = [each for each in parameters if each["name"] != name]
        return [*kept, {"name": name, "value": value, "applyMethod": "pending-reboot"}]

    return altering("parameters", altered)


def few_connections(bench: Bench, database: Resource) -> Changes:
    """The database takes ten connections, and no proxy stands before it."""
    pooled = {each.partition(":")[0] for each in bench.setting("connection-budget", "pools")}
    if not any(each.name in pooled for each in bench.of([SERVICE, DEPLOYMENT])):
        raise Unfit("no service with a pool runs yet")
    changes = edited(referred(*GROUPS), parameter("max_connections", "10"))(bench, database)
    identifiers = ("dbInstanceIdentifier", "dbClusterIdentifier")
    try:
        return {**changes, **gone(referring(PROXY_TARGET, *identifiers))(bench, database)}
    except Unfit:
        return changes


def secret_of_master(bench: Bench) -> Resource:
    """Raises `Unfit` where RDS keeps it."""
    for database in bench.of([INSTANCE, CLUSTER]):
        for password in urns_of(database, PASSWORDS[database.type]):
            for version in referring(SECRET, "secretString")(bench, bench.resources[password]):
                (secret,) = urns_of(version, "secretId")
                return bench.resources[secret]
    raise Unfit("RDS keeps the master's password")


def urns_of(resource: Resource, name: str) -> frozenset[str]:
    return resource.refers.get(name, frozenset())


def reading_as_master(bench: Bench, service: Resource) -> Changes:
    """A container of the service gets the master user's login."""
    secret = secret_of_master(bench)
    variable = {"name": "LOGIN", "valueFrom": secret.outputs["arn"]}

    def altered(text: str) -> str:
        first, *others = json.loads(text)
        return json.dumps([{**first, "secrets": [*first.get("secrets", []), variable]}, *others])

    (task,) = referred(TASK)(bench, service)
    changed = altering("containerDefinitions", altered)(task)
    name = "containerDefinitions"
    return {task.urn: replace(changed, refers={**task.refers, name: urns_of(task, name) | {secret.urn}})}


def fetching_as_master(bench: Bench, deployment: Resource) -> Changes:
    """What a pod reads is the master user's login."""
    secret = secret_of_master(bench)
    names = str(deployment.inputs["spec"])
    for fetched in bench.of([FETCHED]):
        if f"'{fetched.inputs['spec']['target']['name']}'" in names:
            refers = {**fetched.refers, "spec": urns_of(fetched, "spec") | {secret.urn}}
            return {fetched.urn: replace(fetched, refers=refers)}
    raise Unfit("it reads no secret")


def called_like_master(bench: Bench, service: Resource) -> Changes:
    """A container is told the master user's name."""
    masters = [
        each.inputs.get("username", each.inputs.get("masterUsername"))
        for each in bench.of([INSTANCE, CLUSTER])
    ]
    variable = {"name": "DB_USER", "value": next(name for name in masters if name)}

    def altered(text: str) -> str:
        first, *others = json.loads(text)
        kept = [each for each in first.get("environment", []) if each["name"] != "DB_USER"]
        return json.dumps([{**first, "environment": [*kept, variable]}, *others])

    return edited(referred(TASK), altering("containerDefinitions", altered))(bench, service)


def plain_disk(mappings: Sequence[Any]) -> Sequence[Any]:
    return [{**each, "ebs": {**each["ebs"], "encrypted": "false"}} for each in mappings]


of_original = unless("replicateSourceDb", "a read replica has its own connections")
UNREAD = {"uploads-malware-scan": "the same policy keeps uploads from being read before they are scanned"}

BREACHES: Mapping[str, Sequence[Breach]] = {
    "s3-encrypted": of_companion("its encryption", encryption, "bucket"),
    "s3-block-public": [
        *of_companion("its block", public_access_block, "bucket"),
        *(
            Breach(f"{name} of its block is false", edited(public_access_block, setting(**{name: False})))
            for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        ),
    ],
    "s3-tls-only": [
        *of_companion("its policy", bucket_policy, "bucket", also=UNREAD),
        *denial_spoiled("aws:SecureTransport"),
        Breach(
            "its policy denies to write over plain HTTP, and not to read",
            denial("aws:SecureTransport", lambda said: {**said, "Action": ["s3:PutObject"]}),
        ),
    ],
    "s3-versioned": [
        *of_companion("its versioning", versioning, "bucket"),
        Breach(
            "its versioning is suspended",
            edited(versioning, setting(versioningConfiguration={"status": "Suspended"})),
        ),
    ],
    "s3-lifecycle": of_companion("its lifecycle", lifecycle, "bucket"),
    "uploads-malware-scan": [
        Breach(
            "browsers may upload to it, and nothing scans it",
            uploads_without_scan,
            also={"upload-size-limited": "a product with uploads has to limit their size, too"},
        ),
        *of_companion("its scan", scan, "protectedResource"),
        Breach(
            "its scan tags nothing", edited(scan, setting(actions=[{"taggings": [{"status": "DISABLED"}]}]))
        ),
        Breach(
            "its policy denies to write what is not scanned, and not to read it",
            denial("GuardDutyMalwareScanStatus", lambda said: {**said, "Action": "s3:PutObject"}),
        ),
        *denial_spoiled("GuardDutyMalwareScanStatus"),
    ],
    "ecr-lifecycle": of_companion("its lifecycle", image_lifecycle, "repository"),
    "rds-cluster-standby": [
        Breach("it is no Multi-AZ DB cluster any more", edited(itself, setting(dbClusterInstanceClass=None)))
    ],
    "ebs-encrypted": [
        Breach(
            "its disks are plain",
            edited(itself, altering("blockDeviceMappings", plain_disk)),
            [LAUNCH_TEMPLATE],
        )
    ],
    "password-not-literal": [
        Breach("its password is a constant", literal_password, list(PASSWORDS)),
        Breach("it comes from what is no secret", openly_random, [SECRET]),
    ],
    "generated-password-accepted": [
        Breach(
            "its password may hold any character",
            edited(referred(PASSWORD), setting(special=None, overrideSpecial=None)),
        )
    ],
    "app-uses-dedicated-db-user": [
        Breach("it reads the master's login", reading_as_master, [SERVICE]),
        Breach("it is told the master's name", called_like_master, [SERVICE]),
        Breach("it fetches the master's login", fetching_as_master, [DEPLOYMENT]),
    ],
    "connection-budget": [
        Breach("the database takes ten connections", of_original(few_connections)),
    ],
}
