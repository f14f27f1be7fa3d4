"""What an Ingress of class alb asks for: the AWS Load Balancer Controller makes a load balancer of its annotations."""

from collections.abc import Mapping
from typing import Any

from rules import Props, document, given, is_set, literal

INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
PREFIX = "alb.ingress.kubernetes.io/"


def annotations(props: Props) -> Mapping[str, Any]:
    return (props.get("metadata") or {}).get("annotations") or {}


def is_for_a_balancer(props: Props) -> bool:
    old = annotations(props).get("kubernetes.io/ingress.class")
    return "alb" in {(props.get("spec") or {}).get("ingressClassName"), old}


def is_public(props: Props) -> bool:
    return is_for_a_balancer(props) and annotations(props).get(f"{PREFIX}scheme") == "internet-facing"


def said(props: Props, key: str) -> Any:
    """The annotation's value; None where it is missing or not known yet."""
    return literal(annotations(props), f"{PREFIX}{key}")


def is_said(props: Props, key: str) -> bool:
    """Whether the annotation is there at all; its value may come from another resource and be unknown yet."""
    return is_set(annotations(props), f"{PREFIX}{key}")


def is_said_later(props: Props, key: str) -> bool:
    """Whether its value comes from another resource, which is then as good as any."""
    return is_said(props, key) and said(props, key) is None


def shown(props: Props, key: str) -> str:
    return given(annotations(props), f"{PREFIX}{key}")


def ports(props: Props) -> set[tuple[str, int]]:
    """Protocol and number of each port, as the controller reads them; without any it takes the one that fits."""
    if not is_said(props, "listen-ports"):
        return {("HTTPS", 443)} if is_said(props, "certificate-arn") else {("HTTP", 80)}
    listed = document(annotations(props), f"{PREFIX}listen-ports")
    return {(protocol, int(port)) for each in listed for protocol, port in each.items()}


def pairs(text: str) -> dict[str, str]:
    """Of `key=value,key=value`; a comma after a backslash belongs to the value."""
    parts = text.replace("\\,", "\0").split(",")
    return {
        key.strip(): value.replace("\0", ",").strip()
        for key, equals, value in (part.partition("=") for part in parts)
        if equals
    }
