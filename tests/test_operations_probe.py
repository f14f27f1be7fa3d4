"""`groundwork probe`: public services asked as customers ask them, here a server on loopback."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import typer
from typer.testing import CliRunner

from operations import probe
from tests.program import configuration, declared
from tests.program import run as run_program

STACK = {"system": "rentalfix", "environment": "prod", "region": "us-east-1"}


@contextmanager
def server(*answers):
    """Answers with these codes one after the other, then with the last for ever; gives its address."""

    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            code = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/health"
        listening.shutdown()


@pytest.fixture
def run(tmp_path):
    app = typer.Typer()
    app.command()(probe.probe)

    def invoke(addresses, *arguments):
        file = tmp_path / "outputs.json"
        file.write_text(json.dumps({**STACK, "healthUrls": addresses}), encoding="utf-8")
        return CliRunner().invoke(app, ["--outputs", str(file), "--pause-s", "0", *arguments])

    return invoke


def test_a_service_is_well_after_several_good_answers_in_a_row(run):
    with server(503, 200, 502, 200, 200, 200) as address:
        answer = run({"api": address}, "--tries", "6")
    assert (answer.exit_code, answer.output) == (0, f"api: {address} is well\n")


def test_the_last_trouble_is_told(run):
    with server(200, 200, 500) as address:
        answer = run({"api": address}, "--tries", "4")
    assert (answer.exit_code, answer.output) == (1, f"api: {address} answered 500\n")


def test_too_few_questions_for_the_good_answers_wanted_is_no_success(run):
    with server(200) as address:
        answer = run({"api": address}, "--tries", "2")
    assert answer.exit_code == 1
    assert "answered well 2 times in 2, and 3 in a row are wanted" in answer.output


def test_one_that_is_well_does_not_hide_one_that_is_not(run):
    with server(200) as well, server(404) as ill:
        answer = run({"api": ill, "web": well}, "--tries", "3")
    assert answer.exit_code == 1
    assert answer.output == f"api: {ill} answered 404\nweb: {well} is well\n"


def test_nobody_there_is_trouble(run):
    with server(200) as address:
        pass
    answer = run({"api": address}, "--tries", "1")
    assert answer.exit_code == 1
    assert "refused" in answer.output


def test_an_empty_answer_is_no_good_one(run):
    with server(204) as address:
        assert "answered 204" in run({"api": address}, "--tries", "1").output


def test_a_stack_without_a_public_service_says_that_nobody_was_asked(run):
    answer = run({})
    assert (answer.exit_code, answer.output) == (
        0,
        "No service of this stack is public and started, so nobody was asked.\n",
    )


def test_a_program_is_told_of_every_service_what_is_wrong_with_it(run):
    with server(200) as well, server(404) as ill:
        answer = run({"api": ill, "web": well}, "--tries", "3", "--json")
    assert answer.exit_code == 1
    assert json.loads(answer.stdout) == [
        {"service": "api", "url": ill, "trouble": "answered 404"},
        {"service": "web", "url": well, "trouble": ""},
    ]
    assert answer.stderr == f"api: {ill} answered 404\nweb: {well} is well\n"


def test_a_program_is_told_that_nobody_was_asked_by_an_empty_list(run):
    answer = run({}, "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (0, [])
    assert "so nobody was asked." in answer.stderr


def test_between_two_questions_it_waits():
    waits, answers = [], iter(["answered 503", "", "", ""])
    trouble = probe.until_well(
        "u", tries=9, in_a_row=3, pause_s=10, asking=lambda _: next(answers), sleep=waits.append
    )
    assert trouble == ""
    assert waits == [10, 10, 10]


def test_a_stack_exports_the_address_of_each_public_service_that_is_started():
    assert declared("prod").value["healthUrls"] == {"core-matching": "https://api.rentfix.com/health"}
    config = configuration("prod")
    del config["groundwork:services"]["core-matching"]["image_tag"]
    assert run_program("prod", config).value["healthUrls"] == {}
