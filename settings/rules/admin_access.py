"""The administrators' VPN: addresses that are free, one way to prove who one is, and what it leads to."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from settings.model import Settings
from settings.model.admin_access import ClientVpn
from settings.problems import Path, Problem, nearest
from settings.references import connectable

# "Rules and best practices for using AWS Client VPN": the client block is /12 to /22 and overlaps no route.
LARGEST_PREFIX, SMALLEST_PREFIX = 12, 22
_PATH: Path = ("admin_access", "client_vpn")


def client_block_is_free(settings: Settings) -> Iterator[Problem]:
    vpn = settings.admin_access.client_vpn
    if vpn is None:
        return
    path, block = (*_PATH, "client_cidr_block"), IPv4Network(vpn.client_cidr_block)
    if not LARGEST_PREFIX <= block.prefixlen <= SMALLEST_PREFIX:
        yield Problem(
            path=path,
            rule=f"must be a block from /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}",
            got=vpn.client_cidr_block,
            remedy="A /22 has room for 250 administrators in each of two zones.",
        )
    if not block.is_private:
        yield Problem(
            path=path,
            rule="must be a private block",
            got=vpn.client_cidr_block,
            remedy="Choose one in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.",
        )
    taken = {settings.network.cidr_block: "network.cidr_block"}
    taken |= dict.fromkeys(settings.network.reserved_cidr_blocks, "network.reserved_cidr_blocks")
    for other, where in taken.items():
        if block.overlaps(IPv4Network(other)):
            yield Problem(
                path=path,
                rule=f"overlaps {other} of {where}",
                got=vpn.client_cidr_block,
                remedy="Choose a block that is not in use elsewhere.",
            )


def clients_prove_who_they_are_in_one_way(settings: Settings) -> Iterator[Problem]:
    vpn = settings.admin_access.client_vpn
    if vpn is None:
        return
    if (vpn.client_root_certificate_arn is None) == (vpn.saml_provider_arn is None):
        yield Problem(
            path=_PATH,
            rule="must say either client_root_certificate_arn or saml_provider_arn",
            remedy="The first is mutual TLS, a certificate for each administrator; the second single sign-on.",
        )
    if vpn.saml_group_id is not None and vpn.saml_provider_arn is None:
        yield Problem(
            path=(*_PATH, "saml_group_id"),
            rule="is for single sign-on, and there is no saml_provider_arn",
            got=vpn.saml_group_id,
            remedy="Remove it: with mutual TLS there are no groups.",
        )


def certificates_are_of_the_region(settings: Settings) -> Iterator[Problem]:
    vpn = settings.admin_access.client_vpn
    if vpn is None:
        return
    for key, arn in _certificates(vpn).items():
        region, account = arn.split(":")[3:5]
        if (region, account) != (settings.region, settings.account):
            yield Problem(
                path=(*_PATH, key),
                rule=f"must be a certificate of {settings.region} and account {settings.account}",
                got=f"{region} and {account}",
                remedy="Import it into ACM there.",
            )


def vpn_leads_to_what_there_is(settings: Settings) -> Iterator[Problem]:
    vpn = settings.admin_access.client_vpn
    known = connectable(settings)
    for index, name in enumerate(vpn.reaches if vpn else ()):
        if name not in known:
            yield Problem(
                path=(*_PATH, "reaches", index),
                rule="must be database, or a cache, broker or service with a port, by its name",
                got=name,
                remedy=nearest(name, known),
            )


def _certificates(vpn: ClientVpn) -> dict[str, str]:
    arns = {
        "server_certificate_arn": vpn.server_certificate_arn,
        "client_root_certificate_arn": vpn.client_root_certificate_arn,
    }
    return {key: arn for key, arn in arns.items() if arn is not None}


RULES = (
    client_block_is_free,
    clients_prove_who_they_are_in_one_way,
    certificates_are_of_the_region,
    vpn_leads_to_what_there_is,
)
