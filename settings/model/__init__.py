"""The typed model of a system in one environment: everything that the program may know about it."""

import re
from collections.abc import Mapping
from typing import Literal

from settings.model.admin_access import AdminAccess
from settings.model.brokers import Broker
from settings.model.buckets import Bucket
from settings.model.cdn import Cdn
from settings.model.ci import Ci
from settings.model.compute import Names, Operations, Service, Task
from settings.model.data import Cache, Database, Queue, Secret
from settings.model.edge import Domain, Ingress, Network
from settings.model.fields import AccountId, Items, Model, Name, Region, Tags, Text, in_stack, in_system
from settings.model.kubernetes import Kubernetes
from settings.model.notifications import Notifications
from settings.model.recovery import Backups
from settings.model.watching import Observability

# Variables by which services are told which pages of other origins may call them, by custom of their frameworks.
ORIGINS_VARIABLE = re.compile(r"CORS_\w*ORIGINS?|ALLOWED_ORIGINS?")
METRICS_PORT = "metrics"  # the port by this name is scraped, and is nothing that services call
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
    profile: Name | None = in_stack(
        "One of the system file's `profiles`: a scale tier or another shape of the product; none: as it stands",
        default=None,
    )
    name: Name = in_system("The system's name; names of what is made begin with it")
    description: Text = in_system("What the product does, in one line")
    environment: Name = in_stack("prod, staging, ... Names of what is made carry it; prod must be protected")
    account: AccountId = in_stack("The AWS account, 12 digits in quotes; one of aws:allowedAccountIds")
    protect: bool = in_stack("Data cannot be deleted or replaced until this is lifted")
    domain: Domain = in_stack("The stack's domain")
    tags: Tags = in_stack("Tags for everything that can carry them")
    network: Network = in_stack("The VPC")
    database: Database | None = in_system(
        "PostgreSQL; none: the product has none, or one that is run elsewhere", default=None
    )
    caches: Mapping[Name, Cache] = in_system("Caches by name", default={})
    queues: Mapping[Name, Queue] = in_system("Queues by name", default={})
    brokers: Mapping[Name, Broker] = in_system("Message brokers (RabbitMQ) by name", default={})
    buckets: Mapping[Name, Bucket] = in_system("Buckets of the product itself, by name", default={})
    secrets: Mapping[Name, Secret] = in_system("Secrets by name", default={})
    services: Mapping[Name, Service] = in_system("Services by name")
    tasks: Mapping[Name, Task] = in_system("One-off tasks by name", default={})
    compute: Literal["ecs", "kubernetes"] = in_stack("What runs the services", default="ecs")
    kubernetes: Kubernetes = in_stack("The cluster, where `compute` is kubernetes", default=Kubernetes())
    names: Names = in_stack(
        "Names that scripts of the product use already; left out: Groundwork's own", default=Names()
    )
    operations: Operations = in_stack("Images of the platform's own tasks", default=Operations())
    ingress: Ingress = in_system("Load balancer and firewall")
    cdn: Cdn | None = in_system("Content delivery before a bucket; none: there is none", default=None)
    observability: Observability = in_system("Logs, metrics, alerts")
    notifications: Notifications = in_stack("Who is told")
    admin_access: AdminAccess = in_stack(
        "How administrators get in; left out: Session Manager and ECS Exec only", default=AdminAccess()
    )
    backups: Backups = in_system("Backups")
    ci: Ci | None = in_system(
        "The pipeline on GitHub; none: people deploy, with their own rights", default=None
    )
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
    def cluster(self) -> Kubernetes | None:
        """The cluster of Kubernetes that runs the services; None where ECS does."""
        return self.kubernetes if self.compute == "kubernetes" else None

    @property
    def routes_by_ingress(self) -> bool:
        """Whether the load balancer is made of Ingress objects, by a program in the cluster."""
        return self.cluster is not None and self.cluster.routing == "ingress"

    @property
    def name_prefix(self) -> str:
        """What names of what is made begin with: rentalfix-prod."""
        return f"{self.name}-{self.environment}"

    @property
    def hosts(self) -> dict[str, str]:
        """Every public host by its label: api -> api.example.com. Redirects only where Grafana is made."""
        labels = [service.public.host for service in self.services.values() if service.public]
        grafana = self.observability.grafana
        if grafana and grafana.enabled and grafana.redirects:
            labels += [label for label in (grafana.redirects.grafana, grafana.redirects.prometheus) if label]
        return {label: f"{label}.{self.domain.name}" for label in labels}

    @property
    def cdn_host(self) -> str | None:
        """The CDN's name, cdn.example.com, where the stack has one."""
        return f"{self.cdn.host}.{self.domain.name}" if self.cdn and self.cdn.enabled else None

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

    @property
    def scraped(self) -> dict[str, int]:
        """The services whose metrics go to Prometheus, with the port; none without Prometheus."""
        if self.observability.prometheus is None:
            return {}
        return {
            name: service.ports[METRICS_PORT]
            for name, service in self.services.items()
            if METRICS_PORT in service.ports
        }

    def origins_of(self, service: str) -> list[str]:
        """The origins that the service is told of by its variables, as references or as they stand."""
        found: list[str] = []
        for variable, value in self.services[service].environment.items():
            if "${cors.allow_origins}" in value and self.ingress.cors:
                found += self.ingress.cors.allow_origins
            elif ORIGINS_VARIABLE.fullmatch(variable) and "${" not in value:
                found += [origin.strip() for origin in value.split(",")]
        return list(dict.fromkeys(found))

    def repository_of(self, service: str) -> str:
        """The service whose registry holds this one's image: itself, or the one that it says."""
        return self.services[service].image_of or service

    def has_log_router(self, service: str) -> bool:
        """Whether a copy of the service's logs goes elsewhere. Loki's own would go round in a circle."""
        router = self.observability.log_router
        if router is None or service in router.except_services:
            return False
        return router.loki is None or router.loki.service != service

    def loki_behind(self, service: str) -> str | None:
        """The service of this system to which the service's logs are copied."""
        router = self.observability.log_router
        return router.loki.service if router and router.loki and self.has_log_router(service) else None

    def port_of(self, service: str) -> tuple[str, int] | None:
        """Name and number of the port on which other services call this one; None when nobody can."""
        ports = self.services[service].ports
        callable_ports = [(name, port) for name, port in ports.items() if name != METRICS_PORT]
        return next((each for each in callable_ports if each[0] == "http"), next(iter(callable_ports), None))
