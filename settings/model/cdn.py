"""Content delivery: CloudFront in front of a bucket, and of one service's API."""

from typing import Annotated, Literal

from pydantic import Field

from settings.model.fields import Items, Label, Matching, Model, Name, in_stack, in_system

# CloudFront keeps nothing longer than a year; what may be old for a day is content, not an answer.
CacheSeconds = Annotated[int, Field(ge=1, le=31_536_000)]
PathPattern = Annotated[
    str,
    Matching(
        r"^/[A-Za-z0-9_\-.*$/~\"'@:+&?]{0,254}$",
        "a path pattern of CloudFront that starts with a slash",
        "/api/*",
    ),
]
PageName = Annotated[
    str, Matching(r"^[A-Za-z0-9_.-][A-Za-z0-9_./-]*$", "the key of a page in the bucket", "index.html")
]


class CachedPath(Model):
    """Answers that are the same for everybody. They are asked for without cookies and without Authorization."""

    path: PathPattern = in_system("Path pattern, such as /api/stores*; within the API's paths")
    ttl_s: CacheSeconds = in_system(
        "How old an answer may become, in seconds; the service's Cache-Control may say less"
    )


class CdnApi(Model):
    """Requests that go on to a public service, over HTTPS."""

    service: Name = in_system("The service, one with `public`")
    paths: Items[PathPattern] = in_system("Path patterns that belong to it", min_length=1, max_length=10)
    cached: Items[CachedPath] = in_system(
        "Those whose answers are kept; none: nothing is", default=(), max_length=10
    )


class Cdn(Model):
    """CloudFront before a bucket of `buckets`: HTTPS only, compressed, with a certificate and web firewall of its own.

    Its address is ${cdn.url}. The bucket stays private; nobody but the distribution reads it.
    """

    enabled: bool = in_stack("Whether this stack has it", default=False)
    host: Label = in_system("Label before the stack's domain: cdn becomes cdn.example.com")
    bucket: Name = in_system("The bucket of `buckets` whose objects it serves")
    default_page: PageName = in_system("The object that / stands for", default="index.html")
    single_page_app: bool = in_system(
        "Paths that the bucket does not have are answered with the default page; not together with api",
        default=False,
    )
    api: CdnApi | None = in_system("What goes on to a service; none: nothing", default=None)
    price_class: Literal["PriceClass_100", "PriceClass_200", "PriceClass_All"] = in_stack(
        "Where it answers from: 100 is North America and Europe, 200 adds Asia and Africa, All is everywhere",
        default="PriceClass_100",
    )
