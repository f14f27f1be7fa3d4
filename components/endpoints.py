"""Interface endpoints: private ways to AWS's own services, so that calls to them never leave the VPC.

The gateway endpoint of S3 belongs to Network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

GATEWAY_SERVICES = ("s3", "dynamodb")


@dataclass(frozen=True, kw_only=True)
class EndpointsArgs:
    """`services` as in the endpoint's own name: "ecr.api", "logs". One subnet of each zone.

    Raises ValueError on a service that is listed twice or that has a gateway endpoint.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    region: str
    services: Sequence[str]
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        services = list(self.services)
        found = [f"{s} is listed twice" for s in sorted({s for s in services if services.count(s) > 1})]
        found += [
            f"{s} has a gateway endpoint, which costs nothing and which Network makes; leave it out here"
            for s in services
            if s in GATEWAY_SERVICES
        ]
        if found:
            raise ValueError("endpoints: services: " + "; ".join(found))


class Endpoints(pulumi.ComponentResource):
    """`ids` by service."""

    ids: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:network:Endpoints", name, None, opts)
        self.ids = {}
        for service in args.services:
            label = f"{name}-{service.replace('.', '-')}"
            endpoint = aws.ec2.VpcEndpoint(
                label,
                vpc_id=args.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=args.subnet_ids,
                security_group_ids=[args.security_group_id],
                private_dns_enabled=True,
                tags={**args.tags, "Name": label},
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.ids[service] = endpoint.id
        self.register_outputs({"ids": self.ids})
