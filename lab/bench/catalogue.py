"""Services for the bench: as many as wanted, all of the same make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.bench.site import CPU, MEMORY_MB, NETWORK, TEMPLATE, ZONES, names

_SERVICE = f"""\
name: {{name}}
owner: bench
description: A service of the bench.
release: "1.0"
replicas: {{replicas}}

opennebula:
  template: {TEMPLATE}
  cpu: {CPU}
  vcpu: 1
  memory_mb: {MEMORY_MB}
  networks: [{NETWORK}]
  boot_deadline: 20m

dns:
  zone: {ZONES[0]}
  ttl: 60s

puppet:
  server: puppet.bench.test
  environment: production
  role: bench
  certificate_ttl: 3d
  lane: snowmelt_ca
  enrol_deadline: 20m

package:
  name: bench-app

monitoring:
  template: bench-vm
  deadline: 5m

balancer:
  pool: {{name}}
  port: 8080
  join_deadline: 2m

drain:
  deadline: 5m
  idle: 10s
  on_deadline: cut

canary:
  count: 1
  watch: {{canary}}s

watch:
  settle: 5s
  duration: {{watch}}s

max_age: 24h
"""


def write_catalogue(
    folder: Path, services: int, replicas: int, canary_s: float = 10, watch_s: float = 30
) -> list[str]:
    """Write so many services into *folder*; returns their names.

    The daily rotation, whose file stands above the folder, is half a day away: only the one that
    the bench asks for runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    far = datetime.now(UTC) + timedelta(hours=12)
    (folder.parent / "fleet.yaml").write_text(f'rotation: {{starts: "{far:%H:%M}"}}\n')
    found = names(services)
    watches = {"canary": max(1, round(canary_s)), "watch": max(1, round(watch_s))}
    for name in found:
        text = _SERVICE.format(name=name, replicas=replicas, **watches)
        (folder / f"{name}.yaml").write_text(text)
    return found
