"""How administrators get in: the VPN, if the stack has one, and the subnets that its clients may send to."""

from collections.abc import Mapping
from ipaddress import IPv4Network

from components import _subnets
from components.admin_access import AdminAccess, AdminAccessArgs, MutualTls, SingleSignOn
from components.firewall import Firewall
from components.keys import Keys
from components.network import Network
from settings.model import Settings
from settings.model.admin_access import ClientVpn
from settings.reach import VPN


def build(
    settings: Settings,
    keys: Keys,
    network: Network,
    firewall: Firewall,
    blocks: _subnets.Blocks | None,
    tags: Mapping[str, str],
) -> AdminAccess | None:
    vpn = settings.admin_access.client_vpn
    if vpn is None:
        return None
    vpc = IPv4Network(settings.network.cidr_block)
    letters = [zone[-1] for zone in settings.network.zones]
    return AdminAccess(
        "vpn",
        AdminAccessArgs(
            vpc_id=network.vpc_id,
            subnet_ids=dict(zip(letters, network.private_subnet_ids, strict=True)),
            security_group_id=firewall.group_ids[VPN],
            client_cidr_block=vpn.client_cidr_block,
            server_certificate_arn=vpn.server_certificate_arn,
            authentication=_authentication(vpn),
            networks=_networks(settings, vpn, blocks),
            # VPC guide, "Amazon DNS server": the block's first address and two.
            dns_server=str(vpc.network_address + 2),
            split_tunnel=vpn.split_tunnel,
            session_timeout_h=vpn.session_timeout_h,
            log_group_name=f"/{settings.name}/{settings.environment}/vpn",
            log_key_arn=keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            tags=tags,
        ),
    )


def _authentication(vpn: ClientVpn) -> MutualTls | SingleSignOn:
    if vpn.saml_provider_arn is not None:
        return SingleSignOn(saml_provider_arn=vpn.saml_provider_arn, group_id=vpn.saml_group_id)
    if vpn.client_root_certificate_arn is not None:
        return MutualTls(root_certificate_arn=vpn.client_root_certificate_arn)
    # The settings' rules refuse this before anything is made.
    raise ValueError("the VPN has no way to tell who somebody is")


def _networks(settings: Settings, vpn: ClientVpn, blocks: _subnets.Blocks | None) -> dict[str, str]:
    """Services are in the private subnets, stores in the isolated ones: only those that hold something named."""
    named = set(vpn.reaches)
    wanted = {
        "private": bool(named & settings.services.keys()),
        "isolated": bool(named - settings.services.keys()),
    }
    return {
        f"{tier}-{zone.letter}": getattr(zone, tier)
        for zone in _subnets.plan(settings.network.cidr_block, settings.network.zones, blocks)
        for tier, is_wanted in wanted.items()
        if is_wanted
    }
