"""T60 to T62: the guide's commands of Docker, and what stands for them."""

from tests.recorder import Recording
from tests.requirements.production import container, environment, secrets
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import SERVICES, counts, is_known_to_operators, ports

CHAPTER = Chapter(title="Docker commands")


@CHAPTER.row(
    "T60",
    "L456-457",
    "An image can have a tag of its own, such as `v1.2.3`",
    "declared",
    note="it must: a tag never moves, and `latest` is refused",
    components=["registry"],
    settings=["services.api.image_tag", "services.worker.image_tag"],
    policies=["container-image-pinned"],
)
def tagged(stack: Recording) -> None:
    tags = [container(stack, service)["image"].rpartition(":")[2] for service in SERVICES]
    assert tags == ["v1.2.3"] * 2


@CHAPTER.row(
    "T61",
    "L462-480",
    "The API runs with port 3000 and its variables, the worker with its own and no port",
    "declared",
    components=["task", "service"],
    settings=["services.api.ports"],
)
def run(stack: Recording) -> None:
    assert (ports(stack, "api"), ports(stack, "worker")) == ({"http": 3000}, {})
    assert environment(stack, "api")["PORT"] == "3000"
    assert {"DATABASE_URL", "REDIS_URL", "JWT_SECRET"} <= set(secrets(stack, "api"))
    assert environment(stack, "worker")["QUEUE_CONCURRENCY"] == "10"


@CHAPTER.row(
    "T62",
    "L485-508",
    "Start, scale to 3 and 5, follow the logs, stop",
    "operator",
    note="`pulumi up` starts both with 3 and 5",
    commands=[
        "scale api --desired 3",
        "scale worker --desired 5",
        "logs api --follow",
        "service stop api worker",
        "service start api worker",
    ],
    components=["service"],
    settings=["services.api.desired_count", "services.worker.desired_count"],
)
def compose(stack: Recording) -> None:
    for service in SERVICES:
        is_known_to_operators(stack, service)
    assert [counts(stack, service)[1] for service in SERVICES] == [3, 5]
