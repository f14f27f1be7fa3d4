"""S8 to S13: what the product's own pipeline answers for."""

from tests.recorder import Recording
from tests.requirements.production import container, graph, output, pushers
from tests.requirements.sports_nutrition.support import API, HOST, repository
from tests.requirements.table import Chapter, Row

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


CHAPTER.rows.append(
    Row(
        id="S12",
        lines="L34",
        asked="Two people or more have reviewed the code",
        kind="not met",
        missing="it is a setting of the place where the code is kept, which no stack declares; docs/pipeline.md says "
        "what to set there",
    )
)


@CHAPTER.row(
    "S13",
    "L35",
    "Everything is merged to `main`",
    "declared",
    note="only jobs on `main` can push an image, and a stack runs the one version that its file names",
    missing="that nothing gets into `main` unseen is a setting of the place where the code is kept",
    components=["ci_access"],
    settings=["ci.images.branch", "services.api.image_tag"],
)
def merged(stack: Recording) -> None:
    assert pushers(stack) == ["repo:your-org/individual-sports-nutrition:ref:refs/heads/main"]
    assert container(stack, API)["image"].endswith("/individual-sports-nutrition:1.0.0")
