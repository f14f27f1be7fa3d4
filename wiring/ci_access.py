"""What a pipeline may do, from what the program declares: seen as it is declared, and turned into rights at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components._deploy_policy import AUTO_NAME, Declared, Reach, State
from components.ci_access import CiAccess, CiAccessArgs, ImagePush
from components.role_boundaries import RoleBoundaries, RoleBoundariesArgs
from settings.model import Settings
from settings.model.ci import Ci
from wiring.foundation import Foundation, own_tags, tags_of

ROLE = "aws:iam/role:Role"
BUCKET = "aws:s3/bucket:Bucket"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


@dataclass
class Seen:
    """What has been declared so far. `unprotected` are types of which at least one may be destroyed.

    `is_complete` once the rights are made of it: nothing but the roles themselves may come after that.
    """

    types: set[str] = field(default_factory=set)
    unprotected: set[str] = field(default_factory=set)
    bucket_names: list[str] = field(default_factory=list)
    dashboard_names: list[str] = field(default_factory=list)
    attached_policies: set[str] = field(default_factory=set)
    is_complete: bool = False


def watch(settings: Settings) -> Seen:
    """Sees whatever is declared from here on, and gives every role the stack's path and, with a pipeline, a boundary.

    Without a pipeline the roles have the path too: it is part of what a role is, and a stack that gets a pipeline
    later would have to replace them all.
    """
    seen = Seen()
    boundaries = (
        RoleBoundaries("role-boundaries", _boundaries(settings, settings.ci)) if settings.ci else None
    )

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        _look(seen, args)
        if args.type_ != ROLE or args.props.get("path") is not None:
            return None
        props = {**args.props, "path": role_path(settings)}
        if boundaries is not None:
            props["permissions_boundary"] = boundaries.for_role(args.props["assume_role_policy"])
        return pulumi.ResourceTransformationResult(props, args.opts)

    pulumi.runtime.register_stack_transformation(transform)
    return seen


def build(settings: Settings, base: Foundation, seen: Seen) -> CiAccess | None:
    """The last of all: what were declared after it, no pipeline could make."""
    ci = settings.ci
    if ci is None:
        return None
    seen.is_complete = True
    return CiAccess(
        "ci",
        CiAccessArgs(
            name_prefix=settings.name_prefix,
            path=_own_path(settings),
            repository=ci.repository,
            environment=ci.environment,
            branch=ci.branch,
            create_provider=ci.create_provider,
            declared=Declared(
                types=frozenset(seen.types),
                protected=seen.types - seen.unprotected,
                bucket_names=seen.bucket_names,
                dashboard_names=seen.dashboard_names,
                zone_id=settings.domain.hosted_zone_id,
                attached_policies=sorted(seen.attached_policies),
            ),
            reach=Reach(
                account_id=settings.account,
                regions=_regions(settings),
                tags=own_tags(settings),
                role_path=role_path(settings),
                alias_prefix=settings.name_prefix,
                boundary_arns=_boundaries(settings, ci).arns,
            ),
            images=_images(settings, base, ci),
            state=_state(settings, ci),
            tags=base.tags,
        ),
    )


def role_path(settings: Settings) -> str:
    return f"/{settings.name}/{settings.environment}/"


def _own_path(settings: Settings) -> str:
    """Where no stack's own roles can be, as no system's name begins so: a pipeline may not change what is here."""
    return f"/_ci/{settings.name}/{settings.environment}/"


def _look(seen: Seen, args: pulumi.ResourceTransformationArgs) -> None:
    if seen.is_complete:
        if not isinstance(args.opts.parent, CiAccess) and not isinstance(args.resource, CiAccess):
            raise TypeError(
                f"{args.type_} {args.name} is declared after the pipeline's rights; declare it before them"
            )
        return
    seen.types.add(args.type_)
    if not args.opts.protect:
        seen.unprotected.add(args.type_)
    if args.type_ == BUCKET:
        seen.bucket_names.append(_plain(args.props, "bucket") or f"{args.name}{AUTO_NAME}")
    if args.type_ == DASHBOARD and (name := _plain(args.props, "dashboard_name")):
        seen.dashboard_names.append(name)
    if args.type_ == ATTACHMENT and (arn := _plain(args.props, "policy_arn")):
        seen.attached_policies.add(arn)


def _plain(props: Mapping[str, Any], key: str) -> str | None:
    """The text of an input. Of an Output no preview could show what rights follow from it."""
    value = props.get(key)
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{key} must be plain text, so that a pipeline's rights can name it, got an Output")


def _regions(settings: Settings) -> list[str]:
    copies = settings.backups.copy_region
    return list(dict.fromkeys([settings.region, *([copies] if copies else [])]))


def _boundaries(settings: Settings, ci: Ci) -> RoleBoundariesArgs:
    fixed = [secret.name for secret in settings.secrets.values() if secret.name]
    return RoleBoundariesArgs(
        account_id=settings.account,
        regions=_regions(settings),
        name_prefix=settings.name_prefix,
        policy_path=_own_path(settings),
        role_path=role_path(settings),
        # Secrets Manager ends every name's ARN with a hyphen and six characters of its own.
        secret_names=[f"{settings.name}/{settings.environment}/*", *(f"{name}-??????" for name in fixed)],
        ours=own_tags(settings),
        with_backups=settings.database is not None,
        with_pods=settings.cluster is not None,
        with_cluster=settings.cluster is not None and settings.cluster.create_cluster,
        state_bucket=ci.state.bucket if ci.state else None,
        tags=tags_of(settings),
    )


def _images(settings: Settings, base: Foundation, ci: Ci) -> ImagePush | None:
    if ci.images is None:
        return None
    made = [service for name, service in settings.services.items() if settings.repository_of(name) == name]
    names = dict.fromkeys(service.names.repository or f"{base.path}/*" for service in made)
    return ImagePush(
        repository=ci.images.repository,
        branch=ci.images.branch,
        repository_arns=[
            f"arn:aws:ecr:{settings.region}:{settings.account}:repository/{name}" for name in names
        ],
    )


def _state(settings: Settings, ci: Ci) -> State | None:
    if ci.state is None:
        return None
    return State(
        bucket=ci.state.bucket,
        key_alias=ci.state.key_alias,
        project=pulumi.get_project(),
        stack=settings.stack,
    )
