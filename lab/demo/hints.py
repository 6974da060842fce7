"""What to try next: commands to copy."""

from __future__ import annotations

from collections.abc import Mapping

MOVED = ("SNOWMELT_LAB_STATE", "SNOWMELT_LAB_CACHE", "SNOWMELT_LAB_NETNS")  # as the Makefile has it

HINTS = """
Airflow   {url}   user admin, password {password}

Try next (in this folder):
  a release that starts and then fails its health check: the clients notice nothing
    {demo} rollout release=1.2
  a release whose package does not install; one that answers 500 to one request in fifty
    {demo} rollout release=1.3
    {demo} rollout release=1.4
  what a rollout would do, without doing it
    {demo} rollout dry_run=true release=1.0
  kill -9 the scheduler (or the triggerer) in the middle of a rollout
    {ask}{demo} rollout release=1.0 &
    sleep 20; {demo} kill scheduler; wait
  lose OpenNebula's next answer to `instantiate`, after its effect: still one VM per slot
    {demo} lose-answer; {demo} rollout release=1.1
  make a VM by hand, and look at what every system shows
    {demo} by-hand my-snowflake; {demo} world
  everything down
    make demo-down
"""


def sudo(environment: Mapping[str, str]) -> str:
    """Return what has to stand before a command of a person who came here by sudo; or nothing."""
    if "SUDO_USER" not in environment:
        return ""
    moved = ",".join(name for name in MOVED if name in environment)
    return f"sudo --preserve-env={moved} " if moved else "sudo "


def hints(url: str, password: str, sudo: str = "") -> str:
    """Return the text with this lab's address and password, and *sudo* before its commands."""
    return HINTS.format(
        url=url,
        password=password,
        demo=f"{sudo}.venv/bin/python -m lab.demo",
        ask="sudo -v; " if sudo else "",  # what runs in the background cannot ask for a password
    )
