"""What a pipeline on GitHub may do in the account: roles that its jobs take by OIDC, so that there are no keys.

Three roles, none of which another repository can take: `preview` reads what resources are like, for pull requests and
nightly checks; `deploy` makes and changes what the stack declares, for jobs of one GitHub environment; `push` puts
images into the stack's registries, for one branch of the product's repository. GitHub's signature says who asks (`sub`)
and for whom it was made (`aud`).

Which actions they have follows from the types that the stack declares (_deploy_actions). Left out on purpose: no role
may change these roles, their policies or the boundaries, so a pipeline never widens its own rights. When a stack
declares a new type, a person with administrator's rights updates it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pulumi
import pulumi_aws as aws

from components import _deploy_policy, _iam
from components._deploy_policy import ROLE_POLICIES, Declared, Reach, State

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
SESSION_S = 3600
# Types that this component declares itself; nobody but it can know them before it is declared.
OWN_TYPES = (
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "aws:iam/policy:Policy",
    "aws:iam/role:Role",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
)
# In a `sub`, these would match more than one repository, environment or branch.
_WILDCARDS = "*?"


@dataclass(frozen=True, kw_only=True)
class ImagePush:
    """Who pushes images: jobs on `branch` of `repository` ("owner/name"). `repository_arns` may be patterns."""

    repository: str
    branch: str
    repository_arns: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class CiAccessArgs:
    """`repository` ("owner/name") holds the program, `environment` is the GitHub environment whose jobs deploy.

    `branch` is the one that nightly jobs run on. `path` ("/_ci/rentalfix/prod/") is that of roles and policies, and
    must not begin with the path of the stack's own roles. An account has one provider of an issuer: only one stack may
    `create_provider`. `declared` is what the stack declares, without this component.
    Raises ValueError on a type without an entry in `_deploy_actions`, and on names that hold a wildcard.
    """

    name_prefix: str
    path: str
    repository: str
    environment: str
    branch: str
    create_provider: bool
    declared: Declared
    reach: Reach
    images: ImagePush | None = None
    state: State | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [
            f"no IAM actions are known for {type_}; add an entry for it to components/_deploy_actions.py"
            for type_ in _deploy_policy.unknown(self.declared.types)
        ]
        named = {"repository": self.repository, "environment": self.environment, "branch": self.branch}
        if self.images:
            named |= {"images.repository": self.images.repository, "images.branch": self.images.branch}
        for key, value in named.items():
            if not value or any(character in value for character in _WILDCARDS):
                problems.append(f"{key} must name exactly one, without * or ?, got {value!r}")
        if self.path.startswith(self.reach.role_path):
            problems.append(
                f"path {self.path} is under {self.reach.role_path}: the pipeline could change its own roles"
            )
        if problems:
            raise ValueError("ci access: " + "; ".join(problems))


class CiAccess(pulumi.ComponentResource):
    """ARNs of the roles; `push_role_arn` is empty where nobody pushes."""

    preview_role_arn: pulumi.Output[str]
    deploy_role_arn: pulumi.Output[str]
    push_role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: CiAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:security:CiAccess", name, None, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._issuer_arn = self._issuer()
        declared = replace(args.declared, types={*args.declared.types, *OWN_TYPES})
        account_id, state = args.reach.account_id, args.state

        state_reading = _deploy_policy.state_reading(state, account_id) if state else []
        state_writing = _deploy_policy.state_writing(state) if state else []
        reading = self._policies("read", _deploy_policy.reading(declared, args.reach))
        writing = self._policies(
            "deploy", [*_deploy_policy.writing(declared, args.reach), *state_reading, *state_writing]
        )

        preview = self._role(
            "preview",
            "Previews and nightly checks: reads what resources are like",
            [
                f"repo:{args.repository}:pull_request",
                f"repo:{args.repository}:ref:refs/heads/{args.branch}",
            ],
        )
        self._attach("preview", preview, reading)
        self._inline(
            "preview", preview, [*state_reading, *_deploy_policy.data_refused(declared, args.reach, state)]
        )

        deploy = self._role(
            "deploy",
            f"Deployments from {args.environment}: makes and changes what the stack declares",
            [f"repo:{args.repository}:environment:{args.environment}"],
        )
        self._attach("deploy", deploy, [*reading, *writing])

        self.preview_role_arn = preview.arn
        self.deploy_role_arn = deploy.arn
        self.push_role_arn = self._push_role(args.images) if args.images else pulumi.Output.from_input("")
        self.register_outputs(
            {
                "preview_role_arn": self.preview_role_arn,
                "deploy_role_arn": self.deploy_role_arn,
                "push_role_arn": self.push_role_arn,
            }
        )

    def _issuer(self) -> pulumi.Input[str]:
        if not self._args.create_provider:
            return f"arn:aws:iam::{self._args.reach.account_id}:oidc-provider/{ISSUER}"
        provider = aws.iam.OpenIdConnectProvider(
            f"{self._name}-github",
            url=f"https://{ISSUER}",
            client_id_lists=[AUDIENCE],
            tags={**self._args.tags, "Name": ISSUER},
            opts=self._child,
        )
        return provider.arn

    def _push_role(self, images: ImagePush) -> pulumi.Output[str]:
        role = self._role(
            "push",
            f"Images from {images.repository}",
            [f"repo:{images.repository}:ref:refs/heads/{images.branch}"],
        )
        self._inline("push", role, _deploy_policy.pushing(images.repository_arns))
        return role.arn

    def _role(self, part: str, description: str, subjects: Sequence[str]) -> aws.iam.Role:
        role_name = f"{self._args.name_prefix}-{part}"
        trust = _iam.statement(
            "sts:AssumeRoleWithWebIdentity",
            principals={"Federated": self._issuer_arn},
            conditions={"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subjects}},
        )
        return aws.iam.Role(
            f"{self._name}-{part}",
            name=role_name,
            path=self._args.path,
            description=description,
            assume_role_policy=_iam.document(trust),
            max_session_duration=SESSION_S,
            tags={**self._args.tags, "Name": role_name},
            opts=self._child,
        )

    def _policies(self, part: str, statements: Sequence[_iam.Statement]) -> list[aws.iam.Policy]:
        made = []
        for number, text in enumerate(_deploy_policy.documents(statements), start=1):
            policy_name = f"{self._args.name_prefix}-{part}-{number}"
            made.append(
                aws.iam.Policy(
                    f"{self._name}-{part}-{number}",
                    name=policy_name,
                    path=self._args.path,
                    policy=text,
                    tags={**self._args.tags, "Name": policy_name},
                    opts=self._child,
                )
            )
        return made

    def _attach(self, part: str, role: aws.iam.Role, policies: Sequence[aws.iam.Policy]) -> None:
        if len(policies) > ROLE_POLICIES:
            raise ValueError(
                f"ci access: the rights of {part} take {len(policies)} policies, and a role may have {ROLE_POLICIES}; "
                "shorten components/_deploy_actions.py"
            )
        for policy in policies:
            aws.iam.RolePolicyAttachment(
                f"{policy._name}-for-{part}", role=role.name, policy_arn=policy.arn, opts=self._child
            )

    def _inline(self, part: str, role: aws.iam.Role, statements: Sequence[_iam.Statement]) -> None:
        aws.iam.RolePolicy(
            f"{self._name}-{part}", role=role.name, policy=_iam.document(*statements), opts=self._child
        )
