"""What was brought up for a while is taken down also when its command is ended from outside."""

from __future__ import annotations

import os
import signal
import sys

_ENDS = (signal.SIGTERM, signal.SIGHUP)  # the latter: a terminal or an ssh session is gone


def take_down_first() -> None:
    """Let a signal raise SystemExit, so that every `finally` is run; once, others are ignored.

    A hang-up that the caller wants to be ignored (nohup) is ignored.
    """
    # asked now: of a terminal that is gone nobody can say that it was one
    terminals = [each.fileno() for each in (sys.stdout, sys.stderr) if each.isatty()]

    def end(number: int, _frame: object) -> None:
        for each in _ENDS:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGHUP:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for terminal in terminals:  # to say something there would fail
                os.dup2(nowhere, terminal)
        sys.exit("ended")

    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
