"""Whoever starts the tests: Ctrl-C is heard, here and by the programs that tests start.

A shell has what it starts in the background ignore it, and so would all that is started from there.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
