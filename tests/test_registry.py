"""Registry: what is declared, and what is refused."""

import re
from typing import Any

import pytest

from components.registry import Registry, RegistryArgs
from tests.recorder import record

REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


def build(**changes):
    values: dict[str, Any] = {"repository_name": "rentalfix/api", "kms_key_arn": "arn:aws:kms:key", **changes}
    return record(lambda: Registry("api", RegistryArgs(**values)))


def test_images_are_immutable_scanned_and_encrypted():
    declared = build(tags={"owner": "platform"})
    assert declared.one(REPOSITORY).inputs == {
        "name": "rentalfix/api",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "arn:aws:kms:key"}],
        "forceDelete": False,
        "tags": {"owner": "platform", "Name": "rentalfix/api"},
    }
    assert declared.names() == [
        f"{LIFECYCLE}::api-lifecycle",
        f"{REPOSITORY}::api",
        "groundwork:compute:Registry::api",
    ]
    assert declared.orphans() == []


def test_old_images_go_by_rule():
    policy = build(keep_images=30, untagged_expiry_days=3).one(LIFECYCLE)
    assert policy["repository"] == "rentalfix/api"
    untagged, newest = policy.json("policy")["rules"]
    assert untagged == {
        "rulePriority": 1,
        "description": "untagged images go after 3 days",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": 3,
        },
        "action": {"type": "expire"},
    }
    assert newest["selection"] == {
        "tagStatus": "any",
        "countType": "imageCountMoreThan",
        "countNumber": 30,
    }


def test_images_outlive_the_stack_only_where_it_is_protected():
    kept, gone = build().one(REPOSITORY), build(protect=False).one(REPOSITORY)
    assert (kept.protect, kept.retain_on_delete, kept["forceDelete"]) == (True, True, False)
    assert (gone.protect, gone.retain_on_delete, gone["forceDelete"]) == (False, False, True)


def test_outputs():
    assert build().outputs("api") == {
        "arn": "arn:aws:ecr:us-east-1:111122223333:repository/rentalfix/api",
        "name": "rentalfix/api",
        "repository_url": "111122223333.dkr.ecr.us-east-1.amazonaws.com/rentalfix/api",
    }


def test_every_problem_is_named_at_once():
    sentence = (
        "registry rentalfix/api: keep_images must be at least 5, so that a rollback finds its image, got 4; "
        "untagged_expiry_days must be at least 1, got 0"
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(keep_images=4, untagged_expiry_days=0)
