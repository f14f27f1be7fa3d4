"""The pure parts of the provider: values, shapes, reading back, differences, expressions, archives."""

import io
import zipfile

import botocore.session
import pytest
from pulumi.runtime import rpc

from local.provider import tags
from local.provider.archives import content_of
from local.provider.coverage import operation_model
from local.provider.differences import differences
from local.provider.expressions import evaluate, mentioned
from local.provider.readback import project
from local.provider.shapes import NoSuchMember, by_name, match, to_api
from local.provider.values import (
    UNKNOWN,
    Asset,
    Secret,
    decode,
    encode,
    has_secret,
    has_unknown,
    reveal,
    secret_texts,
)

# Between the engine and the provider.


@pytest.mark.parametrize(
    "value",
    [
        "text",
        7,
        0.5,
        True,
        None,
        [1, ["two"]],
        {"a": {"b": []}},
        UNKNOWN,
        Secret("hidden"),
        Secret({"a": [Secret("b")]}),
        {"deep": [{"secret": Secret(1)}, UNKNOWN]},
    ],
)
def test_a_value_comes_back_as_it_was_sent(value):
    assert decode(encode({"value": value})) == {"value": value}


def test_an_asset_keeps_its_hash():
    fields = {rpc._special_sig_key: rpc._special_asset_sig, "text": "x", "hash": "abc"}
    assert decode(encode({"code": Asset(fields)})) == {"code": Asset(fields)}


def test_whole_numbers_are_integers():
    assert isinstance(decode(encode({"value": 7.0}))["value"], int)


def test_secrets_are_found_and_shown_only_when_asked():
    value = {
        "a": [Secret("long-enough"), Secret({"b": "also-long-enough"}), Secret("short")],
        "c": "not-a-secret",
    }
    assert has_secret(value)
    assert not has_secret({"c": [1]})
    assert reveal(value) == {"a": ["long-enough", {"b": "also-long-enough"}, "short"], "c": "not-a-secret"}
    assert secret_texts(value) == {"long-enough", "also-long-enough"}
    assert "long-enough" not in repr(value)


def test_unknowns_are_found_inside_secrets_too():
    assert has_unknown({"a": [Secret(UNKNOWN)]})
    assert not has_unknown({"a": [Secret("known")], "b": 1})


# Names and shapes.


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("cidrBlock", "CidrBlock"),
        ("securityGroupId", "SecurityGroupIds"),
        ("subnetIds", "SubnetId"),
        ("policy", "Policies"),
        ("enableEcsManagedTags", "enableECSManagedTags"),
    ],
)
def test_a_name_matches_in_any_case_and_number(name, member):
    assert match(name, [member, "Other"]) == member


def test_a_name_that_is_not_there_does_not_match():
    assert match("cidrBlok", ["CidrBlock"]) is None


def api(service, operation, inputs, nested=None):
    return by_name(operation_model(service, operation), inputs, {}, nested or {})


def test_inputs_become_parameters_by_name_and_others_are_left():
    params = api("kms", "create_key", {"description": "x", "multiRegion": True, "deletionWindowInDays": 7})
    assert params == {"Description": "x", "MultiRegion": True}


def test_maps_blocks_and_numbers_take_the_apis_form():
    assert api("kms", "create_key", {"tags": {"a": "b"}})["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    params = api(
        "ecs", "register_task_definition", {"cpu": 256, "runtimePlatform": [{"cpuArchitecture": "ARM64"}]}
    )
    assert params == {"cpu": "256", "runtimePlatform": {"cpuArchitecture": "ARM64"}}
    assert api("ecs", "register_task_definition", {"containerDefinitions": '[{"name": "a"}]'}) == {
        "containerDefinitions": [{"name": "a"}]
    }
    assert api("logs", "put_retention_policy", {"retentionInDays": "30"}) == {"retentionInDays": 30}
    assert api("s3", "put_bucket_policy", {"policy": {"Version": "1"}}) == {"Policy": '{"Version": "1"}'}


def test_blocks_with_a_key_become_the_apis_map():
    bodies = [{"key": "slow", "content": "slow down", "contentType": "TEXT_PLAIN"}]
    assert api("wafv2", "create_web_acl", {"customResponseBodies": bodies})["CustomResponseBodies"] == {
        "slow": {"Content": "slow down", "ContentType": "TEXT_PLAIN"}
    }


def test_a_key_without_a_place_is_refused_with_its_path():
    with pytest.raises(NoSuchMember, match=r"^settings\[1\].valu$"):
        api("ecs", "create_cluster", {"settings": [{"name": "a"}, {"valu": "b"}]})
    with pytest.raises(NoSuchMember, match=r"^customResponseBodies$"):
        api("wafv2", "create_web_acl", {"customResponseBodies": [{"content": "x"}]})
    shape = operation_model("ecs", "register_task_definition").input_shape.members["runtimePlatform"]
    with pytest.raises(NoSuchMember, match=r"^runtimePlatform$"):
        to_api(shape, "ARM64", {}, "runtimePlatform")


def test_a_block_may_say_its_own_names():
    rules = [{"idWritten": "x"}]
    assert api("s3", "put_bucket_cors", {"cORSConfiguration": {"cORSRules": rules}}, {"idWritten": "ID"}) == {
        "CORSConfiguration": {"CORSRules": [{"ID": "x"}]}
    }


# Reading back.


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (80, "80"),
        ("80", 80),
        (True, "true"),
        ("a", b"a"),
        ('{"a": 1}', {"a": 1}),
        ('{"a":1,"b":[2]}', '{"b": [2], "a": 1}'),
        (["a", "b"], ["b", "a"]),
        ({"one": "a"}, {"One": "a", "Other": 1}),
        ({"a": "b"}, [{"Key": "a", "Value": "b"}]),
        ([{"name": "a", "value": "1"}, {"name": "b"}], [{"Name": "b"}, {"Name": "a", "Value": 1}]),
        ({"status": "on"}, [{"Status": "on"}]),
        ([{"status": "on"}], {"Status": "on"}),
        ({"lost": 1}, {"Other": 2}),
        ("anything", None),
    ],
)
def test_what_says_the_same_is_left_as_the_program_wrote_it(value, found):
    assert project(value, found, {}) == value


@pytest.mark.parametrize(
    ("value", "found", "now"),
    [
        (80, "81", 81),
        ("a", "b", "b"),
        (True, "false", False),
        ("1", 2, 2),
        (["a"], ["a", "b"], ["a", "b"]),
        ({"one": "a", "two": "b"}, {"One": "c", "Two": "b"}, {"one": "c", "two": "b"}),
        ({"a": "b"}, [{"Key": "a", "Value": "c"}, {"Key": "d", "Value": "e"}], {"a": "c", "d": "e"}),
        (
            [{"name": "a"}],
            [{"Name": "a"}, {"Name": "b", "Size": 1}],
            [{"name": "a"}, {"name": "b", "size": 1}],
        ),
        ([{"name": "a"}, {"name": "b"}], [{"Name": "b"}], [{"name": "b"}]),
        ('{"a": 1}', '{"a": 2}', '{"a": 2}'),
    ],
)
def test_what_says_something_else_is_drift(value, found, now):
    assert project(value, found, {}) == now


# Differences.


def changed(old, new):
    return [(found.path, found.kind) for found in differences(old, new)]


def test_differences_are_said_by_path_and_kind():
    old = {"a": 1, "b": {"c": [1, {"d": 2}]}, "gone": "x", "tags": {"aws:x": "1"}}
    new = {"a": 1, "b": {"c": [1, {"d": 3}, 4]}, "new": "x", "tags": {"aws:x": "2"}}
    assert changed(old, new) == [
        ("b.c[1].d", "update"),
        ("b.c[2]", "add"),
        ("gone", "delete"),
        ("new", "add"),
        ('tags["aws:x"]', "update"),
    ]


def test_equal_in_other_words_is_no_difference():
    assert changed({"a": "1", "p": '{"x": 1}', "s": Secret("k")}, {"a": 1, "p": '{"x":1}', "s": "k"}) == []
    assert changed({"__defaults": ["name"]}, {"__defaults": []}) == []


def test_an_unknown_and_another_content_are_differences():
    assert changed({"a": 1}, {"a": UNKNOWN}) == [("a", "update")]
    assert changed({"a": Asset({"hash": "1"})}, {"a": Asset({"hash": "1", "path": "x"})}) == []
    assert changed({"a": Asset({"hash": "1"})}, {"a": Asset({"hash": "2"})}) == [("a", "update")]


# Expressions.


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("arn('rds', join(':', ['db', id]))", "arn:aws:rds:eu-west-1:123456789012:db:x/y"),
        ("global_arn('cloudwatch', id)", "arn:aws:cloudwatch::123456789012:x/y"),
        ("split(id, '/')[1]", "y"),
        ("replace(id, '/', '-')", "x-y"),
        ("region()", "eu-west-1"),
        ("account()", "123456789012"),
        ("minus(inputs.new, inputs.old)", ["b"]),
        ("minus(inputs.old, inputs.old)", None),
        ("pairs(inputs.map)[].{Key: key, Value: value}", [{"Key": "k", "Value": "v"}]),
        ("as_text(`true`)", "true"),
        ("as_text(`60`)", "60"),
        ("as_text(inputs.none)", None),
        ("parse('[1]')", [1]),
        ("text(inputs.map)", '{"k": "v"}'),
        ("lower('AbC')", "abc"),
        ("join('/', [id, inputs.none])", None),
        ("arn('rds', inputs.none)", None),
    ],
)
def test_expressions(expression, value):
    document = {"id": "x/y", "inputs": {"new": ["a", "b"], "old": ["a"], "map": {"k": "v"}}}
    assert evaluate(expression, document, "eu-west-1") == value


def test_random_functions_differ():
    assert evaluate("uuid()", {}, "r") != evaluate("uuid()", {}, "r")
    assert len(evaluate("hex(`9`)", {}, "r")) == 9


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("join('/', [inputs.b, id])", {"b"}),
        ("inputs.a.b[].{c: d} | [0]", {"a"}),
        ("inputs.x[0] || inputs.y[?z].q", {"x", "y"}),
        ("!(inputs.skip) && id", {"skip"}),
        ("id", set()),
    ],
)
def test_the_inputs_that_an_expression_uses(expression, names):
    assert mentioned(expression) == names


# Tags.


@pytest.mark.parametrize(
    ("service", "operation", "which", "sets"),
    [
        ("ec2", "create_tags", {"Resources": ["i"]}, {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("kms", "tag_resource", {"KeyId": "i"}, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("lambda", "tag_resource", {"Resource": "i"}, {"Tags": {"a": "b"}}),
        ("s3", "put_bucket_tagging", {"Bucket": "i"}, {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        (
            "cloudfront",
            "tag_resource",
            {"Resource": "i"},
            {"Tags": {"Items": [{"Key": "a", "Value": "b"}]}},
        ),
        ("elbv2", "add_tags", {"ResourceArns": ["i"]}, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ],
)
def test_each_services_way_to_tag(service, operation, which, sets):
    model = operation_model(service, operation)
    assert tags.identify(model, {}, "i") == which
    assert tags.setting(model, {"a": "b"}) == sets


@pytest.mark.parametrize(
    ("service", "operation", "removes"),
    [
        ("ec2", "delete_tags", {"Tags": [{"Key": "a"}]}),
        ("kms", "untag_resource", {"TagKeys": ["a"]}),
        ("route53", "change_tags_for_resource", {"RemoveTagKeys": ["a"]}),
        ("cloudfront", "untag_resource", {"TagKeys": {"Items": ["a"]}}),
    ],
)
def test_each_services_way_to_untag(service, operation, removes):
    assert tags.removing(operation_model(service, operation), ["a"]) == removes


@pytest.mark.parametrize(
    "answer",
    [
        {"Tags": [{"Key": "a", "Value": "b"}, {"Key": "aws:made", "Value": "by"}]},
        {"tags": {"a": "b"}},
        {"Tags": {"Items": [{"Key": "a", "Value": "b"}]}},
        {"TagDescriptions": [{"Tags": [{"Key": "a", "Value": "b"}]}]},
        {"TagInfoForResource": {"TagList": [{"Key": "a", "Value": "b"}]}},
        {"ResourceTagSet": {"Tags": [{"Key": "a", "Value": "b"}]}},
    ],
)
def test_a_list_of_tags_is_read_without_awss_own(answer):
    assert tags.in_listing(answer) == {"a": "b"}


def test_every_service_that_tags_its_own_way_has_those_operations():
    session = botocore.session.get_session()
    for service, ways in tags.BY_SERVICE.items():
        model = session.get_service_model(service)
        named = {name.lower() for name in model.operation_names}
        for operation in filter(None, (ways.sets, ways.removes, ways.lists)):
            assert operation.replace("_", "") in named, f"{service} has no {operation}"


# Archives.


def test_an_archive_is_the_same_bytes_for_the_same_content(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "b.py").write_text("b")
    (tmp_path / "code" / "a.py").write_text("a")
    folder = Asset({"path": str(tmp_path / "code")})
    texts = Asset({"assets": {"b.py": Asset({"text": "b"}), "a.py": Asset({"text": "a"})}})
    assert content_of(folder) == content_of(folder) == content_of(texts)
    nested = content_of(
        Asset({"assets": {"src": folder, "c.py": Asset({"path": str(tmp_path / "code" / "a.py")})}})
    )
    assert zipfile.ZipFile(io.BytesIO(nested)).namelist() == ["c.py", "src/a.py", "src/b.py"]


def test_an_asset_is_a_files_or_a_texts_bytes_and_nothing_is_downloaded(tmp_path):
    (tmp_path / "file").write_bytes(b"\x00")
    assert content_of(Asset({"path": str(tmp_path / "file")})) == b"\x00"
    assert content_of(Asset({"text": "x"})) == b"x"
    with pytest.raises(ValueError, match="the emulator downloads nothing"):
        content_of(Asset({"uri": "https://example.com/x.zip"}))
