"""What to try next: commands to copy."""

from __future__ import annotations

HINTS = """
Airflow   {url}   user admin, password {password}

Try next (in this folder):
  a release that starts and then fails its health check: the clients notice nothing
    .venv/bin/python -m lab.demo rollout release=1.2
  a release whose package does not install; one that answers 500 to one request in fifty
    .venv/bin/python -m lab.demo rollout release=1.3
    .venv/bin/python -m lab.demo rollout release=1.4
  what a rollout would do, without doing it
    .venv/bin/python -m lab.demo rollout dry_run=true release=1.0
  kill -9 the scheduler (or the triggerer) in the middle of a rollout
    .venv/bin/python -m lab.demo rollout release=1.0 &
    sleep 20; .venv/bin/python -m lab.demo kill scheduler; wait
  lose OpenNebula's next answer to `instantiate`, after its effect: still one VM per slot
    .venv/bin/python -m lab.demo lose-answer; .venv/bin/python -m lab.demo rollout release=1.1
  make a VM by hand, and look at what every system shows
    .venv/bin/python -m lab.demo by-hand my-snowflake; .venv/bin/python -m lab.demo world
  everything down
    make demo-down
"""


def hints(url: str, password: str) -> str:
    """Return the text with this lab's address and password."""
    return HINTS.format(url=url, password=password)
