"""The product's own buckets, and what the services may do with them."""

from collections.abc import Iterator, Mapping

import pulumi

from components import _iam, _object_access
from components.bucket import Bucket, BucketArgs, Cors, MalwareScan
from settings import model
from settings.model import Settings
from wiring.foundation import Foundation


def build(
    settings: Settings, base: Foundation, *, readers: Mapping[str, pulumi.Input[str]] | None = None
) -> dict[str, Bucket]:
    """`readers` by bucket: the ARN of the CloudFront distribution that serves it.

    A distribution needs the bucket's `regional_domain_name`, and only the bucket's policy needs the distribution: where
    the distribution is made after the bucket, its ARN may be a `pulumi.deferred_output()`.
    """
    served = readers or {}
    return {
        name: _bucket(settings, base, name, wanted, served.get(name))
        for name, wanted in settings.buckets.items()
    }


def statements(
    settings: Settings, base: Foundation, buckets: Mapping[str, Bucket], service: str
) -> Iterator[_iam.Statement]:
    """What the role of this service may do, for each bucket that gives it something."""
    for name, wanted in settings.buckets.items():
        if service in wanted.access:
            yield from _object_access.statements(
                buckets[name].arn,
                wanted.access[service],
                kms_key_arn=base.keys.arns["storage"],
                region=settings.region,
                sid="".join(part.capitalize() for part in name.split("-")),
            )


def _bucket(
    settings: Settings,
    base: Foundation,
    name: str,
    wanted: model.Bucket,
    reader: pulumi.Input[str] | None,
) -> Bucket:
    return Bucket(
        f"bucket-{name}",
        BucketArgs(
            bucket_name=wanted.name,
            # What the internet reads needs no key of ours, and CloudFront could not use it.
            kms_key_arn=base.keys.arns["storage"] if reader is None else None,
            expire_days=wanted.expire_days,
            noncurrent_expire_days=wanted.noncurrent_expire_days,
            cors=_cors(settings, wanted),
            malware_scan=_scan(settings, base) if wanted.malware_scan else None,
            reader_distribution_arn=reader,
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _cors(settings: Settings, wanted: model.Bucket) -> Cors | None:
    if wanted.cors is None or settings.ingress.cors is None:
        return None
    return Cors(
        allow_origins=settings.ingress.cors.allow_origins,
        allow_methods=wanted.cors.allow_methods,
        max_age_s=wanted.cors.max_age_s,
    )


def _scan(settings: Settings, base: Foundation) -> MalwareScan:
    return MalwareScan(
        topic_arn=base.notifications.topic_arns[settings.region]["warning"],
        account_id=settings.account,
        region=settings.region,
    )
