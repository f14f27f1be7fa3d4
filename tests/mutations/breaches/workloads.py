"""Tasks, functions and pods: their roles, logs and secrets, and what stands around pods."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.mutations.breaking import Breach, altering, edited, every, gone, itself, setting
from tests.mutations.carrying import Unfit
from tests.mutations.judging import Bench, Changes, Resource
from tests.policy_builders import DEPLOYMENT, FUNCTION, PODS, TASK

BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
GROUP_POLICY = "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"

budgets = every(BUDGET)
network_policies = every(NETWORK_POLICY, GROUP_POLICY)
in_another_namespace = altering("metadata", lambda said: {**said, "namespace": "another"})


def with_one_role(bench: Bench, task: Resource) -> Changes:
    """What runs in the task has the role of what starts it."""
    role = {"taskRoleArn": task.inputs["executionRoleArn"]}
    refers = {**task.refers, "taskRoleArn": task.refers["executionRoleArn"]}
    return {task.urn: replace(task, inputs={**task.inputs, **role}, refers=refers)}


def with_secret_of_another_stack(text: str) -> str:
    containers = json.loads(text)
    reading = next((each for each in containers if each.get("secrets")), None)
    if reading is None:
        raise Unfit("it reads no secret")
    reading["secrets"][0]["valueFrom"] = "arn:aws:secretsmanager:us-east-1:111122223333:secret:elsewhere"
    return json.dumps(containers)


def with_secret_of_another_release(spec: dict[str, Any]) -> dict[str, Any]:
    changed = json.loads(json.dumps(spec))
    for container in changed["template"]["spec"]["containers"]:
        for variable in container.get("env", []):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                variable["valueFrom"]["secretKeyRef"]["name"] = "elsewhere"
                return changed
    raise Unfit("it reads no secret")


def of_several_pods(bench: Bench, deployment: Resource) -> Sequence[Resource]:
    if deployment.inputs["spec"].get("replicas", 1) < 2:
        raise Unfit("it has one pod")
    return budgets(bench, deployment)


BREACHES: Mapping[str, Sequence[Breach]] = {
    "task-role-of-its-own": [Breach("it has one role for both", with_one_role)],
    "secrets-declared": [
        Breach(
            "it reads a secret of another stack",
            edited(itself, altering("containerDefinitions", with_secret_of_another_stack)),
            [TASK],
        ),
        Breach(
            "it reads a secret of another release",
            edited(itself, altering("spec", with_secret_of_another_release)),
            [kind for kind in PODS if "cronjob" not in kind.lower()],
        ),
    ],
    "lambda-log-declared": [
        Breach("it writes where Lambda likes", edited(itself, setting(loggingConfig=None)), [FUNCTION])
    ],
    "lambda-failures-kept": [
        Breach("nothing is kept", edited(itself, setting(deadLetterConfig=None)), [FUNCTION])
    ],
    "k8s-network-policy": [
        Breach("no policy is left", gone(network_policies)),
        Breach("the policies are another namespace's", edited(network_policies, in_another_namespace)),
    ],
    "k8s-disruption-budget": [
        Breach("no budget is left", gone(of_several_pods), [DEPLOYMENT]),
        Breach("the budgets are another namespace's", edited(of_several_pods, in_another_namespace)),
    ],
}
