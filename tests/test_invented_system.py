"""A sixth product, invented, with parts of all the real ones: it needs two files and no line of code."""

import re
from unittest.mock import patch

import pytest

from settings import loader
from tests.program import ROOT, configuration, declared, run
from tests.recorder import Recording

# It is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("orchard")
INVENTED = ROOT / "tests" / "invented"
STACK = "orchard/local"
ROOMS = ("components", "wiring", "settings", "local", "policies")


@pytest.fixture(scope="module")
def orchard() -> Recording:
    with patch.object(loader, "ROOT", INVENTED):
        return run(STACK, configuration(STACK, root=INVENTED))


def test_it_declares_parts_of_every_product(orchard):
    kinds = {resource.type for resource in orchard}
    assert kinds >= {
        "aws:rds/cluster:Cluster",
        "aws:rds/proxy:Proxy",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:mq/broker:Broker",
        "aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan",
        "aws:cloudfront/distribution:Distribution",
        "aws:ec2clientvpn/endpoint:Endpoint",
        "aws:amp/workspace:Workspace",
        "aws:lambda/function:Function",
        "aws:scheduler/schedule:Schedule",
    }
    services = {resource.name for resource in orchard.all("aws:ecs/service:Service")}
    assert services == {"api", "portal", "ripeness", "picker", "night-picker", "collector"}
    assert set(orchard.orphans()) == {"zone"}


def test_its_profile_and_its_shared_image_hold(orchard):
    assert orchard.one("aws:appautoscaling/target:Target", "picker")["maxCapacity"] == 8
    task = orchard.one("aws:ecs/taskDefinition:TaskDefinition", "night-picker")
    images = [container["image"] for container in task.json("containerDefinitions")]
    assert any(image.endswith("/orchard/local/picker:1.0.0") for image in images)
    assert "registry-night-picker" not in orchard.names("aws:ecr/repository:Repository")


def test_no_code_knows_a_products_name():
    """What differs between products is settings; comments may cite the documents that figures come from."""
    products = [path.name for path in (ROOT / "systems").iterdir()]
    assert len(products) == 5
    sources = [ROOT / "__main__.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    # The default of `make up`, and the file that errors name as an example.
    known = {
        "local/bench/previews.py",
        "local/commands.py",
        "local/shell.py",
        "settings/yaml_file.py",
    }
    found = []
    for path in sources:
        code = _without_strings_of_documentation(path.read_text(encoding="utf-8"))
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}: {each}" for each in products if each in code and name not in known]
    assert not found


def _without_strings_of_documentation(source: str) -> str:
    source = re.sub(r'"""(.|\n)*?"""', "", source)
    source = re.sub(r"#.*", "", source)
    return re.sub(r"in_(system|stack)\((.|\n)*?\)", "", source)


def test_rentalfix_still_is_what_stands_at_the_top():
    assert declared("prod").value["system"] == "rentalfix"
