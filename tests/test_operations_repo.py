"""`groundwork repo`. GitHub is a stand-in: a server on loopback that answers as the REST documentation of version
2022-11-28 shows its answers. GitHub itself has not been asked."""

import http.server
import json
import threading
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as program
from operations import stack_files
from operations.platform import Refusal
from operations.repo import command, github

TOKEN = "ghp_a-token-that-nobody-may-read"
NAME = "acme/platform"
BRANCH_CHECKS = (
    "pull-requests",
    "approvals",
    "stale-approvals",
    "code-owners",
    "status-checks",
    "force-pushes",
    "deletion",
    "bypass",
)
SECURITY_CHECKS = ("dependabot-alerts", "secret-scanning", "push-protection")
UPGRADE = (403, {"message": "Upgrade to GitHub Pro or make this repository public to enable this feature."})
NOT_FOUND = (404, {"message": "Not Found"})
FORBIDDEN = (403, {"message": "Resource not accessible by integration"})
NO_CLASSIC = (404, {"message": "Branch not protected"})


class Server(http.server.ThreadingHTTPServer):
    """What the stand-in answers by path, and what it was asked: paths and headers."""

    answers: dict[str, Any]
    asked: list[str]
    headers: list[Message]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class StandIn(http.server.BaseHTTPRequestHandler):
    server: Server  # ty: ignore[incompatible-mutable-override]

    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.headers.append(self.headers)
        answer = self.server.answers.get(
            self.path, self.server.answers.get(self.path.partition("?")[0], NOT_FOUND)
        )
        code, content, *headers = answer.pop(0) if isinstance(answer, list) else answer
        body = (
            content
            if isinstance(content, bytes)
            else b""
            if content is None
            else json.dumps(content).encode()
        )
        self.send_response(code)
        for name, value in (headers[0] if headers else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with Server(("127.0.0.1", 0), StandIn) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def classic(**changes):
    """ "Get branch protection", with everything as it is wanted."""
    reviews = {
        "dismiss_stale_reviews": True,
        "require_code_owner_reviews": False,
        "required_approving_review_count": 2,
    }
    return {
        "required_pull_request_reviews": reviews,
        "required_status_checks": {"strict": True, "contexts": ["tests"], "checks": [{"context": "tests"}]},
        "enforce_admins": {"enabled": True},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        **changes,
    }


def reviewed(**changes):
    return {"required_pull_request_reviews": {**classic()["required_pull_request_reviews"], **changes}}


def pull_request(number=7, **parameters):
    """A rule of "Get rules for a branch"."""
    asked = {
        "required_approving_review_count": 2,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        **parameters,
    }
    return {"type": "pull_request", "ruleset_id": number, "parameters": asked}


def rule(kind, number=7, **parameters):
    return {"type": kind, "ruleset_id": number, "parameters": parameters}


def checks_of(number):
    return [rule("required_status_checks", number, required_status_checks=[{"context": "tests"}])]


RULES = [
    pull_request(),
    rule("required_status_checks", required_status_checks=[{"context": "tests"}, {"context": "Verdict"}]),
    rule("non_fast_forward"),
    rule("deletion"),
]


@pytest.fixture
def cloud(server, monkeypatch):
    """A repository with classic protection and all of GitHub's own security, asked by its administrator."""
    server.asked, server.headers = [], []
    on = {"status": "enabled"}
    server.answers = {
        f"/repos/{NAME}": (
            200,
            {
                "full_name": NAME,
                "default_branch": "main",
                "security_and_analysis": {"secret_scanning": on, "secret_scanning_push_protection": on},
            },
        ),
        f"/repos/{NAME}/branches/main": (200, {"name": "main", "protected": True}),
        f"/repos/{NAME}/branches/main/protection": (200, classic()),
        f"/repos/{NAME}/rules/branches/main": (200, []),
        f"/repos/{NAME}/vulnerability-alerts": (204, None),
    }
    monkeypatch.setenv("GITHUB_API_URL", server.address)
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setattr(github, "PAUSE_S", 0)
    return server


def protect(cloud, protection=NO_CLASSIC, rules=None, **rulesets):
    """What protects `main`: contents, or answers with their codes. `rulesets` have their numbers, `r7=...`."""
    paths = {"branches/main/protection": protection, "rules/branches/main": rules or []}
    paths |= {f"rulesets/{number[1:]}": content for number, content in rulesets.items()}
    for path, content in paths.items():
        cloud.answers[f"/repos/{NAME}/{path}"] = content if isinstance(content, tuple) else (200, content)


def ruleset(*actors, name="main"):
    return {"name": name, "enforcement": "active", "bypass_actors": list(actors)}


def actor(kind, number, mode="always"):
    return {"actor_type": kind, "actor_id": number, "bypass_mode": mode}


def groundwork(*arguments, code=0):
    answer = CliRunner().invoke(program.app, ["repo", *map(str, arguments)])
    assert answer.exit_code == code, answer.output
    assert TOKEN not in answer.output
    return answer


def lines(*arguments, code=0):
    """The lines by their names."""
    rows = json.loads(groundwork(NAME, "--json", *arguments, code=code).stdout)
    return {row["check"]: row for row in rows}


def states(*arguments, code=0):
    return {check: row["state"] for check, row in lines(*arguments, code=code).items()}


def test_a_repository_that_is_protected_as_the_guide_asks_is_well(cloud):
    said = groundwork(NAME)
    assert said.stderr == ""
    assert said.stdout.splitlines() == [
        "acme/platform, branch main",
        "well  pull-requests     the branch is changed by pull requests alone: by branch protection.",
        "well  approvals         2 or more before a merge: 2 by branch protection.",
        "well  stale-approvals   an approval ends with the next commit: by branch protection.",
        "-     code-owners       their approval, where the product wants it: nothing asks for it.",
        "well  status-checks     one at least before a merge: tests by branch protection.",
        "well  force-pushes      refused: by branch protection.",
        "well  deletion          refused: by branch protection.",
        "well  bypass            nobody gets round the approvals unless named: nobody (branch protection).",
        "well  dependabot-alerts on: they are on.",
        "well  secret-scanning   on: it is on.",
        "well  push-protection   on: it is on.",
    ]


def test_a_program_is_told_every_line_with_what_to_do(cloud):
    protect(cloud, classic(**reviewed(required_approving_review_count=1)))
    answer = groundwork(NAME, "--json", code=1)
    rows = json.loads(answer.stdout)
    assert [row["check"] for row in rows] == [*BRANCH_CHECKS, *SECURITY_CHECKS]
    assert rows[1] == {
        "repository": NAME,
        "branch": "main",
        "check": "approvals",
        "wanted": "2 or more before a merge",
        "state": "found",
        "seen": "1 by branch protection",
        "todo": 'Set "Required approvals" to 2 (Settings, Rules or Branches).',
    }


def test_github_is_asked_in_a_version_with_the_token_and_nowhere_else(cloud):
    groundwork(NAME)
    assert cloud.asked == [
        "/repos/acme/platform",
        "/repos/acme/platform/branches/main",
        "/repos/acme/platform/branches/main/protection",
        "/repos/acme/platform/rules/branches/main?per_page=100&page=1",
        "/repos/acme/platform/vulnerability-alerts",
    ]
    for headers in cloud.headers:
        assert headers["X-GitHub-Api-Version"] == "2022-11-28"
        assert headers["Accept"] == "application/vnd.github+json"
        assert headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("changes", "check", "seen"),
    [
        (reviewed(required_approving_review_count=1), "approvals", "1 by branch protection"),
        (reviewed(required_approving_review_count=0), "approvals", "0 by branch protection"),
        (reviewed(dismiss_stale_reviews=False), "stale-approvals", "nothing asks for it"),
        ({"required_status_checks": None}, "status-checks", "nothing asks for it"),
        (
            {"required_status_checks": {"contexts": [], "checks": []}},
            "status-checks",
            "nothing asks for it",
        ),
        ({"allow_force_pushes": {"enabled": True}}, "force-pushes", "nothing asks for it"),
        ({"allow_deletions": {"enabled": True}}, "deletion", "nothing asks for it"),
        (
            {"enforce_admins": {"enabled": False}},
            "bypass",
            "every administrator of the repository (branch protection)",
        ),
    ],
)
def test_each_weakness_of_branch_protection_is_found_by_itself(cloud, changes, check, seen):
    protect(cloud, classic(**changes))
    found = {name: row for name, row in lines(code=1).items() if row["state"] == "found"}
    assert list(found) == [check]
    assert found[check]["seen"] == seen
    assert "(Settings, Rules or Branches)." in found[check]["todo"]


def test_without_pull_requests_there_are_no_approvals_and_nothing_to_get_round(cloud):
    protect(cloud, classic(required_pull_request_reviews=None))
    found = lines(code=1)
    assert {check for check, row in found.items() if row["state"] == "found"} == {
        "pull-requests",
        "approvals",
        "stale-approvals",
    }
    assert found["approvals"]["seen"] == "no pull request is required"
    assert (found["bypass"]["state"], found["bypass"]["seen"]) == ("told", "none are seen to be asked for")


def test_fewer_or_more_approvals_can_be_asked_for(cloud):
    assert states("--reviews", 3, code=1)["approvals"] == "found"
    protect(cloud, classic(**reviewed(required_approving_review_count=1)))
    assert states("--reviews", 1)["approvals"] == "well"
    assert "Invalid value for '--reviews'" in groundwork(NAME, "--reviews", 0, code=2).stderr


def test_contexts_alone_are_status_checks_too(cloud):
    protect(cloud, classic(required_status_checks={"contexts": ["build"]}))
    assert lines()["status-checks"]["seen"] == "build by branch protection"


def test_a_branch_without_any_protection_lacks_all_of_it(cloud):
    cloud.answers[f"/repos/{NAME}/branches/main"] = (200, {"name": "main", "protected": False})
    protect(cloud)
    found = states(code=1)
    assert [check for check in BRANCH_CHECKS if found[check] == "found"] == [
        "pull-requests",
        "approvals",
        "stale-approvals",
        "status-checks",
        "force-pushes",
        "deletion",
    ]


def test_rulesets_protect_as_well_as_branch_protection(cloud):
    protect(cloud, rules=RULES, r7=ruleset())
    found = lines()
    assert {row["state"] for row in found.values()} == {"well", "told"}
    assert found["approvals"]["seen"] == "2 by ruleset main"
    assert found["status-checks"]["seen"] == "tests, Verdict by ruleset main"
    assert found["bypass"]["seen"] == "nobody (ruleset main)"


def test_a_ruleset_of_the_organization_is_asked_for_with_its_parents(cloud):
    protect(cloud, rules=RULES, r7=ruleset())
    groundwork(NAME)
    assert "/repos/acme/platform/rulesets/7?includes_parents=true" in cloud.asked


@pytest.mark.parametrize(("index", "check"), [(1, "status-checks"), (2, "force-pushes"), (3, "deletion")])
def test_each_rule_that_no_ruleset_has_is_found(cloud, index, check):
    protect(cloud, rules=[each for each in RULES if each is not RULES[index]], r7=ruleset())
    assert [name for name, state in states(code=1).items() if state == "found"] == [check]


def test_required_workflows_are_status_checks(cloud):
    workflows = rule("workflows", workflows=[{"path": ".github/workflows/tests.yml", "repository_id": 1}])
    protect(cloud, rules=[RULES[0], *RULES[2:], workflows], r7=ruleset())
    assert lines()["status-checks"]["seen"] == ".github/workflows/tests.yml by ruleset main"


def test_code_owners_are_told_of_and_never_asked_for(cloud):
    protect(cloud, rules=[pull_request(require_code_owner_review=True), *RULES[1:]], r7=ruleset())
    assert (lines()["code-owners"]["state"], lines()["code-owners"]["seen"]) == (
        "told",
        "asked by ruleset main",
    )
    protect(cloud, classic(**reviewed(require_code_owner_reviews=True)))
    assert lines()["code-owners"]["seen"] == "asked by branch protection"


def test_of_both_the_stronger_holds(cloud):
    """Each is weak where the other is strong."""
    weak = classic(**reviewed(required_approving_review_count=1, dismiss_stale_reviews=True))
    strong = [pull_request(dismiss_stale_reviews_on_push=False), rule("deletion")]
    protect(cloud, {**weak, "allow_deletions": {"enabled": True}}, strong, r7=ruleset(name="two eyes more"))
    found = lines()
    assert found["approvals"]["seen"] == "2 by ruleset two eyes more"
    assert found["stale-approvals"]["seen"] == "by branch protection"
    assert found["deletion"]["seen"] == "by ruleset two eyes more"


def test_each_ruleset_answers_for_its_own_rules(cloud):
    """One of the repository and one of its organization."""
    rules = [pull_request(), rule("deletion"), rule("non_fast_forward", 8), *checks_of(8)]
    protect(
        cloud, rules=rules, r7=ruleset(actor("Team", 3)), r8=ruleset(actor("DeployKey", None), name="all")
    )
    found = lines()
    assert found["deletion"]["seen"] == "by ruleset main"
    assert found["force-pushes"]["seen"] == "by ruleset all"
    assert found["status-checks"]["seen"] == "tests by ruleset all"
    assert found["bypass"]["seen"] == "Team 3 (ruleset main)"


def test_rules_beyond_a_page_count(cloud):
    path = f"/repos/{NAME}/rules/branches/main?per_page=100&page="
    protect(cloud, r7=ruleset())
    cloud.answers |= {
        f"{path}1": (200, [rule("required_linear_history")] * 100),
        f"{path}2": (200, RULES),
    }
    assert lines()["approvals"]["state"] == "well"


@pytest.mark.parametrize(
    ("actors", "state", "seen"),
    [
        ((), "well", "nobody (ruleset main)"),
        ((actor("Integration", 12),), "well", "Integration 12 (ruleset main)"),
        ((actor("Team", 3, "pull_request"),), "well", "Team 3 on pull requests (ruleset main)"),
        ((actor("RepositoryRole", 5),), "found", "everybody with the role admin (ruleset main)"),
        (
            (actor("RepositoryRole", 4, "pull_request"),),
            "found",
            "everybody with the role write on pull requests (ruleset main)",
        ),
        ((actor("RepositoryRole", 99),), "found", "everybody with the role 99 (ruleset main)"),
        (
            (actor("Team", 3), actor("OrganizationAdmin", 1)),
            "found",
            "every owner of the organization, Team 3 (ruleset main)",
        ),
        ((actor("DeployKey", None),), "found", "every deploy key (ruleset main)"),
    ],
)
def test_who_gets_round_a_ruleset_is_told_and_whoever_has_a_role_is_too_many(cloud, actors, state, seen):
    protect(cloud, rules=RULES, r7=ruleset(*actors))
    line = lines(code=int(state == "found"))["bypass"]
    assert (line["state"], line["seen"]) == (state, seen)
    assert ("bypass list" in line["todo"]) == (state == "found")


def test_who_is_named_by_branch_protection_is_told(cloud):
    allowed = {
        "users": [{"login": "octocat"}],
        "teams": [{"slug": "releases"}],
        "apps": [{"slug": "renovate"}],
    }
    protect(cloud, classic(**reviewed(bypass_pull_request_allowances=allowed)))
    line = lines()["bypass"]
    assert line["state"] == "well"
    assert line["seen"] == "user octocat, team releases, app renovate (branch protection)"


def test_whoever_gets_round_one_has_to_get_round_the_other(cloud):
    lax = classic(enforce_admins={"enabled": False})
    protect(cloud, lax, RULES, r7=ruleset())
    assert lines()["bypass"]["seen"] == "nobody (ruleset main)"
    # A second one that asks for too few holds nobody back.
    protect(cloud, lax, [pull_request(required_approving_review_count=1)], r7=ruleset())
    assert lines(code=1)["bypass"]["seen"] == "every administrator of the repository (branch protection)"


def test_the_list_of_a_ruleset_that_is_not_told_is_not_known_and_no_failure(cloud):
    protect(cloud, rules=RULES, r7={"name": "main", "current_user_can_bypass": "never"})
    line = lines()["bypass"]
    assert (line["state"], line["seen"]) == ("not known", "GitHub does not tell of ruleset main")
    assert line["todo"] == "Ask with the token of somebody who may change it."
    protect(cloud, rules=RULES, r7=NOT_FOUND)
    assert lines()["bypass"]["seen"] == "GitHub does not tell of ruleset 7"


def test_a_way_round_one_may_end_at_another_that_is_not_told(cloud):
    protect(cloud, classic(enforce_admins={"enabled": False}), RULES, r7={"name": "main"})
    line = lines()["bypass"]
    assert line["state"] == "not known"
    assert line["seen"].endswith("(branch protection), and of the others GitHub does not tell")


def test_a_way_round_a_ruleset_may_end_at_branch_protection_that_is_not_told(cloud):
    protect(cloud, FORBIDDEN, RULES, r7=ruleset(actor("RepositoryRole", 5)))
    line = lines()["bypass"]
    assert line["state"] == "not known"
    assert line["seen"].startswith("everybody with the role admin (ruleset main), and of the others")


def test_who_gets_round_too_few_approvals_is_told_as_well(cloud):
    protect(cloud, classic(enforce_admins={"enabled": False}, **reviewed(required_approving_review_count=1)))
    assert [check for check, state in states(code=1).items() if state == "found"] == ["approvals", "bypass"]


@pytest.mark.parametrize("hidden", [NOT_FOUND, FORBIDDEN])
def test_branch_protection_that_is_not_told_is_no_finding_but_a_question_without_an_answer(cloud, hidden):
    protect(cloud, hidden)
    found = lines(code=2)
    assert {found[check]["state"] for check in BRANCH_CHECKS} == {"not asked", "not known"}
    assert found["approvals"]["seen"] == "no pull request is required in what GitHub tells"
    assert found["approvals"]["todo"] == (
        "Not told: branch protection is told to who may read the repository's administration: "
        f"{hidden[1]['message']} ({hidden[0]})."
    )


def test_a_reader_is_told_enough_where_rulesets_hold_it_all(cloud):
    protect(cloud, FORBIDDEN, RULES, r7={"name": "main"})
    found = states()
    assert found["approvals"] == "well"
    assert found["bypass"] == "not known"


def test_a_reader_is_told_the_checks_of_branch_protection(cloud):
    told = {"enforcement_level": "everyone", "contexts": ["tests"], "checks": []}
    branch = {"protected": True, "protection": {"enabled": True, "required_status_checks": told}}
    cloud.answers[f"/repos/{NAME}/branches/main"] = (200, branch)
    protect(cloud, NOT_FOUND)
    assert lines(code=2)["status-checks"]["seen"] == "tests by branch protection"
    told["enforcement_level"] = "off"
    assert lines(code=2)["status-checks"]["state"] == "not asked"


def test_a_branch_that_github_calls_unprotected_has_no_branch_protection_to_hide(cloud):
    cloud.answers[f"/repos/{NAME}/branches/main"] = (200, {"protected": False})
    protect(cloud, NOT_FOUND)
    assert states(code=1)["approvals"] == "found"


def test_rulesets_that_are_not_told_are_a_question_without_an_answer(cloud):
    protect(cloud, rules=NOT_FOUND)
    assert lines(code=2)["deletion"]["todo"] == "Not told: rulesets: Not Found (404)."


def test_a_plan_without_protection_protects_nothing(cloud):
    cloud.answers[f"/repos/{NAME}/branches/main"] = (200, {"protected": True})
    protect(cloud, UPGRADE, UPGRADE)
    assert states(code=1)["approvals"] == "found"


@pytest.mark.parametrize(
    ("status", "state", "code"), [("enabled", "well", 0), ("disabled", "found", 1), (None, "not known", 0)]
)
@pytest.mark.parametrize(
    ("key", "check"),
    [("secret_scanning", "secret-scanning"), ("secret_scanning_push_protection", "push-protection")],
)
def test_scanning_for_secrets_is_on_off_or_not_told(cloud, status, state, code, key, check):
    analysis = cloud.answers[f"/repos/{NAME}"][1]["security_and_analysis"]
    analysis[key] = {"status": status} if status else {}
    line = lines(code=code)[check]
    assert line["state"] == state
    assert ("Enable" in line["todo"]) == (state == "found")
    assert ("administrator" in line["todo"]) == (state == "not known")


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        ((204, None), "well", 0),
        ((404, {"message": "Vulnerability alerts are disabled."}), "found", 1),
        (NOT_FOUND, "not known", 0),
        (FORBIDDEN, "not known", 0),
    ],
)
def test_alerts_of_dependabot_are_on_off_or_not_told(cloud, answer, state, code):
    cloud.answers[f"/repos/{NAME}/vulnerability-alerts"] = answer
    assert states(code=code)["dependabot-alerts"] == state


def test_without_a_token_github_is_asked_as_the_public_and_that_is_said(cloud, monkeypatch):
    monkeypatch.setenv("GH_TOKEN", "")
    del cloud.answers[f"/repos/{NAME}"][1]["security_and_analysis"]
    cloud.answers[f"/repos/{NAME}/vulnerability-alerts"] = NOT_FOUND
    protect(cloud, NOT_FOUND, RULES, r7={"name": "main"})
    said = groundwork(NAME)
    assert said.stderr == "Neither GH_TOKEN nor GITHUB_TOKEN is set: GitHub tells the public less.\n"
    assert (
        "?     secret-scanning   on: GitHub does not tell the public (GH_TOKEN is not set). Ask with the token of an "
        "administrator of the repository."
    ) in said.stdout.splitlines()
    assert all("Authorization" not in headers for headers in cloud.headers)


def test_the_token_of_a_workflow_is_taken_where_there_is_no_other(cloud, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_another")
    groundwork(NAME)
    assert cloud.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    monkeypatch.delenv("GH_TOKEN")
    groundwork(NAME)
    assert cloud.headers[-1]["Authorization"] == "Bearer ghs_another"


def test_a_repository_that_is_not_shown_is_said_with_who_asked(cloud):
    said = groundwork("acme/other", code=2).stdout
    assert said == (
        "acme/other, branch main\n"
        "?     repository        GitHub shows it: not to the token in GH_TOKEN: Not Found (404). Look at the name, or "
        "ask with the token of somebody who sees it.\n"
    )


def test_a_repository_with_another_name_by_now_is_not_followed(cloud):
    moved = {"Location": f"{cloud.address}/repositories/1"}
    cloud.answers[f"/repos/{NAME}"] = (301, {"message": "Moved Permanently"}, moved)
    line = lines(code=2)["repository"]
    assert line["seen"] == "it has another name by now: Moved Permanently (301)"
    assert cloud.asked == [f"/repos/{NAME}"]


def test_of_a_branch_that_is_not_there_the_default_one_is_named(cloud):
    line = lines("--branch", "release/1", code=2)["branch"]
    assert "/repos/acme/platform/branches/release%2F1" in cloud.asked
    assert line["seen"] == "no branch release/1: Not Found (404)"
    assert line["todo"] == "The default branch is main: --branch main."


def refusal(code=2):
    return groundwork(NAME, code=code).stderr


def test_a_token_that_github_does_not_take_is_named_and_not_shown(cloud):
    cloud.answers[f"/repos/{NAME}"] = (401, {"message": f"Bad credentials: {TOKEN}"})
    assert refusal() == (
        "GitHub does not take the token in GH_TOKEN: Bad credentials: *** (401). Set one that is valid.\n"
    )


@pytest.mark.parametrize("code", [403, 429])
def test_a_limit_that_is_used_up_says_when_it_ends(cloud, code):
    end = datetime.now(UTC) + timedelta(minutes=10)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(end.timestamp()))}
    cloud.answers[f"/repos/{NAME}"] = (code, {"message": "API rate limit exceeded for user ID 1."}, headers)
    said = refusal()
    assert (
        f"GitHub takes no more questions of the token in GH_TOKEN: API rate limit exceeded for user ID 1 ({code})."
        in said
    )
    assert f"Ask again after {end:%H:%M:%S} UTC, in " in said
    assert "may ask more often" not in said
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    ("headers", "when"), [({"retry-after": "60"}, "Ask again in 60 s."), ({}, "Ask again in a minute.")]
)
def test_the_limit_on_many_questions_at_once_says_how_long(cloud, headers, when):
    cloud.answers[f"/repos/{NAME}"] = (403, {"message": "You have exceeded a secondary rate limit."}, headers)
    assert when in refusal()


@pytest.mark.parametrize("headers", [{"x-ratelimit-remaining": "0"}, {"retry-after": "5"}])
def test_a_limit_is_known_by_its_headers_whatever_it_says(cloud, headers):
    cloud.answers[f"/repos/{NAME}"] = (403, {"message": "Too fast."}, headers)
    assert refusal().startswith("GitHub takes no more questions of the token in GH_TOKEN: Too fast (403). ")


def test_the_public_is_told_that_a_token_may_ask_more_often(cloud, monkeypatch):
    monkeypatch.delenv("GH_TOKEN")
    cloud.answers[f"/repos/{NAME}"] = (429, {"message": "API rate limit exceeded."})
    assert "Ask again in a minute. GH_TOKEN with a token may ask more often than the public." in refusal()


def test_a_403_that_is_no_limit_hides_the_repository_alone(cloud):
    saml = {"message": "Resource protected by organization SAML enforcement."}
    cloud.answers[f"/repos/{NAME}"] = (403, saml, {"x-ratelimit-remaining": "4999"})
    assert "SAML enforcement (403)" in lines(code=2)["repository"]["seen"]


def test_github_is_asked_again_when_it_stumbles_and_not_for_ever(cloud, monkeypatch):
    well = cloud.answers[f"/repos/{NAME}"]
    cloud.answers[f"/repos/{NAME}"] = [(502, b""), (503, b"<html>"), well]
    groundwork(NAME)
    cloud.answers[f"/repos/{NAME}"] = (500, b"")
    cloud.asked.clear()
    assert refusal().startswith("GitHub answered 500 to GET /repos/acme/platform, 3 times. ")
    assert len(cloud.asked) == 3


def test_between_two_tries_it_waits_longer_each_time(cloud, monkeypatch):
    monkeypatch.setattr(github, "PAUSE_S", 2)
    cloud.answers["/x"] = (503, b"")
    waits = []
    with pytest.raises(Refusal):
        github.Github(cloud.address, sleep=waits.append).get("/x")
    assert waits == [2, 4]


def test_github_that_is_away_is_said(cloud, monkeypatch):
    with Server(("127.0.0.1", 0), StandIn) as gone:
        address = gone.address
    monkeypatch.setenv("GITHUB_API_URL", address)
    said = refusal()
    assert said.startswith(f"GitHub at {address} cannot be reached: ")
    assert said.endswith("Look at the network and at GITHUB_API_URL.\n")


def test_what_is_no_json_is_not_githubs_api(cloud):
    cloud.answers[f"/repos/{NAME}"] = (200, b"<html>")
    assert "gives for /repos/acme/platform is no JSON: it is not GitHub's API." in refusal()


def test_any_other_refusal_is_given_in_githubs_words(cloud):
    cloud.answers[f"/repos/{NAME}"] = (451, {"message": "Repository access blocked"})
    assert refusal() == "GitHub refused GET /repos/acme/platform: Repository access blocked (451).\n"


@pytest.mark.parametrize(
    "address",
    ["http://api.github.com", "ftp://127.0.0.1", "https://", "api.github.com", "https://a?b=c", "http://[1"],
)
def test_a_token_goes_by_https_alone(cloud, monkeypatch, address):
    monkeypatch.setenv("GITHUB_API_URL", address)
    assert refusal().startswith(f"GITHUB_API_URL is {address}, and a token goes by HTTPS alone. ")
    assert not cloud.asked


def test_a_login_in_the_address_is_refused_and_not_shown(cloud, monkeypatch):
    monkeypatch.setenv("GITHUB_API_URL", f"https://user:{TOKEN}@github.acme.com/api/v3")
    assert refusal().startswith("GITHUB_API_URL holds a login.")


@pytest.mark.parametrize("address", ["https://github.acme.com/api/v3", "https://github.acme.com/api/v3/", ""])
def test_the_address_may_be_that_of_an_enterprise(address):
    made = github.connected({"GITHUB_API_URL": address})
    assert made.address == ("https://github.acme.com/api/v3" if address else "https://api.github.com")


@pytest.mark.parametrize("token", ["two words", "a\nHost: b", "schlüssel"])
def test_what_is_no_token_is_refused_and_not_shown(cloud, monkeypatch, token):
    monkeypatch.setenv("GH_TOKEN", token)
    said = refusal()
    assert said == "GH_TOKEN holds no token: a token is one word of ASCII characters. Set it anew.\n"


def test_the_line_end_of_a_file_is_no_part_of_a_token():
    assert github.connected({"GH_TOKEN": "ghp_1\n"}).token == "ghp_1"


def test_the_token_is_not_in_what_python_shows():
    assert "ghp_1" not in repr(github.connected({"GH_TOKEN": "ghp_1"}))


@pytest.mark.parametrize(
    "name", ["platform", "https://github.com/acme/platform", "acme/..", "acme/a/b", "acme/a?b"]
)
def test_a_name_that_no_repository_has_is_refused(cloud, name):
    assert groundwork(name, code=2).stderr == (
        f"{name} is no repository of GitHub: it is OWNER/NAME, like acme/platform.\n"
    )


def test_what_github_says_cannot_move_a_terminals_cursor(cloud):
    protect(cloud, rules=RULES, r7=ruleset(name="a\x1b[2Jb"))
    assert "\x1b" not in groundwork(NAME).stdout


@pytest.mark.usefixtures("cloud")
class TestSettings:
    @pytest.fixture
    def root(self, tmp_path, monkeypatch):
        """A checkout with one product; `write` says its block `ci`, of the system and of the stack."""
        folder = tmp_path / "systems" / "acme"
        folder.mkdir(parents=True)
        monkeypatch.setattr(command, "ROOT", tmp_path)

        def write(system, stack="{}"):
            (folder / "system.yaml").write_text(f"name: acme\n{f'ci: {system}' if system else ''}\n")
            (folder / "Pulumi.prod.yaml").write_text(f"config:\n  groundwork:ci: {stack}\n")
            return tmp_path

        return write

    def test_the_products_own_repository_and_that_of_its_stacks_are_asked(self, cloud, root):
        root("{repository: acme/platform, branch: main, images: {repository: acme/shop, branch: trunk}}")
        shop = cloud.answers[f"/repos/{NAME}"]
        cloud.answers |= {
            "/repos/acme/shop": shop,
            "/repos/acme/shop/branches/trunk": (200, {"protected": True}),
            "/repos/acme/shop/branches/trunk/protection": (200, classic()),
            "/repos/acme/shop/rules/branches/trunk": (200, []),
            "/repos/acme/shop/vulnerability-alerts": (204, None),
        }
        said = groundwork("--system", "acme", "--stack", "prod").stdout.splitlines()
        assert [line for line in said if ", branch " in line] == [
            "acme/shop, branch trunk (ci.images.repository)",
            "acme/platform, branch main (ci.repository)",
        ]

    def test_one_that_is_not_shown_hides_no_other(self, root):
        root("{repository: acme/platform, images: {repository: acme/gone}}")
        rows = json.loads(groundwork("--system", "acme", "--stack", "prod", "--json", code=2).stdout)
        assert [row["check"] for row in rows if row["repository"] == "acme/gone"] == ["repository"]
        assert "Look at the name (ci.images.repository of the settings)" in rows[0]["todo"]
        assert len([row for row in rows if row["repository"] == NAME]) == len(BRANCH_CHECKS + SECURITY_CHECKS)

    def test_a_branch_that_is_given_is_asked_instead(self, root):
        root("{repository: acme/platform, branch: trunk}")
        assert groundwork("--system", "acme", "--stack", "prod", "--branch", "main").exit_code == 0

    def test_settings_without_a_repository_ask_for_one(self, root):
        root("")
        assert groundwork("--system", "acme", "--stack", "prod", code=2).stderr == (
            "The settings of acme, stack prod, name no repository (`ci.images.repository`, `ci.repository`). Say "
            "which: groundwork repo OWNER/NAME.\n"
        )

    def test_settings_that_name_what_is_no_repository_are_refused_by_their_key(self, root):
        root("{repository: acme}")
        assert groundwork("--system", "acme", "--stack", "prod", code=2).stderr == (
            "ci.repository is acme, and that is no OWNER/NAME of GitHub.\n"
        )

    def test_settings_that_are_no_yaml_and_stacks_that_are_not_there_are_refused(self, root):
        root("{")
        assert "system.yaml is no YAML" in groundwork("--system", "acme", "--stack", "prod", code=2).stderr
        assert (
            "There is no stack pord of acme"
            in groundwork("--system", "acme", "--stack", "pord", code=2).stderr
        )

    def test_one_repository_in_both_roles_is_asked_once(self, root):
        checkout = root("{repository: a/b, images: {repository: a/b, branch: main}}")
        assert stack_files.repositories(checkout, "acme", "prod") == [
            stack_files.Repository(name="a/b", branch="main", keys=("ci.images.repository", "ci.repository"))
        ]

    @pytest.mark.parametrize(
        ("stack", "found"),
        [
            ("{}", [("a/shop", "main"), ("a/infra", "main")]),
            ("{branch: next}", [("a/shop", "main"), ("a/infra", "next")]),
            ("{images: {branch: next}}", [("a/shop", "next"), ("a/infra", "main")]),
            ("{images: null}", [("a/infra", "main")]),
            ("null", []),
        ],
    )
    def test_a_stack_may_overrule_its_system(self, root, stack, found):
        checkout = root("{repository: a/infra, images: {repository: a/shop}}", stack)
        named = stack_files.repositories(checkout, "acme", "prod")
        assert [(each.name, each.branch) for each in named] == found


def test_every_product_names_the_repository_that_its_guide_speaks_of():
    root = Path(command.__file__).parents[2]
    for folder in sorted(path.parent.name for path in root.glob("systems/*/system.yaml")):
        assert stack_files.repositories(root, folder, "prod")[0].keys[0] == "ci.images.repository"
