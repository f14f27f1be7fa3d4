"""The pure parts of `make bench`: the flat program, the system of any size, the figures. Nothing is timed here."""

import ast
import copy
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pulumi_random as random
import pytest

from local.bench import figures, flat, parts, previews, scale
from local.bench.__main__ import rounds
from settings import loader
from tests.recorder import record
from tests.settings_examples import CONFIG, PRODUCT, SYSTEM_FILE

STACK = "urn:pulumi:prod::groundwork::"
KEY, VPC, GROUP, SECRET, PASSWORD = (
    f"{STACK}groundwork:data:Keys$aws:kms/key:Key::data",
    f"{STACK}aws:ec2/vpc:Vpc::main",
    f"{STACK}groundwork:data:Logs$aws:cloudwatch/logGroup:LogGroup::logs",
    f"{STACK}aws:secretsmanager/secretVersion:SecretVersion::token",
    f"{STACK}random:index/randomPassword:RandomPassword::token",
)


def state(urn, inputs, **more):
    return {"urn": urn, "custom": True, "type": urn.split("::")[-2].split("$")[-1], "inputs": inputs, **more}


def statements(*states):
    text = flat.program(states, Path("/original"))
    ast.parse(text)
    return text.split("\n\n\n")[-1].splitlines()


def test_declared_leaves_out_components_and_what_goes_away():
    key = state(KEY, {})
    steps = [
        {"op": "create", "newState": {"urn": f"{STACK}pulumi:pulumi:Stack::s", "custom": False}},
        {"op": "create", "newState": key},
        {"op": "delete", "oldState": state(VPC, {})},
    ]
    assert flat.declared(steps) == [key]


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("aws:ec2/vpc:Vpc", "aws.ec2.Vpc"),
        ("aws:lambda/function:Function", "aws.lambda_.Function"),
        ("random:index/randomPassword:RandomPassword", "random.RandomPassword"),
    ],
)
def test_class_names_are_the_sdks(token, name):
    assert flat.class_name(token) == name
    found: Any = {"aws": aws, "random": random}[name.split(".")[0]]
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    assert found.pulumi_type == token


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("name", "name"),
        ("kmsKeyId", "kms_key_id"),
        ("ipv6CidrBlock", "ipv6_cidr_block"),
        ("enableHttpEndpoint", "enable_http_endpoint"),
        ("bucketACLName", "bucket_acl_name"),
        ("from", "from_"),
    ],
)
def test_argument_names_are_the_sdks(key, name):
    assert flat.argument_name(key) == name


def test_a_parent_is_dropped_and_nested_keys_stay():
    inputs = {"cidrBlock": "10.0.0.0/16", "tags": {"costCenter": "x"}}
    assert statements(state(VPC, inputs, parent=KEY)) == [
        "r0 = aws.ec2.Vpc('main', cidr_block='10.0.0.0/16', tags={'costCenter': 'x'})"
    ]


def test_what_the_provider_filled_in_is_left_to_it():
    inputs = {"__defaults": ["name"], "name": "logs-1a2b3c4", "tags": {"__defaults": [], "a": "b"}}
    assert statements(state(GROUP, inputs)) == ["r0 = aws.cloudwatch.LogGroup('logs', tags={'a': 'b'})"]


def test_options_and_dependencies_for_order_only():
    group = state(
        GROUP,
        {"name": "/x"},
        dependencies=[VPC, KEY],
        propertyDependencies={"name": [KEY]},
        protect=True,
        retainOnDelete=True,
        ignoreChanges=["tags"],
    )
    assert statements(state(KEY, {}), state(VPC, {}), group)[2] == (
        "r2 = aws.cloudwatch.LogGroup('logs', name=after('/x', r0), opts=pulumi.ResourceOptions("
        "protect=True, retain_on_delete=True, ignore_changes=['tags'], depends_on=[r1]))"
    )


def test_unknown_values_become_outputs_of_what_they_depend_on():
    one = state(GROUP, {"kmsKeyId": flat.UNKNOWN}, propertyDependencies={"kmsKeyId": [KEY]})
    both = state(
        SECRET,
        {"secretId": "a", "versionStages": [flat.UNKNOWN, "b"]},
        propertyDependencies={"secretId": [], "versionStages": [KEY, VPC]},
    )
    _, _, first, second = statements(state(KEY, {}), state(VPC, {}), one, both)
    assert "kms_key_id=r0.id" in first
    assert "secret_id='a', version_stages=[unknown(r0, r1), 'b']" in second


def test_an_unknown_value_from_nowhere_is_refused():
    with pytest.raises(ValueError, match="does not say what it depends on"):
        statements(state(GROUP, {"kmsKeyId": flat.UNKNOWN}))


def test_secrets_stay_secret_and_carry_no_value():
    own = state(SECRET, {"secretString": flat.SECRET})
    generated = state(
        SECRET, {"secretString": flat.SECRET}, propertyDependencies={"secretString": [PASSWORD]}
    )
    _, first, second = statements(state(PASSWORD, {"length": 40}), own, generated)
    assert "secret_string=pulumi.Output.secret('stand-in')" in first
    assert "secret_string=pulumi.Output.secret(r0.id)" in second


def test_files_are_found_from_another_folder():
    code = {
        flat.SIGNATURE: flat.ARCHIVE,
        "hash": "1",
        "assets": {
            "a.py": {flat.SIGNATURE: flat.ASSET, "hash": "2", "text": "x = 1"},
            "b.py": {flat.SIGNATURE: flat.ASSET, "hash": "3", "path": "b.py"},
            "c": {flat.SIGNATURE: flat.ARCHIVE, "hash": "4", "path": "c"},
        },
    }
    (line,) = statements(state(f"{STACK}aws:lambda/function:Function::f", {"code": code}))
    assert line == (
        "r0 = aws.lambda_.Function('f', code=pulumi.AssetArchive({'a.py': pulumi.StringAsset('x = 1'), "
        "'b.py': pulumi.FileAsset('/original/b.py'), 'c': pulumi.FileArchive('/original/c')}))"
    )


def test_the_flat_program_declares_what_the_preview_said():
    """Run it: keyword arguments must exist, values must arrive, dependencies and secrets must be the same."""
    states = [
        state(KEY, {"description": "data"}, protect=True),
        state(PASSWORD, {"length": 40}),
        state(GROUP, {"name": "/x", "kmsKeyId": flat.UNKNOWN}, propertyDependencies={"kmsKeyId": [KEY]}),
        state(
            SECRET,
            {"secretId": "s", "secretString": flat.SECRET},
            propertyDependencies={"secretId": [KEY], "secretString": [PASSWORD]},
        ),
    ]
    text = flat.program(states, Path("/original"))
    declared = record(lambda: exec(text, {}), preview=True)
    key, group = declared.one("aws:kms/key:Key"), declared.one("aws:cloudwatch/logGroup:LogGroup")
    version = declared.one("aws:secretsmanager/secretVersion:SecretVersion")
    assert (key.inputs, key.protect) == ({"description": "data"}, True)
    assert group["name"] == "/x"
    assert group.property_dependencies["kmsKeyId"] == {key.urn}
    assert version["secretId"] == "s"
    assert version.property_dependencies["secretId"] == {key.urn}
    assert version.secrets == {"secretString"}


def test_programs_that_declare_the_same_differ_in_nothing():
    original = state(
        GROUP,
        {"__defaults": ["name"], "name": "logs-1", "kmsKeyId": flat.UNKNOWN},
        dependencies=[KEY],
        propertyDependencies={"kmsKeyId": [KEY], "tags": []},
        parent=VPC,
    )
    without_parents = KEY.replace("groundwork:data:Keys$", "")
    again = state(
        GROUP.replace("groundwork:data:Logs$", ""),
        {"__defaults": ["name"], "name": "logs-2", "kmsKeyId": flat.UNKNOWN},
        dependencies=[without_parents],
        propertyDependencies={"kmsKeyId": [without_parents]},
    )
    assert flat.differences([original, state(KEY, {})], [state(without_parents, {}), again]) == []


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ({"inputs": {"name": "/y"}}, "inputs"),
        ({"dependencies": []}, "dependencies"),
        ({"propertyDependencies": {}}, "propertyDependencies"),
        ({"protect": True}, "protect"),
    ],
)
def test_differences_name_what_is_not_the_same(spoilt, told):
    group = state(GROUP, {"name": "/x"}, dependencies=[KEY], propertyDependencies={"name": [KEY]})
    assert flat.differences([group], [{**group, **spoilt}]) == [
        f"aws:cloudwatch/logGroup:LogGroup logs: {told} differs"
    ]


def test_differences_name_what_is_missing():
    assert flat.differences([state(KEY, {})], [state(VPC, {})]) == [
        "aws:ec2/vpc:Vpc main is only in the flat program",
        "aws:kms/key:Key data is not in the flat program",
    ]


def test_a_file_counts_by_its_content():
    def function(path, content):
        code = {"a.py": {flat.SIGNATURE: flat.ASSET, "hash": content, "path": path}}
        return [state(f"{STACK}aws:lambda/function:Function::f", {"layers": [1], "code": code})]

    assert flat.differences(function("a.py", "1"), function("/elsewhere/a.py", "1")) == []
    assert len(flat.differences(function("a.py", "1"), function("a.py", "2"))) == 1


def settle(product, config):
    return loader.combine(
        "prod",
        loader.as_engine_config(config),
        product,
        stack_file="Pulumi.prod.yaml",
        system_file=SYSTEM_FILE,
    )


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_system_of_any_size_is_valid(count):
    settings = settle(*scale.enlarged(PRODUCT, CONFIG, count))
    public = [service.public for service in settings.services.values() if service.public]
    assert len(settings.services) == count
    assert len(public) == -(-count // 2)
    assert all(service.is_started for service in settings.services.values())
    assert {task.service for task in settings.tasks.values()} == {"service-1"}
    # A load balancer takes 100 rules beside the default one; two of them redirect to Grafana.
    assert sum(1 + bool(route.private_paths) for route in public) + 2 <= 100


def test_enlarging_leaves_the_original_alone():
    before = copy.deepcopy((PRODUCT, CONFIG))
    scale.enlarged(PRODUCT, CONFIG, 4)
    scale.started(CONFIG)
    assert before == (PRODUCT, CONFIG)


def test_started_gives_every_service_an_image():
    services = settle(PRODUCT, scale.started(CONFIG)).services
    assert {service.image_tag for service in services.values()} == {scale.IMAGE_TAG}


def costs(seconds, cpu_s):
    return [figures.Cost(*pair) for pair in zip(seconds, cpu_s, strict=True)]


def test_ratios_are_taken_round_by_round():
    # The second round ran on a busy machine: both programs took twice as long, and the ratio stays.
    flat_costs = costs([4.0, 8.0, 4.0], [5.0, 5.0, 5.0])
    rows = figures.component_rows(400, flat_costs, costs([4.8, 9.6, 5.2], [5.5, 6.0, 5.5]))
    assert rows == [
        ("Flat program, 400 resources", "4.00 (4.00 to 8.00) s, CPU 5.00 s", ""),
        ("The program, with its components and settings", "5.20 (4.80 to 9.60) s, CPU 5.50 s", ""),
        ("  to the flat one", "1.20 (1.20 to 1.30)", "at most 1.25: met"),
        ("  to the flat one, CPU", "1.10 (1.10 to 1.20)", ""),
    ]


def test_the_policies_start_is_not_charged_to_the_resources():
    rows = figures.policy_rows(
        500,
        costs([5.0, 5.0], [6.0, 6.0]),
        costs([7.0, 8.0], [7.5, 7.5]),
        costs([1.0, 1.0], [1.0, 1.0]),
        costs([2.0, 2.0], [1.5, 1.5]),
    )
    assert rows == [
        ("The policy pack adds", "2.50 (2.00 to 3.00) s", ""),
        ("  of that, to start and end it", "1.00 (1.00 to 1.00) s", ""),
        ("  and for each resource", "3.00 (2.00 to 4.00) ms", "at most 3 ms: met"),
        ("  and for each resource, CPU", "2.00 (2.00 to 2.00) ms", ""),
    ]


def test_a_goal_that_is_missed_says_so():
    assert figures.goal(1.26, 1.25) == "at most 1.25: missed"


def test_sizes_show_whole_and_marginal_cost():
    rows = figures.size_rows(
        [figures.Size(1, 100, [3.0]), figures.Size(10, 200, [4.0]), figures.Size(50, 600, [12.0])]
    )
    assert rows == [
        ("1 service, 100 resources", "3.00 (3.00 to 3.00) s, 30.0 ms per resource", ""),
        (
            "10 services, 200 resources",
            "4.00 (4.00 to 4.00) s, 20.0 ms per resource, 10.0 ms for each one more",
            "",
        ),
        (
            "50 services, 600 resources",
            "12.00 (12.00 to 12.00) s, 20.0 ms per resource, 20.0 ms for each one more",
            "",
        ),
        ("  per resource, 50 services to 1", "0.67 (0.67 to 0.67)", "at most 1.3: met"),
        ("  each one more, last step to first", "2.00", "at most 1.3: missed"),
    ]


def test_fewer_sizes_give_fewer_comparisons():
    one, two = figures.Size(1, 100, [3.0, 4.0]), figures.Size(10, 200, [8.0, 8.0])
    assert [title for title, _, _ in figures.size_rows([one])] == ["1 service, 100 resources"]
    assert figures.size_rows([one, two])[-1][:2] == (
        "  per resource, 10 services to 1",
        "1.17 (1.00 to 1.33)",
    )


def test_a_refusal_gives_its_last_line_as_the_reason():
    refusal = previews.Refused(Path("/x"), "File a\n  ValueError: too many\n")
    assert refusal.reason == "ValueError: too many"
    assert str(refusal) == "The preview of /x failed:\nFile a\n  ValueError: too many\n"
    assert previews.Refused(Path("/x"), " ").reason == "it said nothing"


def test_processes_are_told_apart_by_what_they_are_for():
    process = figures.Process
    rows = figures.process_rows(
        [
            process(1, 0, "pulumi preview", 1.0),
            process(2, 1, "python plugin.py local.language_plugin", 4.0),
            process(3, 1, "python plugin.py local.provider.aws", 2.0),
            process(4, 1, "python plugin.py local.provider.random", 0.25),
            process(5, 1, "python plugin.py local.language_plugin", 0.5),
            process(6, 5, "python -u -m pulumi.policy 127.0.0.1:1 policies", 1.5),
        ]
    )
    assert rows == [
        ("CPU of the program", "4.50 s", ""),
        ("CPU of the aws provider (ours, Python)", "2.00 s", ""),
        ("CPU of the policy pack", "1.50 s", ""),
        ("CPU of the engine", "1.00 s", ""),
        ("CPU of the random provider (ours, Python)", "0.25 s", ""),
    ]


def test_a_profile_is_shared_out_by_phase():
    def entry(own, within):
        return (1, 1, own, within, {})

    rows = figures.profile_rows(
        {
            ("<frozen runpy>", 1, "run_path"): entry(1.0, 6.0),
            ("<frozen importlib._bootstrap>", 1, "_find_and_load"): entry(3.0, 3.0),
            ("/somewhere/settings/loader.py", 1, "from_pulumi"): entry(2.0, 2.0),
            ("/python/asyncio/tasks.py", 1, "wait"): entry(2.0, 2.0),
            ("/site-packages/pulumi/log.py", 1, "debug"): entry(1.0, 1.0),
            ("~", 0, "<method 'poll' of 'select.epoll' objects>"): entry(1.0, 1.0),
        }
    )
    assert [(phase.removeprefix("Program: "), share) for phase, share, _ in rows] == [
        ("importing modules", "30%"),
        ("reading settings", "20%"),
        ("declaring resources", "10%"),
        ("serialising and registering them", "30%"),
        ("waiting for engine and providers", "10%"),
        ("(in all that: the SDK polling its outputs)", "20%"),
        ("(in all that: the SDK's debug messages)", "10%"),
    ]


def write_process(proc, pid, parent, command, ticks):
    (proc / str(pid)).mkdir()
    fields = ["S", parent, *[0] * 9, ticks, 0]
    (proc / str(pid) / "stat").write_text(f"{pid} (a (b) c) {' '.join(map(str, fields))}\n")
    (proc / str(pid) / "cmdline").write_bytes(command.encode())


def test_tree_has_the_processes_below_one_and_no_others(tmp_path):
    write_process(tmp_path, 10, 1, "pulumi\0preview\0", 100)
    write_process(tmp_path, 12, 11, "python\0-m\0pulumi.policy\0", 50)
    write_process(tmp_path, 11, 10, "python\0", 0)
    write_process(tmp_path, 20, 1, "other\0", 700)
    (tmp_path / "30").mkdir()  # ended between the listing and the reading
    found = parts.tree(10, tmp_path)
    assert [(process.pid, process.parent) for process in found] == [(10, 1), (11, 10), (12, 11)]
    assert found[0].command == "pulumi preview "
    assert found[0].cpu_s == pytest.approx(2 * found[2].cpu_s)
    assert parts.tree(99, tmp_path) == []


def test_rounds_alternate_and_stop_when_time_is_up():
    order: list[str] = []
    now = [0.0]

    def measure(name, seconds):
        def run():
            order.append(name)
            now[0] += seconds
            return seconds

        return run

    measures = [measure("a", 1.0), measure("b", 2.0)]
    assert rounds(measures, at_most=2, within_s=100, clock=lambda: now[0]) == [[1.0, 1.0], [2.0, 2.0]]
    assert order == ["a", "b", "a", "b"]
    assert rounds(measures, at_most=9, within_s=8, clock=lambda: now[0]) == [[1.0, 1.0], [2.0, 2.0]]
    assert rounds(measures, at_most=9, within_s=1, clock=lambda: now[0]) == [[1.0], [2.0]]


def test_the_marks_are_the_engines():
    from pulumi.runtime import rpc

    assert flat.UNKNOWN == rpc.UNKNOWN
    assert rpc._special_sig_key == flat.SIGNATURE
    assert (rpc._special_asset_sig, rpc._special_archive_sig) == (flat.ASSET, flat.ARCHIVE)
