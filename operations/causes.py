"""Why a task died, in a sentence: what ECS says of it, matched against a table.

Sources of the wordings: ECS guide, "Stopped tasks error messages", "CannotPullContainer task errors",
"ResourceInitializationError errors", "Service event messages". ECS mends its wordings now and then, so a pattern asks
for few words, and what none of them knows is told as ECS says it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICE_RUNBOOK = "docs/runbooks/service.md"
NETWORK_RUNBOOK = "docs/runbooks/network.md"
BALANCER_RUNBOOK = "docs/runbooks/load-balancer.md"

# What a sentence may name, wherever in the text it stands; the words where it is not there.
_NAMED: Mapping[str, tuple[str, str]] = {
    "image": (r"[\w.-]+\.[a-z]+/[\w./-]+(?::[\w.-]+|@sha256:[0-9a-f]{64})", "that it names"),
    "secret": (r"(?<=:secret:)[\w/+=.@!-]+", "that it reads"),
}
_PULL = r"CannotPull(?:Container|ImageManifest)Error"
_ASM = r"(?:from asm|secrets ?manager)"
_LOG = r"(?:logger args|logging driver|log stream)"
# What every client says when nothing answers; the later ones are ECS's own summary of it.
_UNREACHABLE = (
    r"(?:i/o timeout|deadline exceeded|request canceled|connection refused|no such host|Client\.Timeout|"
    r"connection issue between the task)"
)
_HEALTH_REMEDY = (
    "Its log says what it was waiting for. If it only starts slowly, raise health.start_period_s; if the path is "
    "another one, set health.path."
)


@dataclass(frozen=True)
class Cause:
    """`said` is a sentence, and so is `remedy`; `key` names the row of the table, for a program."""

    key: str
    said: str
    remedy: str
    runbook: str = SERVICE_RUNBOOK

    def __str__(self) -> str:
        return f"{self.said} {self.remedy} {self.runbook}"


@dataclass(frozen=True)
class Pattern:
    """`said` and `remedy` may name an image, a secret and the groups of `regex`."""

    key: str
    regex: str
    said: str
    remedy: str
    runbook: str = SERVICE_RUNBOOK

    def match(self, text: str) -> Cause | None:
        found = re.search(self.regex, text, re.IGNORECASE | re.DOTALL)
        if not found:
            return None
        named = {name: _first(regex, text) or otherwise for name, (regex, otherwise) in _NAMED.items()}
        named |= {name: value or "no reason is given" for name, value in found.groupdict().items()}
        return Cause(self.key, self.said.format(**named), self.remedy.format(**named), self.runbook)


def _first(regex: str, text: str) -> str:
    found = re.search(regex, text)
    return found[0].rstrip(".:") if found else ""


# The first that matches counts: what is special stands before what is general.
TABLE: Sequence[Pattern] = (
    Pattern(
        "image-platform",
        rf"{_PULL}.*does not contain descriptor matching platform '(?P<platform>[^']+)'",
        "The image is built for another processor than {platform}, which the task runs on.",
        "Build it with `docker build --platform {platform}`, push it under a new tag, and release that.",
    ),
    Pattern(
        "image-missing",
        rf"{_PULL}.*(?:not found|does not exist|manifest unknown|name unknown)",
        "The image {image} is not in the registry.",
        "Push it, or release a tag that is there: `groundwork rollback` goes back to the last one.",
    ),
    Pattern(
        "image-denied",
        rf"(?:{_PULL}|\becr\b).*(?:403 Forbidden|401 Unauth|access denied|AccessDenied|not authorized|no basic auth)",
        "The task's execution role may not pull the image.",
        "`pulumi up` grants what the image's repository needs; another account's repository has a policy of its own.",
    ),
    Pattern(
        "image-rate",
        rf"{_PULL}.*(?:toomanyrequests|429 Too Many|rate limit)",
        "The registry of the image limits how often it is asked.",
        "Wait some minutes; then copy the image into a registry of your own, and name that one.",
    ),
    Pattern(
        "image-disk",
        rf"{_PULL}.*no space left on device",
        "The image does not fit on the task's disk of 20 GiB.",
        "Make the image smaller.",
    ),
    Pattern(
        "image-unreachable",
        rf"(?:{_PULL}|\becr\b).*{_UNREACHABLE}",
        "The registry does not answer the task: it has no way to ECR or to S3, which holds the layers.",
        "Look at the endpoints, the NAT gateways and the task's security group.",
        NETWORK_RUNBOOK,
    ),
    Pattern(
        "image-broken",
        rf"{_PULL}",
        "The image could not be pulled.",
        "The full text is below; `docker pull` of the same image says more.",
    ),
    Pattern(
        "secret-key-denied",
        r"(?:not authorized to perform: kms:Decrypt|Access to KMS is not allowed)",
        "The task's execution role may read the secret, but not decrypt it with its KMS key.",
        "`pulumi up` grants that; if it does not, somebody has changed the policy of the key.",
    ),
    Pattern(
        "secret-denied",
        r"not authorized to perform: secretsmanager:GetSecretValue",
        "The task's execution role may not read the secret {secret}.",
        "`pulumi up` grants what the service names in its settings; if it does not, look at the secret's own policy.",
    ),
    Pattern(
        "secret-empty",
        r"can't find the specified secret value",
        "The secret {secret} is empty.",
        "A database role's login, and a URL with its password, `groundwork db bootstrap` makes; any other value "
        "`groundwork secrets put` puts in. Then `groundwork service restart`.",
    ),
    Pattern(
        "secret-gone",
        r"(?:can't find the specified secret|marked for deletion)",
        "The secret {secret} is not there any more.",
        "`aws secretsmanager restore-secret` brings it back for 7 days. An old revision may name one that was replaced "
        "since: then `pulumi up`.",
    ),
    Pattern(
        "secret-key-missing",
        r"did not contain json key (?P<json>[\w.-]+)",
        "The secret has no key {json}.",
        "Put in JSON that has it: `groundwork secrets put`, then `groundwork service restart`.",
    ),
    Pattern(
        "secret-no-json",
        rf"{_ASM}.*(?:invalid character|cannot unmarshal|unexpected end of JSON)",
        "The secret is no JSON, and the service reads one key of it.",
        "Put in JSON: `groundwork secrets put`, then `groundwork service restart`.",
    ),
    Pattern(
        "secret-unreachable",
        rf"{_ASM}.*{_UNREACHABLE}|{_UNREACHABLE}.*{_ASM}",
        "Secrets Manager does not answer the task: it has no way there.",
        "Look at its endpoint, the NAT gateways and the task's security group.",
        NETWORK_RUNBOOK,
    ),
    Pattern(
        "log-group",
        rf"{_LOG}.*(?:ResourceNotFound|does not exist)",
        "The task's log group is not there.",
        "`pulumi up --refresh` makes it again.",
    ),
    Pattern(
        "log-denied",
        rf"{_LOG}.*(?:AccessDenied|not authorized)",
        "The task's execution role may not write its log.",
        "`pulumi up --refresh` puts the role right.",
    ),
    Pattern(
        "log-unreachable",
        rf"{_LOG}.*{_UNREACHABLE}",
        "CloudWatch Logs does not answer the task: it has no way there.",
        "Look at its endpoint, the NAT gateways and the task's security group.",
        NETWORK_RUNBOOK,
    ),
    Pattern(
        "role",
        r"unable to assume (?:the )?role '?(?P<role>[^\s']+)",
        "ECS may not take the role {role}: it is gone, or does not trust ECS.",
        "`pulumi up --refresh` puts it right. A revision that is older than its role cannot be run any more.",
    ),
    Pattern(
        "addresses",
        r"(?:InsufficientFreeAddresses|free (?:IP )?addresses)",
        "A subnet has no address left for another task.",
        "Stop what is not needed, or give the stack larger subnets (network.cidr_block).",
        NETWORK_RUNBOOK,
    ),
    Pattern(
        "network-gone",
        r"\b(?:subnet|security group|InvalidSubnetID|InvalidGroup)\b.*(?:does not exist|NotFound)",
        "A subnet or security group of the service is not there any more.",
        "`pulumi up --refresh` puts it right.",
        NETWORK_RUNBOOK,
    ),
    Pattern(
        "network-interface",
        r"network interface (?:provision|creation)|Create ?Network ?Interface",
        "AWS could not give the task a network interface.",
        "ECS tries again by itself. If it goes on, look at the account's quota of interfaces, and at AWS' health page.",
        NETWORK_RUNBOOK,
    ),
    Pattern(
        "capacity",
        r"Capacity is unavailable at this time",
        "Fargate has no room in these zones at the moment.",
        "ECS tries again by itself; a third zone or another size (cpu, memory_mib) finds room sooner.",
    ),
    Pattern(
        "quota",
        r"limit on the number of (?P<what>tasks|vCPUs)",
        "The account may not run more {what} on Fargate.",
        "Ask for more (Service Quotas, AWS Fargate, On-Demand vCPU), or `groundwork scale` something else down.",
    ),
    Pattern(
        "memory",
        r"OutOfMemory",
        "It needed more memory than it has, and was killed.",
        "Raise services.<name>.memory_mib (`groundwork service resize`), or find what it keeps.",
    ),
    Pattern(
        "balancer-health",
        r"failed ELB health checks(?:.*?(?:\(reason|reason:?|due to \(reason) ?(?P<why>[^)]+))?",
        "The load balancer's health check got no 200 from it: {why}.",
        _HEALTH_REMEDY,
        BALANCER_RUNBOOK,
    ),
    Pattern(
        "balancer-health",
        r"is unhealthy in \(target-group [^)]+\) due to \(reason (?P<why>[^)]+)",
        "The load balancer's health check got no 200 from it: {why}.",
        _HEALTH_REMEDY,
        BALANCER_RUNBOOK,
    ),
    Pattern(
        "targets",
        r"failed to register targets",
        "The tasks could not be registered at the load balancer.",
        "`pulumi up --refresh` puts a target group right that is gone.",
        BALANCER_RUNBOOK,
    ),
    Pattern(
        "container-health",
        r"failed container health checks",
        "Its own health check (health.command) failed.",
        "Its log says what was wrong; try the command in a running task: `groundwork exec`.",
    ),
    Pattern(
        "command",
        r"Cannot(?:Start|Create)ContainerError.*(?:executable file not|no such file|permission denied|format error)",
        "The image has no such program as the service's command, or it may not be executed.",
        "Compare services.<name>.command with the image: `docker run --entrypoint sh -it IMAGE`.",
    ),
    Pattern(
        "start",
        r"Cannot(?:Start|Create)ContainerError|ContainerRuntime(?:Timeout)?Error",
        "The container could not be started.",
        "The full text is below. If the image starts elsewhere, `groundwork service restart` tries it again.",
    ),
    Pattern(
        "release-alarm",
        r"deployment failed: alarm detected",
        "An alarm that guards releases went off while the new tasks answered.",
        "Its name ends in `-rollback`: too many answers were 5xx. `groundwork logs --errors` shows what was wrong.",
        BALANCER_RUNBOOK,
    ),
    Pattern(
        "aws",
        r"\bInternalError\b",
        "ECS itself failed.",
        "It tries again by itself; if it goes on, look at AWS's health page.",
    ),
    Pattern(
        "resources",
        r"ResourceInitializationError",
        "What the container needs could not be made ready.",
        "The full text is below.",
    ),
)

_CODES: Mapping[int, tuple[str, str, str]] = {
    126: ("command", "its command may not be executed", "Compare services.<name>.command with the image."),
    127: ("command", "its command is not in the image", "Compare services.<name>.command with the image."),
    137: (
        "killed",
        "it was killed (137): out of memory, or still there 30 seconds after it was asked to stop",
        "Look at its memory first (`groundwork service resize`), then at how it ends on SIGTERM.",
    ),
    139: (
        "crashed",
        "it crashed (139, segmentation fault)",
        "A native library of the image is the first to suspect.",
    ),
    143: ("stopped", "it ended on SIGTERM (143), which nobody meant as a failure", "Look at who stopped it."),
}
# These say that somebody wanted it so.
_WANTED = re.compile(
    r"Scaling activity initiated by|performing maintenance|stopped by user|Task stopped by", re.I
)


def of_text(text: str) -> Cause | None:
    """The first row of the table that knows it; None where none does."""
    return next((cause for pattern in TABLE if (cause := pattern.match(text))), None)


def is_wanted(task: Mapping[str, Any]) -> bool:
    """Whether it was stopped by somebody or for another one, and so needs no explanation."""
    return task.get("stopCode") == "UserInitiated" or bool(_WANTED.search(task.get("stoppedReason", "")))


def of_task(task: Mapping[str, Any]) -> Cause:
    """Of a task in the shape of DescribeTasks. Health checks come before exit codes: they are why it was killed."""
    for text in _texts(task):
        if cause := of_text(text):
            return cause
    for container in task.get("containers", []):
        if container.get("exitCode") is not None and _is_end(container["exitCode"], task):
            return _of_code(container["name"], container["exitCode"])
    reason = task.get("stoppedReason") or "ECS gives no reason"
    return Cause("unknown", f"{reason.rstrip('.')}.", "`groundwork service show` has the service's events.")


def _texts(task: Mapping[str, Any]) -> Iterator[str]:
    """A container's own reason says more than "Essential container in task exited"."""
    yield from (each["reason"] for each in task.get("containers", []) if each.get("reason"))
    if task.get("stoppedReason"):
        yield task["stoppedReason"]


def _is_end(code: int, task: Mapping[str, Any]) -> bool:
    """A sidecar that ended with 0 before the others is no cause, unless all did."""
    return code != 0 or all(each.get("exitCode") == 0 for each in task["containers"])


def _of_code(container: str, code: int) -> Cause:
    if code == 0:
        said = f"{container} ended by itself with 0, and a service has to run for ever."
        return Cause("ended", said, "Compare services.<name>.command with what the image does.")
    if code in _CODES:
        key, said, remedy = _CODES[code]
        return Cause(key, f"{container}: {said}.", remedy)
    return Cause("exit", f"{container} ended with {code}.", "Its last lines are below.")
