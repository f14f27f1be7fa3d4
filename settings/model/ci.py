"""The pipeline on GitHub: which jobs may deploy, preview and push images. They take roles by OIDC, and hold no keys."""

from typing import Annotated

from settings.model.buckets import BucketName
from settings.model.fields import Matching, Model, in_stack, in_system

Repository = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}$",
        "a repository on GitHub, owner/name, as GitHub spells it",
        "acme/platform",
    ),
]
# What is in them must be safe in a condition: GitHub writes other characters differently in its tokens.
Environment = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$",
        "the name of a GitHub environment, of letters, digits, dots, hyphens and underscores",
        "production",
    ),
]
Branch = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$",
        "the name of one branch, without refs/heads/ and without wildcards",
        "main",
    ),
]
KeyAlias = Annotated[
    str, Matching(r"^alias/[A-Za-z0-9/_-]{1,250}$", "the alias of a KMS key", "alias/pulumi-state")
]


class Images(Model):
    """The product's own pipeline, which pushes images into the stack's registries."""

    repository: Repository = in_system("The product's repository, owner/name")
    branch: Branch = in_system("Jobs on this branch push, and no others", default="main")


class State(Model):
    """Where Pulumi keeps the state (README, first deployment): no stack owns it."""

    bucket: BucketName = in_stack("The bucket that `pulumi login` names")
    key_alias: KeyAlias = in_stack(
        "Alias of the key that `--secrets-provider` names", default="alias/pulumi-state"
    )


class Ci(Model):
    """Roles for jobs of GitHub Actions. GitHub signs who a job is; no other repository's jobs can take them."""

    repository: Repository = in_system(
        "The repository of this program, owner/name: previews and deployments run there"
    )
    branch: Branch = in_system("What is merged into it is deployed; nightly checks run on it", default="main")
    images: Images | None = in_system("Who pushes images; none: somebody does it by hand", default=None)
    environment: Environment = in_stack(
        "The GitHub environment whose jobs deploy this stack; let it take jobs of `branch` only, and ask for a review"
    )
    create_provider: bool = in_stack(
        "Make the account's OIDC provider for GitHub, of which there can be one: false in an account's second stack",
        default=True,
    )
    state: State | None = in_stack(
        "Where the state is; none: it is not in S3, and the roles get no rights to it", default=None
    )
