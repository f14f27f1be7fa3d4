"""Machines on EC2 and their disks."""

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given, given_at, is_set, rule

INSTANCE = "aws:ec2/instance:Instance"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
LAUNCH_CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"
VOLUME = "aws:ebs/volume:Volume"
ENCRYPTION_BY_DEFAULT = "aws:ebs/encryptionByDefault:EncryptionByDefault"

RULES: list[Rule] = []


@rule(
    RULES,
    "ec2-metadata-by-token",
    types=[INSTANCE, LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION],
    severity="high",
    why="Without a token, a request that a program is tricked into sending reads the machine's credentials.",
    remedy="Set metadataOptions.httpTokens to required",
    checklist=["C1"],
    frameworks=[
        "FSBP EC2.8",
        "FSBP EC2.170",
        "FSBP AutoScaling.3",
        "CIS 3.0 5.6",
        "CIS 5.0 5.7",
        "CKV_AWS_79",
    ],
    must_know=True,
)
def ec2_metadata_by_token(props: Props) -> Findings:
    """Machines give their credentials to holders of a token only (IMDSv2)."""
    # What an instance does not say itself may stand in its template.
    if is_set(props, "launchTemplate") and not is_set(props, "metadataOptions"):
        return
    off = at(props, "metadataOptions.httpEndpoint") == "disabled"
    if not off and at(props, "metadataOptions.httpTokens") != "required":
        yield given_at(props, "metadataOptions.httpTokens")


@rule(
    RULES,
    "ec2-no-public-ip",
    types=[INSTANCE, LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION],
    severity="high",
    why="A machine with a public address is probed within minutes, on every port that its groups open.",
    remedy="Set associatePublicIpAddress to false and put the machine behind a load balancer; "
    "people reach it with Session Manager",
    checklist=["C32"],
    frameworks=["FSBP EC2.9", "FSBP EC2.25", "FSBP AutoScaling.5", "CKV_AWS_88", "CKV_AWS_389"],
    must_know=True,
)
def ec2_no_public_ip(props: Props) -> Findings:
    """Machines have no public address."""
    if props.get("associatePublicIpAddress"):
        yield given(props, "associatePublicIpAddress")
    for number, card in enumerate(props.get("networkInterfaces") or []):
        if str(card.get("associatePublicIpAddress")).lower() == "true":
            yield f"networkInterfaces[{number}].{given(card, 'associatePublicIpAddress')}"


@rule(
    RULES,
    "ebs-encrypted",
    types=[INSTANCE, LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, VOLUME],
    severity="high",
    why="A snapshot of an unencrypted disk can be read by whoever gets hold of it.",
    remedy="Set encrypted to true on each disk, or declare ebs.EncryptionByDefault for all that come",
    checklist=["C67"],
    frameworks=[
        "FSBP EC2.3",
        "FSBP EC2.7",
        "FSBP EC2.181",
        "CIS 3.0 2.2.1",
        "CIS 5.0 5.1.1",
        "CKV_AWS_3",
        "CKV_AWS_8",
    ],
    whole_stack=True,
)
def ebs_encrypted(machine: PolicyResource, stack: Stack) -> Findings:
    """Disks are encrypted."""
    defaults = stack.of([ENCRYPTION_BY_DEFAULT])
    if any(default.props.get("enabled") is not False for default in defaults):
        return
    props = machine.props
    if machine.resource_type == VOLUME:
        if props.get("encrypted") is not True and not is_set(props, "snapshotId"):
            yield given(props, "encrypted")
        return
    from_template = machine.resource_type == LAUNCH_TEMPLATE or is_set(props, "launchTemplate")
    if not from_template and at(props, "rootBlockDevice.encrypted") is not True:
        yield given_at(props, "rootBlockDevice.encrypted")
    disks = [*(props.get("ebsBlockDevices") or []), *(props.get("blockDeviceMappings") or [])]
    for disk in disks:
        if disk.get("virtualName") or disk.get("noDevice"):
            continue  # the machine's own disk, which goes with it
        encrypted = at(disk, "ebs.encrypted") if disk.get("ebs") else disk.get("encrypted")
        if str(encrypted).lower() != "true":
            yield f"disk {disk.get('deviceName', '?')}: {given({'encrypted': encrypted}, 'encrypted')}"
