"""Why there is no plan. All are ValueErrors: the task that asked turns them into its own family."""

from __future__ import annotations


class PlanError(ValueError):
    """There is no safe plan; the message says why and what to do."""


class CannotSee(PlanError):
    """A system could not be read. A plan on half the truth is a guess; look again later."""


class UnsafePlan(PlanError):
    """The plan would destroy more than the limits allow, or need more room than there is."""


class ForeignVms(PlanError):
    """VMs that are not ours stand under our names."""


class MixedReleases(PlanError):
    """No release was named, and the VMs that serve do not agree on one."""


class Expired(PlanError):
    """The service has come to its end; only a new end brings it back."""


class TooLate(PlanError):
    """The first irreversible step is taken: the only way is forward, or a new rollout."""
