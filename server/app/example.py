"""`python -m app.example [NAME]`: start a demo."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import torch

from app import AttributionVisualizer
from app.demos import DEMOS, Demo
from app.errors import InsightsError
from app.stop import leave, until_stopped
from app.web.hosts import allowed
from app.web.server import listen
from app.web.token import VARIABLE, choose

NO_TOKEN = "let in whoever uses this machine; refused where other machines reach it"
ALLOW_HOST = "another name it may be called by, as that of a proxy or of JupyterHub; may be given several times"
COMMAND = "python -m app.example"
EXAMPLES = """\
examples:
  python -m app.example
  python -m app.example --port 8000 --no-browser
  python -m app.example fashion-mnist --data-root ~/datasets
  python -m app.example folder ~/photos --model resnet50
  python -m app.example folder ~/photos --model resnet18 --weights mine.pth --labels names.txt --labels truth.csv

`python -m app.example NAME --help` explains the options of a demo. Ctrl-C stops it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the demo the arguments name, until Ctrl-C; gives the exit status: 143 after SIGTERM."""
    options = parser().parse_args(arguments)
    try:
        # What is wrong with them is said before any work is done, a taken port too.
        listen(options.host, options.port, guarded=choose(options.token) is not None).close()
        names = allowed(options.allow_host)
        with closing(AttributionVisualizer(**DEMOS[options.demo].build(options))) as visualizer:
            visualizer.serve(
                port=options.port,
                host=options.host,
                open_browser=options.browser,
                token=options.token,
                allowed_hosts=names,
            )
            return until_stopped()
    except InsightsError as error:
        print(f"error: {_sentences(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 0


def parser() -> ArgumentParser:
    """The command line: a demo's name with its options, and those of the server before or after it."""
    default = next(iter(DEMOS.values()))
    top = ArgumentParser(
        prog=COMMAND,
        usage="%(prog)s [NAME] [options]",
        description="See why a model predicted what it did, in your browser.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_server_options(
        top, host="127.0.0.1", port=0, browser=True, device=_default_device(), token=None, allow_host=[]
    )
    top.set_defaults(demo=default.name)
    demos = top.add_subparsers(title="demos", metavar="NAME", prog=COMMAND, help=f"(default: {default.name})")
    for demo in DEMOS.values():
        _add_demo(demos, demo)
    return top


def _add_demo(demos: Any, demo: Demo) -> None:
    own = demos.add_parser(demo.name, help=demo.summary, description=demo.details)
    demo.add_arguments(own)
    names = ("host", "port", "browser", "device", "token", "allow_host")
    _add_server_options(own, **dict.fromkeys(names, SUPPRESS))
    own.set_defaults(demo=demo.name)


def _add_server_options(to: ArgumentParser, **default: Any) -> None:
    server = to.add_argument_group("server")
    add, add_token = server.add_argument, server.add_mutually_exclusive_group().add_argument
    add("--host", default=default["host"], help="address to listen on (default: 127.0.0.1)")
    add("--port", type=_port, default=default["port"], help="port to listen on (default: any free one)")
    add(
        "--no-browser", dest="browser", action="store_false", default=default["browser"], help="do not open the browser"
    )
    add_token(
        "--token",
        default=default["token"],
        help=f"what the address has to bring (default: that in {VARIABLE}, which others cannot see, or a random one)",
    )
    add_token("--no-token", dest="token", action="store_false", default=default["token"], help=NO_TOKEN)
    add("--allow-host", action="append", metavar="NAME", default=default["allow_host"], help=ALLOW_HOST)
    add("--device", type=_device, default=default["device"], help="cpu or cuda (default: cuda if present)")


def _sentences(error: InsightsError) -> str:
    hint = error.hint[:1].upper() + error.hint[1:]
    return " ".join(part if part.endswith((".", "?")) else f"{part}." for part in (error.message, hint) if part)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is no port; give a number from 0 (any free one) to 65535")
    return int(text)


def _device(text: str) -> torch.device:
    try:
        device = torch.device(text)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentTypeError(f"{text!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device


def _default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    leave(main())
