"""What is left of VMs that are gone, in every system that answers, and its end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from include.catalogue.model import Service
from include.planner import Facts
from snowmelt.errors import SnowmeltError, raise_all
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.identity import forget
from snowmelt.look import facts_of_those_that_answer

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

Named = Callable[[Facts, Collection[str]], Iterable[str]]


def forget_remains(service: Service, named: Named, task: BaseOperator) -> list[str]:
    """Remove what is left of the VMs that *named* names, and return their names.

    *named* is asked with what is known, and PuppetDB's active nodes: a system that is away keeps
    none of the others from forgetting them.

    Raises:
        SnowmeltError: some did not answer, or something stays; all else is removed.
    """
    known, away = facts_of_those_that_answer(service)
    nodes = _nodes(service, away)
    names = sorted(named(known, nodes))
    for remove in (_leave_pool, forget):  # whoever looks into the pool sees nobody who is gone
        try:
            remove(service, names, task)
        except SnowmeltError as error:
            away.append(error)
    raise_all(away)
    return names


def _leave_pool(service: Service, names: Iterable[str], task: BaseOperator) -> None:
    if service.balancer:
        balancer = balancer_for(service.connections.balancer)
        for name in names:
            outcome = balancer.remove_member(service.balancer.pool, name, cut=True)
            task.log.info("%s %s from pool %s", outcome, name, service.balancer.pool)


def _nodes(service: Service, away: list[SnowmeltError]) -> Collection[str]:
    try:
        return PuppetDbHook(service.connections.puppetdb).nodes()
    except SnowmeltError as error:
        away.append(error)
        return ()
