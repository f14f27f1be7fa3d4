"""The settings of the Kubernetes target: what follows when nothing is said, and every refusal."""

import pytest

from settings.kubernetes import (
    default_limits,
    default_requests,
    deployment_name,
    hpa_name,
    namespace,
    own_secret,
    secret_sources,
)
from tests.settings_examples import ABSENT, refusal, settle

NODES = {"instance_types": ["m7i.large"], "min_count": 3, "max_count": 6}
ADMINS = ["arn:aws:iam::111122223333:role/admin"]
CLUSTER = {"nodes": NODES, "admin_role_arns": ADMINS}
ON = {"compute": "kubernetes", "kubernetes": CLUSTER}
EXISTING = {
    "create_cluster": False,
    "cluster_name": "shared",
    "node_security_group_id": "sg-0123456789abcdef0",
}
STACK, SYSTEM = "Pulumi.prod.yaml: groundwork:", "systems/rentalfix/system.yaml: "
SERVICE = "services/core-matching"


def on(**changes):
    return {"compute": "kubernetes", "kubernetes": {**CLUSTER, **changes}}


def test_ecs_is_what_runs_where_nothing_is_said():
    settings = settle()
    assert settings.compute == "ecs"
    assert settings.cluster is None


def test_a_service_needs_to_say_nothing():
    settings = settle(ON)
    service = settings.services["core-matching"]
    assert settings.cluster is settings.kubernetes
    assert namespace(settings) == "rentalfix"
    assert deployment_name(settings, "core-matching") == "core-matching"
    assert hpa_name(settings, "core-matching") == "core-matching-hpa"
    assert default_limits(service).model_dump() == {"cpu": "1000m", "memory": "2048Mi"}
    assert default_requests(service).model_dump() == {"cpu": "1000m", "memory": "2048Mi"}
    sources = {source.variable: source for source in secret_sources(settings)}
    assert sources["API_KEY"].secret == own_secret(settings, "core-matching") == "core-matching-secrets"
    assert sources["API_KEY"].key == "api-key"
    assert "DB_HOST" not in sources


def test_a_reservation_is_what_a_pod_is_sure_of():
    settings = settle({**ON, f"{SERVICE}/memory_reservation_mib": 1024})
    assert default_requests(settings.services["core-matching"]).memory == "1024Mi"


def test_a_secret_may_have_another_name_and_hold_what_is_none():
    named = {"db-credentials": {"host": "${database.address}", "password": "${secrets.api-key}"}}
    settings = settle(ON, {"kubernetes": {"secrets": named}})
    sources = {
        source.variable: source for source in secret_sources(settings) if source.service == "core-matching"
    }
    assert (sources["DB_HOST"].secret, sources["DB_HOST"].key) == ("db-credentials", "host")
    assert not sources["DB_HOST"].is_confidential
    assert (sources["API_KEY"].secret, sources["API_KEY"].key) == ("db-credentials", "password")
    assert sources["DB_PASSWORD"].secret == "core-matching-secrets"


def test_a_cluster_that_exists_is_named():
    assert settle({"compute": "kubernetes", "kubernetes": EXISTING}).kubernetes.cluster_name == "shared"


def test_names_of_secrets_may_stand_in_the_system_file_of_a_stack_on_ecs():
    named = {"app-secrets": {"api-key": "${secrets.api-key}"}}
    assert settle(system={"kubernetes": {"secrets": named}}).cluster is None


@pytest.mark.parametrize(
    ("stack", "system", "said"),
    [
        (
            {"kubernetes": {"nodes": NODES}},
            {},
            f"{STACK}kubernetes.nodes: has no place where compute is ecs. Remove it, or change compute.",
        ),
        (
            {"compute": "kubernetes", "kubernetes": {"nodes": NODES}},
            {},
            f"{STACK}kubernetes.admin_role_arns: is missing, and the stack makes the cluster. "
            "Add it, or change create_cluster.",
        ),
        (
            {"compute": "kubernetes", "kubernetes": {**EXISTING, "cluster_name": None}},
            {},
            f"{STACK}kubernetes.cluster_name: is missing, and the cluster exists already. "
            "Add it, or change create_cluster.",
        ),
        (
            on(cluster_name="shared"),
            {},
            f"{STACK}kubernetes.cluster_name: has no place where the stack makes the cluster. "
            "Remove it, or change create_cluster.",
        ),
        (
            on(nodes={**NODES, "instance_types": ["t3.large"]}),
            {},
            f"{STACK}kubernetes.nodes.instance_types[0]: must be a type on which a pod can have security groups "
            "of its own, and no t family has them, got t3.large. Use m7i.large.",
        ),
        (
            on(nodes={**NODES, "instance_types": ["m7g.large"]}),
            {},
            f"{STACK}kubernetes.nodes.instance_types[0]: must have the processor that images are built for, "
            "which is amd64, got m7g.large. Use m7i.large.",
        ),
        (
            on(nodes={**NODES, "min_count": 7}),
            {},
            f"{STACK}kubernetes.nodes.min_count: must not be above max_count 6, got 7. "
            "Lower it, or raise max_count.",
        ),
        (
            on(version="1.22"),
            {},
            f"{STACK}kubernetes.version: must be a version of Kubernetes from 1.30 to 1.37, in quotes, got 1.22. "
            'Write it like "1.33".',
        ),
        (
            {**ON, f"{SERVICE}/kubernetes": {"requests": {"cpu": "2", "memory": "512Mi"}}},
            {},
            f"{STACK}services.core-matching.kubernetes.requests.cpu: must not be above the limit 1000m, got 2. "
            "Lower it, or raise the limit.",
        ),
        (
            {
                **ON,
                f"{SERVICE}/kubernetes": {
                    "requests": {"cpu": "1", "memory": "2Gi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
            },
            {},
            f"{STACK}services.core-matching.kubernetes.requests.memory: must not be above the limit 1Gi, got 2Gi. "
            "Lower it, or raise the limit.",
        ),
        (
            {**ON, f"{SERVICE}/kubernetes": {"replicas": 9}},
            {},
            f"{STACK}services.core-matching.kubernetes.replicas: must be between min_count 4 and max_count 7, got 9. "
            "Set it to 7.",
        ),
        (
            ON,
            {f"{SERVICE}/user": "node"},
            f"{SYSTEM}services.core-matching.user: must be a number on Kubernetes, which cannot tell whether a name "
            'means root, got node. Set it to the user\'s number, such as "1000".',
        ),
        (
            {**ON, "services/worker-ai/min_count": 0},
            {},
            f"{STACK}services.worker-ai.min_count: must be 1 or more: an autoscaler of Kubernetes does not go down "
            "to none, got 0. Set it to 1.",
        ),
        (
            {
                **ON,
                f"{SERVICE}/scheduled_scaling": [
                    {
                        "name": "night",
                        "schedule": "cron(0 2 * * ? *)",
                        "timezone": "UTC",
                        "min_count": 1,
                        "max_count": 2,
                    }
                ],
            },
            {},
            f"{STACK}services.core-matching.scheduled_scaling: is for ECS: an autoscaler of Kubernetes has one pair "
            "of bounds. Remove it, or set compute to ecs.",
        ),
        (
            ON,
            {"services/worker-ai/kubernetes": {"readiness": {"path": "/ready"}}},
            f"{SYSTEM}services.worker-ai.kubernetes.readiness: is asked on the http port, and the service has none. "
            "Add http to `ports`, or say health.command instead.",
        ),
        (
            ON,
            {"services/worker-ai/kubernetes": {"hpa_name": "core-matching-hpa"}},
            f"{SYSTEM}services.worker-ai.kubernetes.hpa_name: must be a HorizontalPodAutoscaler that nothing else "
            "has, and services.core-matching has it, got core-matching-hpa. Choose another name.",
        ),
        (
            ON,
            {"services/worker-ai/kubernetes": {"hpa_name": "w" * 53}},
            f"{SYSTEM}services.worker-ai.kubernetes.hpa_name: must have at most 52 characters, got {'w' * 53}. "
            "Shorten it.",
        ),
        (
            ON,
            {"kubernetes": {"secrets": {"core-matching-secrets": {"api-key": "${secrets.api-key}"}}}},
            f"{SYSTEM}kubernetes.secrets.core-matching-secrets: is the name of a Secret that core-matching has for "
            "itself. Choose another name.",
        ),
        (
            ON,
            {"kubernetes": {"secrets": {"app-secrets": {"key": "${secrets.api-kex}"}}}},
            f"{SYSTEM}kubernetes.secrets.app-secrets.key: must be what a variable of a service is, and none is just "
            "that, got ${secrets.api-kex}. Did you mean ${secrets.api-key}?",
        ),
        (
            ON,
            {"kubernetes": {"secrets": {"db-credentials": {"password": "${database.password}"}}}},
            f"{SYSTEM}kubernetes.secrets.db-credentials.password: means ${{database.password}} of rentfix_app to "
            "core-matching and ${database.password} of rentfix_worker to worker-ai. "
            "Leave it out: then each service has it in a Secret of its own.",
        ),
        (
            ON,
            {"kubernetes": {"secrets": {"db-credentials": {"host": "${database.address}"}}}},
            f"{SYSTEM}kubernetes.secrets.db-credentials: holds nothing that is secret. "
            "Add the password that belongs to it, or leave the variables plain.",
        ),
        (
            ON,
            {"tasks/migrate/kubernetes": {"job": "db-migrate"}},
            f"{SYSTEM}tasks.migrate.kubernetes.job: has the rights of its service, and as_master asks for others. "
            "Remove kubernetes or as_master: an operator runs the task on ECS.",
        ),
    ],
)
def test_what_is_refused(stack, system, said):
    assert refusal(stack, system) == (said,)


# The way in by Ingress: RentalFix without what only a load balancer of the stack's own can measure or redirect.
BY_INGRESS = on(routing="ingress")
UNMEASURED = {
    f"{SERVICE}/scaling": [{"metric": "cpu", "target_percent": 70}],
    "observability/alerts/server_errors_per_5_minutes": ABSENT,
    "observability/slo/error_rate_percent": ABSENT,
    "observability/slo/latency_p95_s": ABSENT,
    "observability/grafana/redirects": ABSENT,
}
NEEDS = "needs the figures of a load balancer that the stack makes, and kubernetes.routing is ingress, got"
NULL = "Set it to null in the stack file (a rule of Prometheus can watch the same)"
KEEP = "or set kubernetes.routing to target_groups."


def test_target_groups_are_the_way_in_where_nothing_is_said():
    assert settle(ON).kubernetes.routing == "target_groups"
    assert not settle(ON).routes_by_ingress
    assert not settle().routes_by_ingress


def test_an_ingress_is_accepted_without_what_nobody_measures():
    assert settle(BY_INGRESS, UNMEASURED).routes_by_ingress


def test_grafana_that_is_not_made_redirects_nobody():
    kept = {key: value for key, value in UNMEASURED.items() if "redirects" not in key}
    settings = settle({**BY_INGRESS, "observability/grafana/enabled": False}, kept)
    assert settings.routes_by_ingress


@pytest.mark.parametrize(
    ("stack", "system", "said"),
    [
        (
            {},
            {f"{SERVICE}/scaling": [{"metric": "requests_per_target", "target_per_minute": 6000}]},
            f"{SYSTEM}services.core-matching.scaling[0].metric: {NEEDS} requests_per_target. "
            f"Use cpu, memory, queue or queue_wait, {KEEP}",
        ),
        (
            {},
            {f"{SERVICE}/scaling": [{"metric": "latency_p95", "above_s": 0.2, "add_tasks": 2}]},
            f"{SYSTEM}services.core-matching.scaling[0].metric: {NEEDS} latency_p95. "
            f"Use cpu, memory, queue or queue_wait, {KEEP}",
        ),
        *(
            (
                {},
                {f"observability/{block}/{key}": 2},
                f"{SYSTEM}observability.{block}.{key}: {NEEDS} {got}. {NULL}, {KEEP}",
            )
            for block, key, got in (
                ("alerts", "server_errors_per_5_minutes", "2"),
                ("alerts", "error_rate_percent", "2.0"),
                ("alerts", "latency_p95_s", "2.0"),
                ("slo", "error_rate_percent", "2.0"),
                ("slo", "latency_p95_s", "2.0"),
            )
        ),
        (
            {},
            {"observability/dashboard": {"sections": ["Error Rate", "Request Rate & Latency"]}},
            f"{SYSTEM}observability.dashboard.sections[1]: {NEEDS} Request Rate & Latency. Remove it, {KEEP}",
        ),
        (
            {},
            {"observability/grafana/redirects": {"grafana": "grafana"}},
            f"{SYSTEM}observability.grafana.redirects: are rules of a load balancer that the stack makes, and "
            "kubernetes.routing is ingress. Set them to null in the stack file (people open Grafana by its own "
            f"name), {KEEP}",
        ),
        (
            {"network/nat_gateways": "none"},
            {},
            f"{STACK}network.nat_gateways: must not be none where kubernetes.routing is ingress: external-dns calls "
            "Route 53 and the controller WAF, which are reached from a subnet with a way out only, got none. "
            f"Set it to single, {KEEP}",
        ),
        (
            {f"{SERVICE}/names": {"target_group": "api-targets"}},
            {},
            f"{STACK}services.core-matching.names.target_group: cannot be chosen where kubernetes.routing is "
            f"ingress: the controller names target groups, got api-targets. Remove it, {KEEP}",
        ),
        (
            {},
            {f"{SERVICE}/public/priority": 1001},
            f"{SYSTEM}services.core-matching.public.priority: must be at most 1000 where kubernetes.routing is "
            "ingress, got 1001. Lower it, and those of the other services with it.",
        ),
        (
            {"compute": "ecs", "kubernetes": {"routing": "ingress"}},
            {},
            f"{STACK}kubernetes.routing: has no place where compute is ecs, got ingress. "
            "Remove it, or change compute.",
        ),
    ],
)
def test_what_an_ingress_cannot_be(stack, system, said):
    assert refusal({**BY_INGRESS, **stack}, {**UNMEASURED, **system}) == (said,)


def test_services_do_not_come_between_the_paths_of_another_one():
    """A listener would ask them in turn; an Ingress is asked as a whole."""
    rewrites = {f"{SERVICE}/public/private_paths": [], f"{SERVICE}/public/rewrites": {"/up": "/health"}}
    second = {
        "services/worker-ai/ports": {"http": 8080},
        "services/worker-ai/health": {"path": "/health"},
        "services/worker-ai/public": {"host": "shop", "paths": ["/*"], "priority": 99},
    }
    assert settle(ON, {**UNMEASURED, **rewrites, **second})
    assert refusal(BY_INGRESS, {**UNMEASURED, **rewrites, **second}) == (
        f"{SYSTEM}services.worker-ai.public.priority: lies between the places that core-matching takes, and an "
        "Ingress is asked as a whole, got 99. Set it below 98 or above 100.",
    )


def test_nodes_heap_is_measured_against_the_pods_limit():
    heap = {"services/worker-ai/environment/NODE_OPTIONS": "--max-old-space-size=3000"}
    limits = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "4Gi"}}
    assert settle({**ON, "services/worker-ai/kubernetes": limits}, heap)
    for memory, mebibytes in (("2Gi", 2048), ("3000Mi", 3000)):
        limits["limits"]["memory"] = memory
        assert refusal({**ON, "services/worker-ai/kubernetes": limits}, heap) == (
            f"{SYSTEM}services.worker-ai.environment.NODE_OPTIONS: lets the heap grow to the pod's whole memory of "
            f"{mebibytes} MiB, and then it is killed, got --max-old-space-size=3000. "
            "Leave a quarter of kubernetes.limits.memory to the rest of the process.",
        )
    assert refusal(ON, heap) == (
        f"{SYSTEM}services.worker-ai.environment.NODE_OPTIONS: lets the heap grow to the pod's whole memory of "
        "2048 MiB, and then it is killed, got --max-old-space-size=3000. "
        "Leave a quarter of memory_mib to the rest of the process.",
    )
    limits["limits"]["memory"] = "4Gi"  # on ECS a pod's limit says nothing
    assert "2048 MiB" in refusal({"services/worker-ai/kubernetes": limits}, heap)[0]
