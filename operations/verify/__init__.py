"""`groundwork verify`, `health` and `targets`: what the products' guides ask after a deployment, asked."""

from operations.verify.command import health, targets, verify

__all__ = ["health", "targets", "verify"]
