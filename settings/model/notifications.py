"""Who is told when something breaks: people by e-mail, and chat and paging services through a webhook."""

from typing import Annotated, Literal

from settings.model.fields import Email, Items, Matching, Model, Name, Text, in_stack, in_system

Severity = Literal["critical", "warning"]
TopicName = Annotated[
    str,
    Matching(r"^[A-Za-z0-9_-]{1,256}$", "up to 256 letters, digits, hyphens and underscores", "prod-alerts"),
]


class Slack(Model):
    """Posts to one channel of Slack, through an incoming webhook."""

    severities: Items[Severity] = in_stack("Which topics are posted", min_length=1)
    webhook_secret: Name = in_stack(
        "A secret of `secrets:`, external; its value is the webhook's URL, which opens the channel to whoever has it"
    )


class PagerDuty(Model):
    """Opens an incident at PagerDuty (Events API v2), and closes it when the alarm is over."""

    severities: Items[Severity] = in_stack("Which topics open an incident", min_length=1)
    integration_url_secret: Name = in_stack(
        "A secret of `secrets:`, external; its value is the integration's key, or its URL with the key in it"
    )


class Response(Model):
    """What the product's documents call a severity, and how soon somebody answers."""

    priority: Text = in_system("What the product calls it, such as P1 (FixRx guide L583-587)")
    within: Text = in_system("How soon somebody answers, such as 15 minutes (FixRx guide L589-593)")


class Responses(Model):
    """By severity; it stands in each alarm's description and in what chat and paging services show."""

    critical: Response | None = in_system("What a critical alarm is to the product", default=None)
    warning: Response | None = in_system("What a warning is to the product", default=None)

    @property
    def by_severity(self) -> dict[Severity, str]:
        """Those that are given, in the words that alarms and messages use."""
        given: dict[Severity, Response | None] = {"critical": self.critical, "warning": self.warning}
        return {
            severity: f"{response.priority}: answered within {response.within}"
            for severity, response in given.items()
            if response is not None
        }


class TopicNames(Model):
    """Fixed names of the topics of the stack's own region, where scripts use them already."""

    critical: TopicName | None = in_stack("The topic of critical alarms", default=None)
    warning: TopicName | None = in_stack("The topic of warnings", default=None)

    @property
    def by_severity(self) -> dict[Severity, str]:
        """Those that are given."""
        named: dict[Severity, str | None] = {"critical": self.critical, "warning": self.warning}
        return {severity: name for severity, name in named.items() if name is not None}


class Notifications(Model):
    """Who is told, by severity. Each address confirms its subscription by e-mail."""

    critical: Items[Email] = in_stack("Wakes somebody up")
    warning: Items[Email] = in_stack("Is read in working hours")
    slack: Slack | None = in_stack("Posts to Slack too; none: it does not", default=None)
    pagerduty: PagerDuty | None = in_stack(
        "Opens incidents at PagerDuty too; none: it does not", default=None
    )
    topic_names: TopicNames = in_stack(
        "Names of the topics that scripts use already; left out: Groundwork's own", default=TopicNames()
    )
    responses: Responses = in_system(
        "What the product calls the severities; left out: critical and warning", default=Responses()
    )
