"""What the VMs would do by themselves: boot, ask for a certificate, run Puppet, shut down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.bench.authority import Authority
from lab.bench.puppet_ca import PuppetCa
from lab.bench.puppetdb import PuppetDb
from lab.opennebula.clock import Clock
from lab.opennebula.drivers import Finish, Job


@dataclass(frozen=True)
class Waits:
    """How long the real world takes, in seconds. Measured in the lab where it could be."""

    prolog: float = 5.0  # copy the image
    boot: float = 90.0  # from the hypervisor's start to RUNNING
    request: float = 5.0  # from there to the certificate request
    puppet: float = 30.0  # from the signature to the first report
    check: float = 1.0  # a monitoring check that was asked for
    join: float = 1.0  # two good checks of the balancer
    drain: float = 30.0  # until the last session on a drained member has been idle for long enough
    shutdown: float = 5.0

    def divided(self, speed: float) -> Waits:
        """The same world, faster."""
        return Waits(**{name: value / speed for name, value in vars(self).items()})


class GuestDriver:
    """A hypervisor's driver under which nothing runs, and the guests do what they are expected to.

    It begins with the dummy driver's way: each operation succeeds after its time.
    """

    def __init__(self, clock: Clock, waits: Waits) -> None:
        self.clock, self.waits = clock, waits
        self.booted: Callable[[str, str], None] = lambda _name, _token: None
        self._seconds = {"prolog": waits.prolog, "boot": waits.boot, "shutdown": waits.shutdown}

    def run(self, job: Job, finish: Finish) -> None:
        """Succeed later; a VM that has booted goes on by itself."""

        def done() -> None:
            finish(None)
            if job.operation == "boot":
                self.booted(job.context["SET_HOSTNAME"], job.context.get("SNOWMELT_TOKEN", ""))

        self.clock.after(self._seconds.get(job.operation, 0.1), done)

    def deploy_id(self, job: Job) -> str:
        """As the dummy driver names them."""
        return f"{job.host}:{job.name}:dummy"

    def alive(self, vm_id: int) -> bool:
        """A guest never dies by itself."""
        del vm_id
        return True

    def stop(self) -> None:
        """Nothing to stop."""


class Guests:
    """The inside of all VMs."""

    def __init__(self, clock: Clock, waits: Waits, authority: Authority) -> None:
        self.clock, self.waits, self.authority = clock, waits, authority
        self.ca: PuppetCa | None = None
        self.database: PuppetDb | None = None

    def booted(self, name: str, token: str) -> None:
        """A VM runs: it will ask for its certificate."""
        if ca := self.ca:
            request = lambda: ca.ask(name, self.authority.request(name, token))  # noqa: E731
            self.clock.after(self.waits.request, request)

    def signed(self, name: str) -> None:
        """A VM has its certificate: its agent will run and report."""
        if database := self.database:
            self.clock.after(self.waits.puppet, lambda: database.report(name))
