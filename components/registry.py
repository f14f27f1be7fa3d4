"""A private image repository: immutable tags, scanned on push, encrypted, and cleaned by rule."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

MIN_KEPT_IMAGES = 5  # a rollback needs the images of the last few deployments


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`keep_images` newest images stay; an untagged one goes `untagged_expiry_days` days after its push."""

    repository_name: str
    kms_key_arn: pulumi.Input[str]
    keep_images: int = 50
    untagged_expiry_days: int = 7
    protect: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        if self.keep_images < MIN_KEPT_IMAGES:
            problems.append(
                f"keep_images must be at least {MIN_KEPT_IMAGES}, so that a rollback finds its image, "
                f"got {self.keep_images}"
            )
        if self.untagged_expiry_days < 1:
            problems.append(f"untagged_expiry_days must be at least 1, got {self.untagged_expiry_days}")
        if problems:
            raise ValueError(f"registry {self.repository_name}: " + "; ".join(problems))


class Registry(pulumi.ComponentResource):
    arn: pulumi.Output[str]
    name: pulumi.Output[str]
    repository_url: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:compute:Registry", name, None, opts)

        repository = aws.ecr.Repository(
            name,
            name=args.repository_name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.kms_key_arn}],
            force_delete=not args.protect,
            tags={**args.tags, "Name": args.repository_name},
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, retain_on_delete=args.protect or None
            ),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-lifecycle",
            repository=repository.name,
            policy=json.dumps(_lifecycle(args)),
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.arn = repository.arn
        self.name = repository.name
        self.repository_url = repository.repository_url
        self.register_outputs({"arn": self.arn, "name": self.name, "repository_url": self.repository_url})


def _lifecycle(args: RegistryArgs) -> dict[str, object]:
    untagged = {
        "rulePriority": 1,
        "description": f"untagged images go after {args.untagged_expiry_days} days",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": args.untagged_expiry_days,
        },
        "action": {"type": "expire"},
    }
    newest = {
        "rulePriority": 2,
        "description": f"the {args.keep_images} newest images stay",
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": args.keep_images,
        },
        "action": {"type": "expire"},
    }
    return {"rules": [untagged, newest]}
