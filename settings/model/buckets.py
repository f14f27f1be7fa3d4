"""Buckets of the product itself: uploads, files, static pages."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from settings.model.fields import Items, Matching, Model, Name, Positive, in_stack, in_system

Right = Literal["read", "write", "delete"]
Method = Literal["GET", "PUT", "POST", "DELETE", "HEAD"]

BucketName = Annotated[
    str,
    Matching(
        r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        "a bucket name: 3 to 63 lower case letters, digits and hyphens",
        "shop-prod-files",
    ),
]
Prefix = Annotated[
    str, Matching(r"^([^/\s]\S*)?$", "the beginning of a key, without a slash in front", "tmp/")
]
# S3 lets browsers remember the answer for so long at most; beyond it they ask again anyhow.
CorsAge = Annotated[int, Field(ge=0, le=86_400)]


class BucketCors(Model):
    """Browsers may call the bucket itself, with signed links, from the origins of ingress.cors.allow_origins."""

    allow_methods: Items[Method] = in_system(
        "What they may do: GET, PUT, POST. A signed POST alone can limit a file's size (content-length-range)",
        min_length=1,
    )
    max_age_s: CorsAge = in_system("Browsers ask again after so long, in seconds", default=3000)


class Bucket(Model):
    """An S3 bucket: private, encrypted, versioned, TLS only. Its variables are ${buckets.<name>.name} and .endpoint."""

    name: BucketName | None = in_stack(
        "Its name, which nobody else in the world may have; none: one is made up", default=None
    )
    access: Mapping[Name, Items[Right]] = in_system(
        "What each service may do with its objects, by the service's name; by its role, without keys",
        default={},
    )
    cors: BucketCors | None = in_system(
        "Browsers upload to it and read from it directly; none: only through services", default=None
    )
    malware_scan: bool = in_system(
        "GuardDuty scans what is put in, and nobody reads an object that it has not found clean",
        default=False,
    )
    expire_days: Mapping[Prefix, Positive] = in_system(
        'Objects go after so many days, by the beginning of their key; "" is all of them', default={}
    )
    noncurrent_expire_days: Positive = in_system(
        "What was overwritten or deleted can be brought back for so many days", default=30
    )
