"""T36 to T46: what makes the services grow and shrink."""

from tests.recorder import Recording
from tests.requirements.production import alarm, condition, metric
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import (
    DEPLOYMENT,
    HPA,
    KUBERNETES,
    POLICY,
    QUEUE,
    counts,
    is_known_to_operators,
    scaling_alarm,
    steps,
    tracking,
)

CHAPTER = Chapter(title="Scaling")
SCALE = "`aws ecs update-service --cluster myapp-production --service {} --desired-count {}`"


@CHAPTER.row(
    "T36",
    "L371-380",
    "Scale the API to five by hand",
    "operator",
    note="Pulumi leaves the number alone, and CPU and memory move it on (T38, T39)",
    commands=["scale api --desired 5"],
    components=["service", "autoscaling"],
)
def api_by_hand(stack: Recording) -> None:
    is_known_to_operators(stack, "api")
    assert counts(stack, "api")[0] <= 5 <= counts(stack, "api")[2]
    services = [each for each in stack.all("aws:ecs/service:Service") if each.name == "api"]
    assert ["desiredCount" in each.ignore_changes for each in services] == [True]


@CHAPTER.row(
    "T37",
    "L382-383",
    "With Kubernetes: an autoscaler of the Deployment `api`, 2 to 10 pods at 70 % CPU",
    "declared",
    note="three pods at the start; on ECS the same bounds and the same figure (T13, T38)",
    components=["kubernetes_workload"],
    settings=["services.api.kubernetes.hpa_name"],
    shape=KUBERNETES,
)
def autoscaler(stack: Recording) -> None:
    found = stack.one(HPA, "api")
    spec = found["spec"]
    assert found["metadata"]["name"] == "api"
    assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) == ("Deployment", "api")
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    targets = {each["resource"]["name"]: each["resource"]["target"] for each in spec["metrics"]}
    assert targets["cpu"] == {"type": "Utilization", "averageUtilization": 70}
    assert stack.one(DEPLOYMENT, "api")["metadata"]["name"] == "api"


@CHAPTER.row(
    "T38",
    "L387",
    "More of the API above 70 % CPU",
    "declared",
    components=["autoscaling"],
    settings=["services.api.scaling"],
)
def api_cpu(stack: Recording) -> None:
    assert tracking(stack, "api-cpu") == ("ECSServiceAverageCPUUtilization", 70)


@CHAPTER.row(
    "T39",
    "L388",
    "More of the API above 80 % memory",
    "declared",
    components=["autoscaling"],
    settings=["services.api.scaling"],
)
def api_memory(stack: Recording) -> None:
    assert tracking(stack, "api-memory") == ("ECSServiceAverageMemoryUtilization", 80)


@CHAPTER.row(
    "T40",
    "L389",
    "More of the API when requests take longer than 500 ms",
    "declared",
    note="p95 of three minutes in a row adds one task",
    components=["autoscaling"],
    settings=["services.api.scaling"],
)
def api_latency(stack: Recording) -> None:
    slow = scaling_alarm(stack, "api-latency")
    assert metric(slow) == ("TargetResponseTime", "p95", 60)
    assert condition(slow) == ("GreaterThanThreshold", 0.5, 3)
    assert steps(stack, "api-latency") == [1]


@CHAPTER.row(
    "T41",
    "L390",
    "More of the API above 100 requests a second for each instance",
    "declared",
    note="6000 a minute: the metric counts minutes",
    components=["autoscaling"],
    settings=["services.api.scaling"],
)
def api_requests(stack: Recording) -> None:
    assert tracking(stack, "api-requests") == ("ALBRequestCountPerTarget", 100 * 60)
    configuration = stack.one(POLICY, "api-requests")["targetTrackingScalingPolicyConfiguration"]
    label = configuration["predefinedMetricSpecification"]["resourceLabel"]
    assert label.startswith("app/ingress-")
    assert "/targetgroup/api-" in label


@CHAPTER.row(
    "T42",
    "L394-399",
    "Workers follow the queue; ten of them by hand",
    "operator",
    note="the queue moves the number on (T43, T44)",
    commands=["scale worker --desired 10"],
    components=["service", "autoscaling"],
    settings=["services.worker.max_count"],
)
def workers_by_hand(stack: Recording) -> None:
    is_known_to_operators(stack, "worker")
    assert counts(stack, "worker")[2] == 10


@CHAPTER.row(
    "T43",
    "L400-402, L406",
    "More workers above 100 waiting jobs, fewer below 10",
    "declared",
    note="a function in the network asks Redis every minute; 10 to 100 changes nothing",
    components=["autoscaling", "queue_metrics"],
    settings=["services.worker.scaling", "queues.webhook-processor"],
)
def queue_length(stack: Recording) -> None:
    for name, wanted, minutes in (
        ("worker-queue-add", ("GreaterThanThreshold", 100), 2),
        ("worker-queue-remove", ("LessThanThreshold", 10), 5),
    ):
        waiting = scaling_alarm(stack, name)
        assert condition(waiting) == (*wanted, minutes)
        assert metric(waiting) == ("QueueLength", "Maximum", 60)
        assert waiting["dimensions"] == {"Queue": QUEUE}
    assert steps(stack, "worker-queue-add") == [1, 2]
    assert steps(stack, "worker-queue-remove") == [-1]
    schedule = stack.one("aws:scheduler/schedule:Schedule", "queue-metrics")
    assert schedule["scheduleExpression"] == "rate(1 minute)"


@CHAPTER.row(
    "T44",
    "L407",
    "More workers when a job has waited for 60 seconds",
    "declared",
    note="the oldest one, in two minutes in a row",
    components=["autoscaling", "queue_metrics"],
    settings=["services.worker.scaling"],
)
def queue_wait(stack: Recording) -> None:
    oldest = scaling_alarm(stack, "worker-queue-wait")
    assert metric(oldest) == ("QueueOldestWaitSeconds", "Maximum", 60)
    assert condition(oldest) == ("GreaterThanThreshold", 60, 2)
    assert steps(stack, "worker-queue-wait") == [1]


@CHAPTER.row(
    "T45",
    "L408",
    "More workers above 80 % CPU",
    "declared",
    components=["autoscaling"],
    settings=["services.worker.scaling"],
)
def worker_cpu(stack: Recording) -> None:
    assert tracking(stack, "worker-cpu") == ("ECSServiceAverageCPUUtilization", 80)


@CHAPTER.row(
    "T46",
    "L409",
    "Failed jobs that become more are looked into first, and scaled for afterwards",
    "declared",
    note="an alarm after 15 minutes of it; nothing scales by it, and the runbook says where to look",
    components=["queue_metrics"],
    settings=["observability.alerts.failed_jobs_rising_minutes"],
)
def failed_jobs(stack: Recording) -> None:
    failing = alarm(stack, f"queue-{QUEUE}-failed")
    assert condition(failing) == ("GreaterThanThreshold", 0, 15 // 5)
    result, counted = failing["metricQueries"]
    assert result["expression"] == "DIFF(queueFailedJobs)"
    assert (counted["metric"]["metricName"], counted["metric"]["period"]) == ("QueueFailedJobs", 300)
    assert failing["alarmDescription"].endswith("/docs/runbooks/queues.md")
    assert "notifications-warning" in failing["alarmActions"][0]
