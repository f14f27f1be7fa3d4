"""Registries of images."""

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given, given_at, rule

REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"

RULES: list[Rule] = []


@rule(
    RULES,
    "ecr-scan-on-push",
    types=[REPOSITORY],
    severity="medium",
    why="A vulnerability is cheapest to find before the image runs.",
    remedy="Set imageScanningConfiguration.scanOnPush to true",
    checklist=["C51"],
    frameworks=["FSBP ECR.1", "CKV_AWS_163"],
    must_know=True,
    remediates={REPOSITORY: {"imageScanningConfiguration": {"scanOnPush": True}}},
)
def ecr_scan_on_push(props: Props) -> Findings:
    """Images are scanned when they arrive."""
    if at(props, "imageScanningConfiguration.scanOnPush") is not True:
        yield given_at(props, "imageScanningConfiguration.scanOnPush")


@rule(
    RULES,
    "ecr-immutable-tags",
    types=[REPOSITORY],
    severity="medium",
    why="A tag that can be overwritten proves nothing: what was tested is not what runs.",
    remedy="Set imageTagMutability to IMMUTABLE",
    checklist=["C53"],
    frameworks=["FSBP ECR.2", "CKV_AWS_51"],
    must_know=True,
)
def ecr_immutable_tags(props: Props) -> Findings:
    """A tag always means the same image."""
    if props.get("imageTagMutability") not in {"IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION"}:
        yield given(props, "imageTagMutability")


@rule(
    RULES,
    "ecr-encrypted",
    types=[REPOSITORY],
    severity="low",
    why="With a key of one's own, taking the key away takes the images away, and each use of it is logged.",
    remedy="Give encryptionConfigurations with the encryptionType KMS; ECR can only do it when the repository is made",
    checklist=["C51"],
    frameworks=["Security Hub ECR.5", "CKV_AWS_136"],
)
def ecr_encrypted(props: Props) -> Findings:
    """Images are encrypted with a key of one's own."""
    kinds = [each.get("encryptionType") for each in props.get("encryptionConfigurations") or []]
    if not kinds:
        yield "encryptionConfigurations is not set"
    elif kinds[0] not in {"KMS", "KMS_DSSE"}:
        yield given({"encryptionType": kinds[0]}, "encryptionType")


@rule(
    RULES,
    "ecr-lifecycle",
    types=[REPOSITORY],
    severity="low",
    why="Old images are paid for, and the scanner's report is about what nobody runs any more.",
    remedy="Declare a LifecyclePolicy for the repository",
    checklist=["C79"],
    frameworks=["FSBP ECR.3"],
    whole_stack=True,
)
def ecr_lifecycle(repository: PolicyResource, stack: Stack) -> Findings:
    """Images that nobody needs go."""
    if not stack.referring([LIFECYCLE], "repository", repository):
        yield "no LifecyclePolicy names the repository"
