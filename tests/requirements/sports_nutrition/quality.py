"""S8 to S13: what the product's own pipeline answers for."""

from operations.platform import ROOT
from operations.stack_files import repositories
from tests.recorder import Recording
from tests.requirements.production import container, graph, output, pushers
from tests.requirements.sports_nutrition.support import API, HOST, repository
from tests.requirements.table import Chapter

REPOSITORY = "your-org/individual-sports-nutrition"
CHAPTER = Chapter(title="Pre-deployment checklist: code quality")


@CHAPTER.row(
    "S8",
    "L30",
    "Unit tests pass: `npm test`",
    "application",
    note="in its own pipeline, before it pushes an image; a tag that was pushed stays what was tested",
    components=["registry"],
    policies=["container-image-pinned"],
)
def unit_tests(stack: Recording) -> None:
    assert repository(stack)["imageTagMutability"] == "IMMUTABLE"
    assert container(stack, API)["image"] == f"{output(stack, 'repositories', API)}:1.0.0"


@CHAPTER.row(
    "S9",
    "L31",
    "End-to-end tests pass: `npm run test:e2e`",
    "application",
    note="in its own pipeline, against staging's `urls`; staging is a stack of the same shape",
    settings=["services.api.public"],
)
def end_to_end_tests(stack: Recording) -> None:
    assert output(stack, "urls") == {"api": f"https://{HOST}"}


@CHAPTER.row(
    "S10",
    "L32",
    "There is a baseline of its performance: `npm run test:perf`",
    "application",
    note="in its own pipeline, against staging; the dashboard keeps what the load balancer measured, and the "
    "command measures from outside",
    commands=["perf"],
    components=["dashboard"],
)
def baseline(stack: Recording) -> None:
    lines = [(line[1], line[-1]["stat"]) for line in graph(stack, "Latency")]
    assert lines == [("TargetResponseTime", each) for each in ("p50", "p95", "p99")]


@CHAPTER.row(
    "S11",
    "L33",
    "`npm audit` finds nothing critical",
    "application",
    note="the audit in its own pipeline; the registry scans every image that is pushed, and `groundwork deploy` "
    "refuses one with a critical or high finding",
    missing="a tag that somebody writes into the stack file by hand is released unasked: the nightly check tells "
    "it afterwards",
    commands=["images findings --fail-on critical"],
    components=["registry"],
    policies=["ecr-scan-on-push"],
)
def audited(stack: Recording) -> None:
    assert repository(stack)["imageScanningConfiguration"] == {"scanOnPush": True}


@CHAPTER.row(
    "S12",
    "L34",
    "Two people or more have reviewed the code",
    "operator",
    note="the command asks GitHub whether `main` of the product's repository takes a change only with two approvals "
    "that end with a new commit, and who gets round that",
    missing="GitHub holds the setting, and nothing here makes it; docs/pipeline.md says what to set there",
    commands=["repo --reviews 2"],
    components=["ci_access"],
    settings=["ci.images.repository", "ci.images.branch"],
)
def reviewed(stack: Recording) -> None:
    """Which repository and branch is asked: those that images come from."""
    assert pushers(stack) == [f"repo:{REPOSITORY}:ref:refs/heads/main"]
    asked = repositories(ROOT, "sports-nutrition", "prod")
    assert [(each.name, each.branch) for each in asked] == [(REPOSITORY, "main")]


@CHAPTER.row(
    "S13",
    "L35",
    "Everything is merged to `main`",
    "declared",
    note="only jobs on `main` can push an image, and a stack runs the one version that its file names; the command "
    "asks GitHub whether anything gets into `main` but by pull requests",
    missing="that nothing does is GitHub's setting, which nothing here makes",
    commands=["repo"],
    components=["ci_access"],
    settings=["ci.images.branch", "services.api.image_tag"],
)
def merged(stack: Recording) -> None:
    assert pushers(stack) == [f"repo:{REPOSITORY}:ref:refs/heads/main"]
    assert container(stack, API)["image"].endswith("/individual-sports-nutrition:1.0.0")
