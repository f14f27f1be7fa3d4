"""Where Pulumi keeps the stack's state, and what keeps that: bucket, versions, key."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import yaml

from operations.doctor.declared import Declared
from operations.doctor.line import Line, guarded, note, unasked, well, wrong
from operations.doctor.tools import engine, run
from operations.platform import ROOT, Platform
from operations.policy.stacks import Stack


def check(platform: Platform, declared: Declared, stack: Stack) -> Iterator[Line]:
    state = (declared.setting("ci") or {}).get("state") or {}
    yield from guarded("backend", partial(_backend, state))
    yield _secrets_provider(stack)
    if not state:
        yield note(
            "state's bucket",
            "the stack file does not name it (`ci.state`), so bucket and key were not looked at",
            "README, First deployment, step 2.",
        )
        return
    yield from guarded("state's bucket", partial(_bucket, platform, state["bucket"]))
    yield from guarded("state's key", partial(_key, platform, state["key_alias"]))


def _backend(state: dict[str, str]) -> Iterator[Line]:
    program = engine()
    if not program:
        yield unasked("backend", "there is no `pulumi` to ask.", "Install it (see Tools).")
        return
    answer = run([program, "whoami", "--json", "--non-interactive"])
    expected = f"s3://{state['bucket']}" if state else "s3://BUCKET"
    login = f"`pulumi login '{expected}'`."
    if answer is None or answer.returncode:
        said = answer.stderr.strip().splitlines()[-1:] if answer else []
        yield wrong(
            "backend", f"Pulumi is not logged in: {' '.join(said) or 'no answer'}", login, "pulumi whoami"
        )
        return
    url = json.loads(answer.stdout).get("url", "")
    if url.startswith("file:"):
        yield wrong("backend", f"{url}: the state would be lost with this machine", login, "pulumi whoami")
    elif state and url.startswith("s3:") and url.partition("?")[0].rstrip("/") != expected:
        yield wrong("backend", f"{url}, and `ci.state` has {expected}", login, "pulumi whoami")
    else:
        yield well("backend", url, "pulumi whoami")


def _secrets_provider(stack: Stack) -> Line:
    what = "state's secrets"
    content = yaml.safe_load((ROOT / stack.file).read_text(encoding="utf-8")) or {}
    provider = str(content.get("secretsprovider", ""))
    if provider.startswith(("awskms:", "azurekeyvault:", "gcpkms:", "hashivault:")):
        return well(what, provider, str(stack.file))
    return note(
        what,
        f"{stack.file} names no key for them",
        f"`pulumi stack init {stack.name} --secrets-provider awskms://...` (README, First deployment, step 4).",
    )


def _bucket(platform: Platform, bucket: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 half a second that `--help` saves

    what, s3 = "state's bucket", platform.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status not in (301, 403, 404):
            raise
        figure = "is not there" if status == 404 else f"is not yours to see ({status})"
        yield wrong(what, f"{bucket} {figure}", "README, First deployment, step 2.", "s3 HeadBucket")
        return
    yield well(what, f"{bucket} is there", "s3 HeadBucket")
    yield from guarded(f"{what}: versions", partial(_versions, s3, bucket))
    yield from guarded(f"{what}: public access", partial(_closed, s3, bucket))


def _versions(s3: Any, bucket: str) -> Iterator[Line]:
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")
    source = "s3 GetBucketVersioning"
    if status == "Enabled":
        yield well("state's bucket: versions", "kept", source)
    else:
        yield wrong(
            "state's bucket: versions",
            f"{status.lower()}: a state that is spoiled has no way back",
            f"`aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled`.",
            source,
        )


def _closed(s3: Any, bucket: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    what, source = "state's bucket: public access", "s3 GetPublicAccessBlock"
    try:
        told = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
            raise
        told = {}
    keys = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    if open_ := [key for key in keys if not told.get(key)]:
        yield wrong(
            what,
            f"not blocked by {', '.join(open_)}",
            "`aws s3api put-public-access-block`: all four true.",
            source,
        )
    else:
        yield well(what, "blocked", source)


def _key(platform: Platform, alias: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    what, kms = "state's key", platform.client("kms")
    step = "README, First deployment, step 2."
    try:
        key = kms.describe_key(KeyId=alias)["KeyMetadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        yield wrong(what, f"{alias} is not there", step, "kms DescribeKey")
        return
    if key["KeyState"] != "Enabled":
        yield wrong(
            what,
            f"{alias} is {key['KeyState']}",
            "`aws kms enable-key`, or cancel its deletion.",
            "kms DescribeKey",
        )
        return
    if kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]:
        yield well(what, f"{alias} is there, and rotates", "kms GetKeyRotationStatus")
    else:
        yield wrong(
            what,
            f"{alias} does not rotate",
            f"`aws kms enable-key-rotation --key-id {key['KeyId']}`.",
            "kms GetKeyRotationStatus",
        )
