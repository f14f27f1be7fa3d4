"""Why a task died: every row of the table by a message as ECS writes it, and what comes before what."""

from pathlib import Path

import pytest

from operations import causes
from operations.causes import Cause

ROOT = Path(__file__).parent.parent
REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rentalfix-prod-sentry-dsn-AbCdEf"
ASM = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
    "failed: unable "
    "to retrieve secret from asm: service call has been retried 1 time(s): "
)
FETCH = f"{ASM}failed to fetch secret {SECRET} from secrets manager: "
USER = "User: arn:aws:sts::111122223333:assumed-role/core-matching-execution/0123 is"

# A message of ECS, the row that knows it, and words of the sentence.
MESSAGES = [
    (
        f"CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref "
        f"{REGISTRY}/rentalfix/prod/core-matching:1.1.0: {REGISTRY}/rentalfix/prod/core-matching:1.1.0: not found",
        "image-missing",
        f"The image {REGISTRY}/rentalfix/prod/core-matching:1.1.0 is not in the registry.",
    ),
    (
        "CannotPullContainerError: The repository with name 'gone' does not exist in the registry with id "
        "'111122223333'",
        "image-missing",
        "The image that it names is not in the registry.",
    ),
    (
        "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
        "image-platform",
        "another processor than linux/arm64",
    ),
    (
        f"CannotPullContainerError: failed to resolve ref {REGISTRY}/a:1: unexpected status from HEAD "
        f"request: 403 Forbidden",
        "image-denied",
        "may not pull the image",
    ),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry auth: "
        f"AccessDeniedException: {USER} not authorized to perform: ecr:GetAuthorizationToken on resource: *",
        "image-denied",
        "may not pull the image",
    ),
    (
        "CannotPullContainerError: toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "image-rate",
        "limits how often",
    ),
    (
        "CannotPullContainerError: write /var/lib/containerd/tmp: no space left on device",
        "image-disk",
        "does not fit",
    ),
    (
        f"CannotPullContainerError: failed to resolve ref {REGISTRY}/a:1: failed to do request: Head "
        f'"https://{REGISTRY}/v2/a/manifests/1": dial tcp 10.20.1.9:443: i/o timeout',
        "image-unreachable",
        "does not answer the task",
    ),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry "
        "auth from "
        "Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network "
        "configuration.",
        "image-unreachable",
        "does not answer the task",
    ),
    (
        "CannotPullContainerError: failed to extract layer sha256:00: unpack",
        "image-broken",
        "could not be pulled",
    ),
    (
        f"{FETCH}AccessDeniedException: {USER} not authorized to perform: secretsmanager:GetSecretValue on resource: "
        f"{SECRET} because no identity-based policy allows the secretsmanager:GetSecretValue action",
        "secret-denied",
        "may not read the secret rentalfix-prod-sentry-dsn-AbCdEf.",
    ),
    (
        f"{FETCH}AccessDeniedException: Access to KMS is not allowed",
        "secret-key-denied",
        "not decrypt it with its KMS key",
    ),
    (
        f"{FETCH}AccessDeniedException: {USER} not authorized to perform: kms:Decrypt",
        "secret-key-denied",
        "KMS key",
    ),
    (
        f"{FETCH}ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: "
        "AWSCURRENT",
        "secret-empty",
        "The secret rentalfix-prod-sentry-dsn-AbCdEf is empty.",
    ),
    (
        f"{FETCH}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        "secret-gone",
        "rentalfix-prod-sentry-dsn-AbCdEf is not there any more",
    ),
    (
        f"{FETCH}InvalidRequestException: You can't perform this operation on the secret because it was "
        f"marked for deletion.",
        "secret-gone",
        "is not there any more",
    ),
    (
        "ResourceInitializationError: unable to retrieve secret from asm: retrieved secret from Secrets "
        "Manager did not "
        "contain json key password",
        "secret-key-missing",
        "has no key password",
    ),
    (f"{ASM}invalid character 'p' looking for beginning of value", "secret-no-json", "is no JSON"),
    (
        f"{FETCH}RequestCanceled: request context canceled caused by: context deadline exceeded",
        "secret-unreachable",
        "Secrets Manager does not answer",
    ),
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret "
        "from asm: There "
        "is a connection issue between the task and AWS Secrets Manager. Check your task network configuration.",
        "secret-unreachable",
        "Secrets Manager does not answer",
    ),
    (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 "
        "times: failed to "
        "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.: "
        "exit status 1",
        "log-group",
        "log group is not there",
    ),
    (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 "
        "times: failed to "
        f"create Cloudwatch log stream: AccessDeniedException: {USER} not authorized to perform: "
        f"logs:CreateLogStream",
        "log-denied",
        "may not write its log",
    ),
    (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 "
        "times: failed to "
        "create Cloudwatch log stream: RequestError: send request failed: dial tcp 10.20.1.7:443: i/o timeout",
        "log-unreachable",
        "CloudWatch Logs does not answer",
    ),
    (
        "ECS was unable to assume the role 'arn:aws:iam::111122223333:role/core-matching-execution' that was "
        "provided",
        "role",
        "may not take the role arn:aws:iam::111122223333:role/core-matching-execution",
    ),
    (
        "TaskFailedToStart: Unexpected EC2 error while attempting to Create Network Interface: "
        "InsufficientFreeAddressesInSubnet",
        "addresses",
        "no address left",
    ),
    (
        "TaskFailedToStart: Unexpected EC2 error while attempting to Create Network Interface with public IP "
        "assignment "
        "disabled in subnet 'subnet-1': InvalidGroup.NotFound",
        "network-gone",
        "is not there any more",
    ),
    (
        "Timeout waiting for network interface provisioning to complete.",
        "network-interface",
        "network interface",
    ),
    (
        "(service core-matching) was unable to place a task. Reason: Capacity is unavailable at this time. "
        "Please try "
        "again later or in a different availability zone.",
        "capacity",
        "no room in these zones",
    ),
    (
        "(service a) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run "
        "concurrently.",
        "quota",
        "may not run more vCPUs",
    ),
    ("OutOfMemoryError: Container killed due to memory usage", "memory", "more memory than it has"),
    (
        "Task failed ELB health checks in (target-group "
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/"
        "core-matching-tg/0123)",
        "balancer-health",
        "got no 200 from it: no reason is given.",
    ),
    (
        "(service core-matching) (task 0123) (port 4400) is unhealthy in (target-group arn:aws:elasticloadbalancing:"
        "us-east-1:111122223333:targetgroup/a/0123) due to (reason Health checks failed with these codes: [502])",
        "balancer-health",
        "got no 200 from it: Health checks failed with these codes: [502].",
    ),
    (
        "(service a) failed to register targets in (target-group arn:...) with (error The target group does "
        "not exist)",
        "targets",
        "could not be registered",
    ),
    ("Task failed container health checks", "container-health", "health.command"),
    (
        'CannotStartContainerError: failed to create shim task: exec: "nod": executable file not found in $PATH',
        "command",
        "no such program",
    ),
    ("CannotStartContainerError: failed to get container status: stopped", "start", "could not be started"),
    (
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 3m0s",
        "start",
        "could not be started",
    ),
    (
        "(service a) (deployment ecs-svc/1) deployment failed: alarm detected.",
        "release-alarm",
        "guards releases",
    ),
    ("InternalError: unable to start", "aws", "ECS itself failed"),
    (
        "ResourceInitializationError: failed to initialize something new",
        "resources",
        "could not be made ready",
    ),
]


@pytest.mark.parametrize(("message", "key", "words"), MESSAGES)
def test_a_message_of_ecs_is_known_by_its_row_and_told_in_a_sentence(message, key, words):
    found = causes.of_text(message)
    assert found is not None
    assert found.key == key, found
    assert words in found.said
    assert found.said.endswith(".")
    assert found.remedy.endswith(".")


def test_every_row_has_a_message_here_and_a_runbook_that_is_there():
    assert {pattern.key for pattern in causes.TABLE} == {key for _, key, _ in MESSAGES}
    assert all((ROOT / pattern.runbook).is_file() for pattern in causes.TABLE)


def test_what_no_row_knows_is_told_as_ecs_says_it():
    assert causes.of_text("Something that nobody has seen") is None
    cause = causes.of_task({"stoppedReason": "Something that nobody has seen.", "containers": []})
    assert (cause.key, cause.said) == ("unknown", "Something that nobody has seen.")
    assert causes.of_task({}).said == "ECS gives no reason."


def task(reason="Essential container in task exited", **containers):
    return {
        "stoppedReason": reason,
        "containers": [{"name": name.replace("_", "-"), **said} for name, said in containers.items()],
    }


@pytest.mark.parametrize(
    ("code", "key", "words"),
    [
        (0, "ended", "app ended by itself with 0, and a service has to run for ever."),
        (1, "exit", "app ended with 1."),
        (126, "command", "may not be executed"),
        (127, "command", "is not in the image"),
        (137, "killed", "out of memory, or still there 30 seconds after"),
        (139, "crashed", "segmentation fault"),
        (143, "stopped", "SIGTERM"),
    ],
)
def test_without_a_message_the_exit_code_tells(code, key, words):
    cause = causes.of_task(task(app={"exitCode": code}))
    assert cause.key == key
    assert words in cause.said


def test_a_container_s_own_reason_says_more_than_that_one_exited():
    cause = causes.of_task(
        task(app={"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"})
    )
    assert cause.key == "memory"


def test_a_health_check_is_why_it_was_killed():
    cause = causes.of_task(task("Task failed container health checks", app={"exitCode": 137}))
    assert cause.key == "container-health"


def test_a_sidecar_that_ended_well_is_not_what_the_task_died_of():
    cause = causes.of_task(task(files={"exitCode": 0}, app={"exitCode": 3}, router={}))
    assert cause.said == "app ended with 3."


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"}, True),
        (
            {
                "stoppedReason": "ECS is performing maintenance on the underlying infrastructure hosting the task."
            },
            True,
        ),
        ({"stopCode": "UserInitiated", "stoppedReason": "drill"}, True),
        ({"stoppedReason": "Essential container in task exited"}, False),
        ({}, False),
    ],
)
def test_a_task_that_somebody_wanted_stopped_needs_no_explanation(said, wanted):
    assert causes.is_wanted(said) is wanted


def test_a_cause_reads_as_sentence_remedy_and_runbook():
    assert (
        str(Cause("exit", "app ended with 1.", "Look.")) == "app ended with 1. Look. docs/runbooks/service.md"
    )


def test_the_remedy_for_an_empty_secret_names_both_ways_to_fill_one():
    found = causes.of_text(
        f"{FETCH}ResourceNotFoundException: Secrets Manager can't find the specified secret value"
    )
    assert found is not None
    assert "`groundwork db bootstrap` makes; any other value `groundwork secrets put` puts in" in found.remedy
