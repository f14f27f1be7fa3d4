"""One container: its definition, and every rule on both sides."""

from typing import Any

import pytest

from components import _containers
from components._containers import Container

DIGEST = "sha256:" + "a" * 64


def container(**changes):
    values: dict[str, Any] = {"name": "api", "image": "registry/api:1.0.0", "user": "1000", **changes}
    return Container(**values)


def sentences(**changes):
    return list(_containers.problems(container(**changes)))


def define(**changes):
    return _containers.definition(container(**changes), log_group_name="/api", region="eu-west-1")


def test_the_smallest_container():
    assert define() == {
        "name": "api",
        "image": "registry/api:1.0.0",
        "essential": True,
        "user": "1000",
        "readonlyRootFilesystem": True,
        "stopTimeout": 30,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}, "tmpfs": []},
        "portMappings": [],
        "environment": [],
        "secrets": [],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/api",
                "awslogs-region": "eu-west-1",
                "awslogs-stream-prefix": "api",
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }


def test_everything_that_a_container_can_say():
    made = define(
        command=["node", "dist/main.js"],
        ports={"http": 4400, "metrics": 9090},
        environment={"NODE_ENV": "production", "DB_HOST": "db"},
        secrets={"API_KEY": "arn:key"},
        writable_paths=["/tmp"],
        writable_path_mib=128,
        health_command=_containers.http_health_command(4400, "/health"),
        health_start_period_s=10,
        stop_timeout_s=120,
    )
    assert made["command"] == ["node", "dist/main.js"]
    assert made["portMappings"] == [
        {"name": "http", "containerPort": 4400, "hostPort": 4400, "protocol": "tcp"},
        {"name": "metrics", "containerPort": 9090, "hostPort": 9090, "protocol": "tcp"},
    ]
    assert made["environment"] == [
        {"name": "DB_HOST", "value": "db"},
        {"name": "NODE_ENV", "value": "production"},
    ]
    assert made["secrets"] == [{"name": "API_KEY", "valueFrom": "arn:key"}]
    assert made["linuxParameters"]["tmpfs"] == [
        {"containerPath": "/tmp", "size": 128, "mountOptions": ["rw", "noexec", "nosuid", "nodev"]}
    ]
    assert made["healthCheck"] == {
        "command": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:4400/health"],
        "interval": 15,
        "timeout": 5,
        "retries": 3,
        "startPeriod": 10,
    }
    assert made["stopTimeout"] == 120


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "registry.example.com:5000/team/api:1.0.0"},
        {"image": f"registry.example.com/api@{DIGEST}"},
        {"user": "node:node"},
        # The last word decides: neither of these holds a credential.
        {"environment": {"API_KEY_REQUIRED": "true", "JWT_SECRET_FILE": "/run/jwt"}},
        {"environment": {"CORS_ORIGIN": "https://a.example.com,https://b.example.com"}},
        {"writable_paths": ["/tmp", "/var/cache/app-1.0"]},
        {"health_start_period_s": 0, "stop_timeout_s": 1},
        {"health_start_period_s": 300, "stop_timeout_s": 120},
    ],
)
def test_good_containers_have_no_problem(changes):
    assert sentences(**changes) == []


@pytest.mark.parametrize(
    "image",
    ["api", "registry:5000/api", "registry/api:latest", "registry/api@sha256:abc", "registry/api:"],
)
def test_an_image_that_can_move_is_refused(image):
    assert sentences(image=image) == [
        "image must name a version (repository:1.4.2) or a digest (repository@sha256:...), "
        f"got {image!r}; a tag that moves cannot be rolled back to"
    ]


@pytest.mark.parametrize("user", ["", "0", "root", "0:1000", "root:root"])
def test_root_is_refused(user):
    assert sentences(user=user) == [f"user must be a user other than root, such as 1000, got {user!r}"]


@pytest.mark.parametrize(
    "variable", ["DB_PASSWORD", "API_KEY", "APIKEY", "SENTRY_DSN", "DATABASE_URL", "jwt_secret", "TOKEN"]
)
def test_a_variable_named_like_a_secret_is_refused_and_its_value_kept_quiet(variable):
    (sentence,) = sentences(environment={variable: "hunter2"})
    assert sentence == f"environment.{variable} is named like a secret: put it under secrets, by its ARN"


def test_a_url_with_a_password_is_refused_and_kept_quiet():
    (sentence,) = sentences(environment={"QUEUE": "rediss://:hunter2@cache:6379"})
    assert sentence == "environment.QUEUE holds a URL with a password: put it under secrets, by its ARN"


def test_a_variable_stands_in_one_place():
    assert sentences(environment={"LEVEL": "info"}, secrets={"LEVEL": "arn"}) == [
        "LEVEL stands under environment and under secrets: keep one of the two"
    ]


@pytest.mark.parametrize("path", ["tmp", "/", "/a b", "/tmp/"])
def test_a_writable_path_is_an_absolute_folder(path):
    assert sentences(writable_paths=[path]) == [
        f"writable_paths must be absolute folders below /, such as /tmp, got {path!r}"
    ]


def test_the_health_check_takes_figures_of_its_own():
    made = define(
        health_command=["curl", "-f", "http://localhost:3000/health"],
        health_interval_s=30,
        health_timeout_s=10,
        health_retries=5,
    )
    assert made["healthCheck"] == {
        "command": ["CMD", "curl", "-f", "http://localhost:3000/health"],
        "interval": 30,
        "timeout": 10,
        "retries": 5,
        "startPeriod": 60,
    }
    assert sentences(health_interval_s=4, health_timeout_s=1, health_retries=0) == [
        "health_interval_s must be 5 to 300 seconds, got 4",
        "health_timeout_s must be 2 to 60 seconds, got 1",
        "health_retries must be 1 to 10 times, got 0",
    ]
    assert sentences(health_interval_s=10, health_timeout_s=10) == [
        "health_timeout_s must be less than health_interval_s 10, got 10"
    ]


def test_times_have_fargates_bounds():
    assert sentences(health_start_period_s=301, stop_timeout_s=121) == [
        "health_start_period_s must be 0 to 300 seconds, got 301",
        "stop_timeout_s must be 1 to 120 seconds, got 121",
    ]
    assert sentences(health_start_period_s=-1, stop_timeout_s=0) == [
        "health_start_period_s must be 0 to 300 seconds, got -1",
        "stop_timeout_s must be 1 to 120 seconds, got 0",
    ]


def test_an_entry_point_replaces_the_images_own():
    assert define(entry_point=["sh", "-c"])["entryPoint"] == ["sh", "-c"]
