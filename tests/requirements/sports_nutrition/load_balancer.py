"""S75 to S77: target group, load balancer, listener."""

from tests.recorder import Recording
from tests.requirements.production import LISTENER, openings, referred
from tests.requirements.sports_nutrition.support import HOST, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Load balancer")


@CHAPTER.row(
    "S75",
    "L408-418",
    "A target group `api-targets`: HTTP on 3000, `/health`, two good answers in, two bad ones out",
    "declared",
    note="of addresses, as Fargate needs it",
    components=["service"],
    settings=["services.api.names.target_group", "services.api.health"],
    policies=["target-group-health-check"],
)
def targets(stack: Recording) -> None:
    group = target_group(stack)
    assert (group["name"], group["protocol"], group["port"]) == ("api-targets", "HTTP", 3000)
    assert group["targetType"] == "ip"
    check = group["healthCheck"]
    assert (check["protocol"], check["path"]) == ("HTTP", "/health")
    assert (check["healthyThreshold"], check["unhealthyThreshold"]) == (2, 2)


@CHAPTER.row(
    "S76",
    "L420-424",
    "A load balancer `api-alb` in two subnets, with a security group of its own",
    "declared",
    note="which everybody may reach on 80 and 443",
    missing="the name `sg-alb`: the group has one that Pulumi makes",
    components=["load_balancer", "firewall"],
    settings=["names.load_balancer"],
)
def balancer(stack: Recording) -> None:
    found = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert found["name"] == "api-alb"
    assert referred(stack, found, "subnets") == ["network-public-a", "network-public-b"]
    assert referred(stack, found, "securityGroups") == ["firewall-load-balancer"]
    entries = {(source, port) for source, target, port in openings(stack) if target == "load-balancer"}
    assert entries == {("internet", 80), ("internet", 443)}


@CHAPTER.row(
    "S77",
    "L426-432",
    "HTTPS on 443 with a certificate of ACM goes to the targets",
    "declared",
    note="for api.yourdomain.com; other names get 404, and port 80 redirects",
    components=["load_balancer"],
    settings=["services.api.public"],
    policies=["alb-https-only"],
)
def listener(stack: Recording) -> None:
    https = stack.one(LISTENER, "ingress-https")
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert referred(stack, https, "certificateArn") == ["certificate-validation"]
    rule = stack.one("aws:lb/listenerRule:ListenerRule", "api-forward")
    assert rule["conditions"] == [
        {"hostHeader": {"values": [HOST]}},
        {"pathPattern": {"values": ["/*"]}},
    ]
    assert [each["type"] for each in rule["actions"]] == ["forward"]
    assert referred(stack, rule, "actions") == [target_group(stack).name]
    (plain,) = stack.one(LISTENER, "ingress-http")["defaultActions"]
    assert plain["redirect"] == {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
