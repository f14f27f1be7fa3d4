"""Names and addresses that the stack wants for itself: which of them are taken, and whether by this stack."""

from collections.abc import Iterator
from functools import cached_property, partial
from ipaddress import ip_network

from operations.doctor import tables
from operations.doctor.declared import Declared, given
from operations.doctor.line import Line, guarded, note, well, wrong
from operations.doctor.tables import Name
from operations.platform import Platform

BUCKET = "aws:s3/bucket:Bucket"
PROVIDER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
SHOWN = 6


class Bearing:
    """The ARNs of what bears this stack's tags already, by region; asked once."""

    def __init__(self, platform: Platform, declared: Declared) -> None:
        self._platform, self._declared = platform, declared

    @cached_property
    def arns(self) -> list[str]:
        tags = {"system": self._platform.system, "environment": self._declared.environment}
        filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        found = []
        for region in self._declared.regions:
            client = self._platform.client("resourcegroupstaggingapi", region=region)
            for page in client.get_paginator("get_resources").paginate(TagFilters=filters):
                found += [each["ResourceARN"] for each in page["ResourceTagMappingList"]]
        return found

    @cached_property
    def _known(self) -> list[str]:
        """Empty where AWS does not tell: a line of its own says so, and what is taken counts as somebody else's."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 with boto3, as elsewhere

        try:
            return self.arns
        except (BotoCoreError, ClientError):
            return []

    def has(self, name: str) -> bool:
        return any(arn.removesuffix(":*").endswith((f":{name}", f"/{name}")) for arn in self._known)


def check(platform: Platform, declared: Declared) -> Iterator[Line]:
    bearing = Bearing(platform, declared)
    yield from guarded("this stack's own", partial(_standing, bearing))
    for bucket, region in declared.named(BUCKET, "bucket"):
        yield from guarded(f"bucket {bucket}", partial(_bucket, platform, bearing, bucket, region))
    for kind in tables.names():
        yield from guarded(kind.what, partial(_taken, platform, declared, bearing, kind))
    yield from guarded("OIDC provider", partial(_provider, platform, declared))
    yield from guarded("address range", partial(_overlaps, platform, declared))


def _standing(bearing: Bearing) -> Iterator[Line]:
    if bearing.arns:
        yield note(
            "this stack's own",
            f"{len(bearing.arns)} things bear its tags already, such as {bearing.arns[0]}",
            "Does the stack stand? `pulumi stack ls` knows. What an earlier one left behind is deleted or imported.",
        )
    else:
        yield well("this stack's own", "nothing bears its tags yet")


def _bucket(platform: Platform, bearing: Bearing, bucket: str, region: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 half a second that `--help` saves

    what, source = f"bucket {bucket}", "s3 HeadBucket"
    try:
        platform.client("s3", region=region).head_bucket(Bucket=bucket)
    except ClientError as error:
        code = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == 404:
            yield well(what, "the name is free", source)
        elif code in (301, 403):
            yield wrong(
                what,
                f"another account has it, or another region, or you may not see it ({code})",
                "Bucket names are the world's: choose another in the stack file.",
                source,
            )
        else:
            raise
        return
    if bearing.has(bucket):
        yield note(
            what, "it is there, and bears this stack's tags", "Import it where the state lacks it.", source
        )
    else:
        yield wrong(
            what,
            "it is there, in this account, and is not this stack's",
            "Bring it into the stack (`pulumi import`), or choose another name in the stack file.",
            source,
        )


def _taken(platform: Platform, declared: Declared, bearing: Bearing, kind: Name) -> Iterator[Line]:
    wanted: dict[str, list[str]] = {}
    for name, region in declared.named(kind.type, kind.input):
        wanted.setdefault(region, []).append(name)
    for region, names in wanted.items():
        there = {str(each) for each in kind.taken.told(platform, region)}
        where = "" if region == declared.region else f" ({region})"
        found = sorted(there & set(names))
        source = f"{kind.taken.client} {kind.taken.operation}"
        own = [name for name in found if bearing.has(name)]
        others = [name for name in found if name not in own]
        if others:
            yield wrong(f"{kind.what}{where}", f"there already: {shortened(others)}", kind.todo, source)
        if own:
            yield note(
                f"{kind.what}{where}",
                f"there already, with this stack's tags: {shortened(own)}",
                source=source,
            )
        if not found:
            yield well(f"{kind.what}{where}", f"none of {len(names)} is taken", source)


def shortened(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _provider(platform: Platform, declared: Declared) -> Iterator[Line]:
    if not declared.setting("ci"):
        return
    what, source = "OIDC provider", "iam ListOpenIDConnectProviders"
    answer = platform.client("iam").list_open_id_connect_providers()
    there = {each["Arn"].partition("oidc-provider/")[2] for each in answer["OpenIDConnectProviderList"]}
    made = [str(given(each, "url")).removeprefix("https://") for each in declared.all(PROVIDER)]
    issuer = made[0] if made else "token.actions.githubusercontent.com"
    if made and issuer in there:
        yield wrong(
            what,
            f"the account has one for {issuer}",
            "It can have one only: `ci.create_provider: false`.",
            source,
        )
    elif not made and issuer not in there:
        yield wrong(
            what,
            f"the account has none for {issuer}, so no pipeline can take the stack's roles",
            "`ci.create_provider: true` in one of the account's stacks.",
            source,
        )
    else:
        yield well(what, f"{issuer} is {'not there yet' if made else 'there'}", source)


def _overlaps(platform: Platform, declared: Declared) -> Iterator[Line]:
    wanted = [block for vpc in declared.all("aws:ec2/vpc:Vpc") if (block := given(vpc, "cidrBlock"))]
    if not wanted:
        return
    ec2 = platform.client("ec2")
    there: dict[str, str] = {}
    for page in ec2.get_paginator("describe_vpcs").paginate():
        for vpc in page["Vpcs"]:
            blocks = [each["CidrBlock"] for each in vpc.get("CidrBlockAssociationSet", ())]
            there |= dict.fromkeys([vpc["CidrBlock"], *blocks], vpc["VpcId"])
    for page in ec2.get_paginator("describe_vpc_peering_connections").paginate():
        for peering in page["VpcPeeringConnections"]:
            for side in ("AccepterVpcInfo", "RequesterVpcInfo"):
                for block in peering.get(side, {}).get("CidrBlockSet", ()):
                    there.setdefault(block["CidrBlock"], f"a side of {peering['VpcPeeringConnectionId']}")
    for block in wanted:
        met = [
            f"{other} ({name})"
            for other, name in there.items()
            if ip_network(block).overlaps(ip_network(other))
        ]
        if met:
            yield note(
                "address range",
                f"{block} overlaps {shortened(met)}",
                "It stands all the same, and can never be peered with those: another `network.cidr_block`.",
                "ec2 DescribeVpcs, DescribeVpcPeeringConnections",
            )
        else:
            yield well("address range", f"{block} overlaps none of {len(there)}", "ec2 DescribeVpcs")
