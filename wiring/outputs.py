"""What a stack exports: everything that an operator's command needs, and nothing secret. See docs/outputs.md."""

from typing import Any

import pulumi

from components.cdn import AnswerHeaders
from components.ci_access import CiAccess
from settings import kubernetes, model
from settings.model import Settings
from settings.model.compute import Public
from settings.reach import OPERATIONS, reaches
from wiring.edge import Edge
from wiring.foundation import Foundation
from wiring.kubernetes import job_name
from wiring.metrics import Metrics
from wiring.recovery import DUMP, VACUUM, VERIFY, Recovery
from wiring.stores import Stores
from wiring.watching import Watching
from wiring.workloads import STATUS, Workloads

# CloudFront guide, "Supported protocols and ciphers": TLSv1.2_2021, which every distribution has.
CDN_TLS_VERSIONS = ["TLSv1.2", "TLSv1.3"]


def of(
    settings: Settings,
    base: Foundation,
    metrics: Metrics,
    data: Stores,
    front: Edge,
    work: Workloads,
    safety: Recovery,
    eyes: Watching,
    pipeline: CiAccess | None,
) -> dict[str, Any]:
    """By name; each is a string, or a map or list of strings. Secrets appear as ARNs only."""
    return {
        "system": settings.name,
        "environment": settings.environment,
        "region": settings.region,
        "urls": {label: f"https://{host}" for label, host in settings.hosts.items()},
        "healthUrls": {
            name: f"https://{settings.hosts[service.public.host]}{service.checked_path}"
            for name, service in settings.services.items()
            if service.public and name in work.services
        },
        "edge": {
            "services": {
                name: _asked(settings, data, name, service.public)
                for name, service in settings.services.items()
                if service.public and name in work.services
            },
            "headers": _headers(settings),
            "rateLimit": {
                "requests": settings.ingress.waf.rate_limit.requests,
                "burst": settings.ingress.waf.rate_limit.burst,
                "windowS": settings.ingress.waf.rate_limit.window_s,
            },
            "maxBodyBytes": settings.ingress.waf.max_body_bytes or 0,
            "tlsVersions": settings.ingress.tls_versions,
            "certificateDays": settings.observability.alerts.certificate_days,
            "cdn": {
                "host": settings.cdn_host or "",
                "headers": _cdn_headers(settings) if settings.cdn_host else {},
                "tlsVersions": CDN_TLS_VERSIONS if settings.cdn_host else [],
            },
        },
        "nameServers": front.zone.name_servers if front.zone is not None else [],
        "loadBalancer": {
            "dnsName": front.load_balancer.dns_name if front.load_balancer else "",
            "arn": front.load_balancer.arn if front.load_balancer else "",
        },
        "cdn": {
            "url": f"https://{settings.cdn_host}" if settings.cdn_host else "",
            "distributionId": front.content.cdn.distribution_id if front.content else "",
            "domainName": front.content.cdn.domain_name if front.content else "",
        },
        "cluster": work.cluster.name,
        "kubernetes": {
            "cluster": _kubernetes_cluster(settings, work),
            "namespace": kubernetes.namespace(settings) if settings.cluster else "",
            "kubeconfig": work.kubernetes.kubeconfig if work.kubernetes else "",
            "jobs": {
                name: job_name(settings, name)
                for name, task in settings.tasks.items()
                if settings.cluster and task.kubernetes and task.service in work.services
            },
        },
        "services": {
            name: {
                "name": service.name,
                "taskDefinition": work.definitions[name].arn if name in work.definitions else "",
                "logGroup": work.log_groups[name],
                "startText": settings.services[name].checks.start_text or "",
                "variables": _variables(settings.services[name]),
            }
            for name, service in work.services.items()
        },
        "tasks": {
            name: {
                "taskDefinition": task.arn,
                "logGroup": task.log_group_name,
                "schedule": _schedule(settings, name),
                "backupFirst": name in settings.tasks and settings.tasks[name].backup_first,
                "statusTask": f"{name}{STATUS}" if f"{name}{STATUS}" in work.tasks else "",
                "rolledBackCommand": list(settings.tasks[name].rolled_back_command or ())
                if name in settings.tasks
                else [],
            }
            for name, task in {**work.tasks, **safety.tasks}.items()
        },
        "network": {
            "vpc": base.network.vpc_id,
            "securityGroups": base.firewall.group_ids,
            "declared": [
                {"source": each.source, "target": each.target, "port": each.port, "protocol": each.protocol}
                for each in reaches(settings)
            ],
        },
        "runTask": {
            "subnets": base.network.private_subnet_ids,
            "securityGroup": base.firewall.group_ids[OPERATIONS],
        },
        "repositories": {name: registry.repository_url for name, registry in work.registries.items()},
        "database": _database(settings, data),
        "caches": {
            name: {
                "endpoint": cache.endpoint,
                "readerEndpoint": cache.reader_endpoint,
                "port": cache.port,
                "replicationGroupId": cache.replication_group_id,
                "tokenSecretArn": data.cache_tokens[name].arn,
            }
            for name, cache in data.caches.items()
        },
        "brokers": {
            name: {
                "id": broker.id,
                "host": broker.host,
                "port": broker.port,
                "console": broker.console_url,
                "loginSecretArn": data.broker_logins[name].arn,
                "logGroups": broker.log_groups,
            }
            for name, broker in data.brokers.items()
        },
        "buckets": {name: bucket.name for name, bucket in data.buckets.items()},
        "secrets": {name: secret.arn for name, secret in data.secrets.items()},
        "secretsToFill": [
            secret.arn for name, secret in data.secrets.items() if settings.secrets[name].external
        ],
        "servicesToPush": [name for name in settings.services if name not in work.services],
        "backups": {
            "vault": safety.backups.vault_name if safety.backups is not None else "",
            "bucket": safety.bucket.name if safety.bucket is not None else "",
            "dumpPrefix": settings.backups.dump.prefix if settings.backups.dump else "",
            "dumpFormat": settings.backups.dump.format if settings.backups.dump else "",
            "verifyQuery": settings.backups.verify_query or "",
        },
        "alarms": eyes.alarms.names,
        "topics": base.notifications.topic_arns[settings.region],
        "undelivered": {name: each.dead_letters_url for name, each in eyes.notifiers.items()},
        "vpn": base.admin_access.endpoint_id if base.admin_access is not None else "",
        "pipeline": {
            "previewRole": pipeline.preview_role_arn if pipeline is not None else "",
            "deployRole": pipeline.deploy_role_arn if pipeline is not None else "",
            "pushRole": pipeline.push_role_arn if pipeline is not None else "",
        },
        "dashboard": eyes.dashboard.url,
        "prometheus": metrics.prometheus.endpoint if metrics.prometheus is not None else "",
        "grafana": metrics.grafana.endpoint if metrics.grafana is not None else "",
        "grafanaDashboards": settings.observability.grafana.dashboards
        if settings.observability.grafana
        else (),
    }


def _asked(settings: Settings, data: Stores, name: str, public: Public) -> dict[str, Any]:
    """What somebody outside expects of a public service."""
    service = settings.services[name]
    auth = service.checks.auth
    key, login = (auth.key, auth.login) if auth else (None, None)
    return {
        "host": settings.hosts[public.host],
        "healthPath": service.checked_path,
        "privatePaths": list(public.private_paths),
        "answers": {path: dict(wanted) for path, wanted in service.checks.answers.items()},
        "corsOrigins": settings.origins_of(name),
        "corsCredentials": service.checks.cors_credentials,
        "auth": {
            "path": auth.path if auth else "",
            "keyHeader": key.header if key else "",
            "keySecretArn": data.secrets[key.secret].arn if key else "",
            "loginPath": login.path if login else "",
            "loginSecretArn": data.secrets[login.secret].arn if login else "",
            "token": login.token if login else "",
        },
    }


def _headers(settings: Settings) -> dict[str, str]:
    """Those that the load balancer puts on every answer, by name."""
    wanted = settings.ingress.response_headers
    named = {
        "Strict-Transport-Security": wanted.strict_transport_security,
        "X-Content-Type-Options": wanted.x_content_type_options,
        "X-Frame-Options": wanted.x_frame_options,
    }
    if wanted.content_security_policy:
        named["Content-Security-Policy"] = wanted.content_security_policy
    return named


def _cdn_headers(settings: Settings) -> dict[str, str]:
    """Those of the distribution's policy, which knows two more."""
    policy = AnswerHeaders()
    own = {"X-XSS-Protection": "1; mode=block", "Referrer-Policy": policy.referrer_policy}
    return dict(sorted((_headers(settings) | own).items()))


def _variables(service: model.Service) -> list[str]:
    """The names of all that it finds in its environment."""
    return sorted({*service.environment, *service.confidential})


def _schedule(settings: Settings, task: str) -> str:
    """When a task runs by itself; empty where somebody runs it."""
    backups, vacuum = settings.backups, settings.database.vacuum if settings.database else None
    own = {
        DUMP: (backups.dump.schedule or backups.schedule) if backups.dump else "",
        VERIFY: backups.verify.schedule if backups.verify else "",
        VACUUM: vacuum.schedule if vacuum else "",
    }
    return settings.tasks[task].schedule or "" if task in settings.tasks else own.get(task, "")


def _database(settings: Settings, data: Stores) -> dict[str, Any]:
    """Empty where the stack has no database of its own."""
    if settings.database is None or data.database is None:
        return {}
    return {
        "identifier": data.database.identifier,
        "address": data.database.address,
        "proxyAddress": data.proxy.address if data.proxy is not None else "",
        "port": data.database.port,
        "name": settings.database.name,
        "replicaAddresses": data.database.replica_addresses,
        "masterSecretArn": data.database.master_secret_arn,
        "roleSecretArns": {role: secret.arn for role, secret in data.role_secrets.items()},
        "declared": _declared(settings.database),
    }


def _declared(database: model.Database) -> dict[str, Any]:
    """What a live database is compared with. No password is among it: settings hold none."""
    return {
        "minimumVersion": database.minimum_version,
        "masterUser": database.username,
        "extensions": dict(database.extensions),
        "parameters": dict(database.parameters),
        "roles": {
            name: {
                "tables": {table: list(privileges) for table, privileges in role.tables.items()},
                "schemas": {schema: list(privileges) for schema, privileges in role.schemas.items()},
                "database": list(role.database),
                "settings": dict(role.settings),
            }
            for name, role in database.roles.items()
        },
        "rowPolicies": [
            {
                "name": policy.name,
                "table": table,
                "command": policy.command,
                "roles": list(policy.roles),
                "using": policy.using or "",
                "check": policy.check or "",
            }
            for table, policies in database.row_level_security.items()
            for policy in policies
        ],
        "indexes": [
            {"name": index.name, "table": index.table, "definition": index.definition}
            for index in database.indexes
        ],
    }


def _kubernetes_cluster(settings: Settings, work: Workloads) -> pulumi.Input[str]:
    """Empty where ECS runs the services."""
    if settings.cluster is None:
        return ""
    return work.kubernetes.name if work.kubernetes else settings.cluster.cluster_name or ""
