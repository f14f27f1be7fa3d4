"""How administrators get into the network. Without a VPN: Session Manager and ECS Exec, which open no port."""

from typing import Annotated

from settings.model.fields import CidrBlock, Items, Matching, Model, Name, OneOf, Text, in_stack

CertificateArn = Annotated[
    str,
    Matching(
        r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$",
        "the ARN of a certificate of ACM",
        "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
    ),
]
SamlProviderArn = Annotated[
    str,
    Matching(
        r"^arn:aws[a-z-]*:iam::[0-9]{12}:saml-provider/[A-Za-z0-9._-]{1,128}$",
        "the ARN of a SAML provider of IAM",
        "arn:aws:iam::111122223333:saml-provider/staff",
    ),
]


class ClientVpn(Model):
    """An endpoint of AWS Client VPN. Either `client_root_certificate_arn` (mutual TLS) or `saml_provider_arn`."""

    client_cidr_block: CidrBlock = in_stack("Block that clients get their addresses from, /12 to /22")
    server_certificate_arn: CertificateArn = in_stack(
        "The endpoint's own certificate, in ACM, of the stack's region"
    )
    client_root_certificate_arn: CertificateArn | None = in_stack(
        "Mutual TLS: the certificate in ACM that signed the clients'", default=None
    )
    saml_provider_arn: SamlProviderArn | None = in_stack(
        "Single sign-on: the SAML provider in IAM, such as one of IAM Identity Center", default=None
    )
    saml_group_id: Text | None = in_stack(
        "With single sign-on: the group that may come in; none: whoever the provider lets sign in",
        default=None,
    )
    split_tunnel: bool = in_stack(
        "Only what is for the VPC goes through the tunnel; false: everything does, and the internet is cut off",
        default=True,
    )
    session_timeout_h: Annotated[int, OneOf((8, 10, 12, 24))] = in_stack(
        "A session ends after so many hours and must sign in again", default=8
    )
    reaches: Items[Name] = in_stack(
        "What clients may open connections to: database, or a cache, broker or service by name", default=()
    )


class AdminAccess(Model):
    """Ways in for administrators, beside Session Manager and ECS Exec."""

    client_vpn: ClientVpn | None = in_stack("A VPN for administrators; none: there is none", default=None)
