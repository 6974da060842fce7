"""Services to plan for, as short as a test wants them."""

from __future__ import annotations

from typing import Any

from include.catalogue import Service

_SHOP: dict[str, Any] = {
    "name": "shop",
    "owner": "web team",
    "description": "A shop.",
    "release": "1.0",
    "replicas": 2,
    "opennebula": {"template": "vm", "cpu": 1, "vcpu": 1, "memory_mb": 256},
    "dns": {"zone": "lab.test"},
    "puppet": {"server": "puppet.lab.test", "role": "shop"},
    "package": {"name": "shop-app"},
    "monitoring": {"template": "vm"},
    "balancer": {"pool": "shop", "port": 8080},
    "drain": {"deadline": "60s", "idle": "10s"},
    "canary": {"count": 1, "watch": "20s"},
    "watch": {"settle": "10s", "duration": "30s", "max_error_share": 0.01, "min_requests": 100},
}


def shop(**changes: Any) -> Service:
    """Return the service `shop` with *changes* to its catalogue file."""
    return Service.model_validate({**_SHOP, **changes})
