"""The typed model of a system in one environment: everything that the program may know about it."""

from collections.abc import Mapping

from settings.model.compute import Operations, Service, Task
from settings.model.data import Cache, Database, Queue, Secret
from settings.model.edge import Domain, Ingress, Network
from settings.model.fields import AccountId, Items, Model, Name, Region, Tags, Text, in_stack, in_system
from settings.model.recovery import Backups
from settings.model.watching import Notifications, Observability

# Fields of Settings that nobody writes: they come from the engine, from the provider's keys, and from the rules.
INJECTED = ("stack", "aws", "warnings")


class Aws(Model):
    """What the AWS provider was told, by its own keys (aws:region, aws:allowedAccountIds, aws:endpoints)."""

    region: Region = in_stack("The stack's region")
    allowed_account_ids: Items[AccountId] = in_stack(
        "The only accounts that the provider works with", default=()
    )
    is_emulated: bool = in_stack("Endpoints are set: an emulator answers, not AWS")


class Settings(Model):
    """One system in one environment, checked as a whole."""

    stack: Text = in_stack("Name of the Pulumi stack")
    aws: Aws = in_stack("The provider's own keys")
    system: Name = in_stack("The folder in systems/ that says what the product is")
    name: Name = in_system("The system's name; names of what is made begin with it")
    description: Text = in_system("What the product does, in one line")
    environment: Name = in_stack("prod, staging, ... Names of what is made carry it; prod must be protected")
    account: AccountId = in_stack("The AWS account, 12 digits in quotes; one of aws:allowedAccountIds")
    protect: bool = in_stack("Data cannot be deleted or replaced until this is lifted")
    domain: Domain = in_stack("The stack's domain")
    tags: Tags = in_stack("Tags for everything that can carry them")
    network: Network = in_stack("The VPC")
    database: Database = in_system("PostgreSQL")
    caches: Mapping[Name, Cache] = in_system("Caches by name")
    queues: Mapping[Name, Queue] = in_system("Queues by name", default={})
    secrets: Mapping[Name, Secret] = in_system("Secrets by name", default={})
    services: Mapping[Name, Service] = in_system("Services by name")
    tasks: Mapping[Name, Task] = in_system("One-off tasks by name", default={})
    operations: Operations = in_stack("Images of the platform's own tasks")
    ingress: Ingress = in_system("Load balancer and firewall")
    observability: Observability = in_system("Logs, metrics, alerts")
    notifications: Notifications = in_stack("Who is told")
    backups: Backups = in_system("Backups")
    warnings: Items[str] = in_stack(
        "What is allowed but doubtful; whole sentences, filled in by the loader", default=()
    )

    @property
    def region(self) -> str:
        return self.aws.region

    @property
    def is_production(self) -> bool:
        return self.environment == "prod"

    @property
    def name_prefix(self) -> str:
        """What names of what is made begin with: rentalfix-prod."""
        return f"{self.name}-{self.environment}"

    @property
    def hosts(self) -> dict[str, str]:
        """Every public host by its label: api -> api.example.com. Redirects only where Grafana is made."""
        labels = [service.public.host for service in self.services.values() if service.public]
        grafana = self.observability.grafana
        if grafana.enabled and grafana.redirects:
            labels += [grafana.redirects.grafana, grafana.redirects.prometheus]
        return {label: f"{label}.{self.domain.name}" for label in labels}

    @property
    def enabled_caches(self) -> dict[str, Cache]:
        """The caches that this stack makes, by name."""
        return {name: cache for name, cache in self.caches.items() if cache.enabled}

    def cache_behind(self, name: str) -> str:
        """The name of the cache that is made for this one: itself, or its fallback where it is not enabled."""
        cache = self.caches[name]
        return name if cache.enabled or cache.fallback is None else cache.fallback

    @property
    def connections_at_most(self) -> dict[str, int]:
        """Connections to the database that each service opens when all its tasks are there, by service."""
        return {
            name: service.max_count * service.database.pool_max
            for name, service in self.services.items()
            if service.database
        }
