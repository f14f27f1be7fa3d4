"""How administrators get in."""

from openings import ADMIN_PORTS, ALL_PORTS, SPELLINGS, is_world, openings
from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, given, is_set, rule, shown

ENDPOINT = "aws:ec2clientvpn/endpoint:Endpoint"
AUTHORIZATION = "aws:ec2clientvpn/authorizationRule:AuthorizationRule"
ASSOCIATION = "aws:ec2clientvpn/networkAssociation:NetworkAssociation"
MACHINE = "aws:ec2/instance:Instance"
SERVICE = "aws:ecs/service:Service"

PROOFS = {"certificate-authentication", "federated-authentication", "directory-service-authentication"}

RULES: list[Rule] = []


@rule(
    RULES,
    "no-ssh-inside",
    types=SPELLINGS,
    severity="medium",
    why="Nothing here listens for SSH or RDP, so a way to it is a mistake or a machine that nobody declared.",
    remedy="Take the rule away, or narrow fromPort and toPort; ECS Exec and Session Manager need no port, and log each "
    "session (Groundwork's firewall opens neither)",
    checklist=["C34"],
)
def no_ssh_inside(props: Props) -> Findings:
    """SSH and RDP are open to nobody, inside the network either."""
    for opening in openings(props):
        reached = [port for port in ADMIN_PORTS if port in opening.ports]
        # All ports, and the whole world, are the business of rules of their own.
        if reached and opening.ports != ALL_PORTS and not opening.worldwide:
            yield f"opens {opening}, and with it {shown(reached)}"


@rule(
    RULES,
    "vpn-logged-and-authenticated",
    types=[ENDPOINT],
    severity="high",
    why="Whoever gets in this way stands inside the network; afterwards only the log says who it was.",
    remedy="Set connectionLogOptions.enabled to true and name one kind of authenticationOptions "
    "(stack file: admin_access.client_vpn, which does both)",
    checklist=["C33"],
    frameworks=["FSBP EC2.51"],
)
def vpn_logged_and_authenticated(props: Props) -> Findings:
    """A VPN endpoint knows who connects, and writes it down."""
    if not any(each.get("type") in PROOFS for each in props.get("authenticationOptions") or []):
        yield "authenticationOptions names no kind that is known"
    log = props.get("connectionLogOptions") or {}
    if log.get("enabled") is not True:
        yield f"connectionLogOptions.{given(log, 'enabled')}"
    elif not is_set(log, "cloudwatchLogGroup"):
        yield "connectionLogOptions.cloudwatchLogGroup is not set"


@rule(
    RULES,
    "vpn-narrow",
    types=[AUTHORIZATION],
    severity="high",
    why="Where a client may send anywhere, one stolen certificate is the whole network, and the VPN a proxy.",
    remedy="Authorize the subnets that administrators need, a rule each (stack file: admin_access.client_vpn)",
    checklist=["C33"],
)
def vpn_narrow(props: Props) -> Findings:
    """Clients of a VPN may send to named networks only."""
    if is_world(str(props.get("targetNetworkCidr") or "")):
        yield given(props, "targetNetworkCidr")


@rule(
    RULES,
    "admin-access-via-vpn",
    types=[MACHINE, ENDPOINT, SERVICE],
    severity="medium",
    why="A machine that people log in to with a key pair is a door beside the front door.",
    remedy="Leave keyName out and use Session Manager, or declare admin_access.client_vpn in the stack file, with "
    "what it reaches",
    checklist=["C33", "C34"],
    whole_stack=True,
)
def admin_access_via_vpn(resource: PolicyResource, stack: Stack, *, vpn: bool = False) -> Findings:
    """A machine with a key pair is only reached over a VPN, which leads somewhere; `vpn` asks for one in any case."""
    if resource.resource_type == MACHINE:
        if is_set(resource.props, "keyName") and not stack.of([ENDPOINT]):
            yield f"{given(resource.props, 'keyName')}, and the stack has no VPN"
    elif resource.resource_type == ENDPOINT:
        for kind in (ASSOCIATION, AUTHORIZATION):
            if not stack.referring([kind], "clientVpnEndpointId", resource):
                yield f"it has no {kind.rpartition(':')[2]}, so that nobody gets anywhere by it"
    elif vpn and not stack.of([ENDPOINT]) and stack.is_first(resource, [SERVICE]):
        yield "a VPN is asked for, and the stack has none"
