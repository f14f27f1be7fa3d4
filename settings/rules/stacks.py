"""The stack as a whole: account, protection, who is told."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import NOTHING, Problem


def stack_is_the_environments_own(settings: Settings) -> Iterator[Problem]:
    stack, environment = settings.stack, settings.environment
    if stack != environment and not stack.endswith(f"-{environment}"):
        yield Problem(
            path=("environment",),
            rule=f"must be the one that stack {stack} is for",
            got=environment,
            remedy="Two stacks of one environment would fight over the same names: correct the copied line.",
        )


def system_is_named_like_its_folder(settings: Settings) -> Iterator[Problem]:
    if settings.name != settings.system:
        yield Problem(
            path=("name",),
            rule=f"must be the name of the file's folder, {settings.system}",
            got=settings.name,
            remedy=f"Set it to {settings.system}.",
        )


def provider_works_with_the_account(settings: Settings) -> Iterator[Problem]:
    if settings.aws.is_emulated:
        return
    allowed = settings.aws.allowed_account_ids
    if settings.account not in allowed:
        got = ", ".join(allowed) if allowed else NOTHING
        yield Problem(
            path=("aws", "allowed_account_ids"),
            rule=f"must hold groundwork:account {settings.account}, so that no other account is ever changed",
            got=got,
            remedy=f'Set it to ["{settings.account}"].',
        )


def production_is_protected(settings: Settings) -> Iterator[Problem]:
    if settings.is_production and not settings.protect:
        yield Problem(
            path=("protect",),
            rule="must be true where environment is prod",
            got=settings.protect,
            remedy="Set it to true; to remove production on purpose, follow README.",
        )


def production_tells_somebody(settings: Settings) -> Iterator[Problem]:
    if not settings.is_production:
        return
    receivers = {"critical": settings.notifications.critical, "warning": settings.notifications.warning}
    for severity, emails in receivers.items():
        if not emails:
            yield Problem(
                path=("notifications", severity),
                rule="must name at least one e-mail address in production",
                remedy="Add who is told; an alarm that nobody hears is none.",
            )


def tags_are_not_awss(settings: Settings) -> Iterator[Problem]:
    for key in settings.tags:
        if key.lower().startswith("aws:"):
            yield Problem(
                path=("tags", key),
                rule="must not begin with aws:, which AWS keeps for itself",
                remedy="Rename the tag.",
            )


RULES = (
    stack_is_the_environments_own,
    system_is_named_like_its_folder,
    provider_works_with_the_account,
    production_is_protected,
    production_tells_somebody,
    tags_are_not_awss,
)
