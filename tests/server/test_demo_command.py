"""`python -m app.example` as a person uses it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app import example
from app.demos import DEMOS

from ..reaching import reached


def test_help_explains_the_server_and_every_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        example.main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(word in shown for word in ["--host", "--port", "--no-browser", "--device", "examples:", *DEMOS])


def test_the_default_demo_does_not_wait_for_torchvision() -> None:
    build = "import sys; from app import example as e; e.DEMOS['digits'].build(e.parser().parse_args([])); "
    command = [sys.executable, "-c", build + "print('torchvision' in sys.modules)"]
    assert subprocess.check_output(command).split() == [b"False"]


@pytest.mark.parametrize("name", list(DEMOS))
def test_every_demo_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        example.main([name, "--help"])
    shown = capsys.readouterr().out
    assert "--no-browser" in shown
    assert ("--data-root" in shown) == (name in ("fashion-mnist", "cifar10"))
    assert ("--weights" in shown) == (name == "folder")


def test_server_options_stand_before_or_after_the_name() -> None:
    parse = example.parser().parse_args
    assert (parse([]).demo, parse([]).port, parse([]).browser, parse([]).host) == ("digits", 0, True, "127.0.0.1")
    for arguments in (["--port", "81", "--no-browser", "cifar10"], ["cifar10", "--no-browser", "--port", "81"]):
        options = parse(arguments)
        assert (options.demo, options.port, options.browser) == ("cifar10", 81, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digit"], "choose from"),
        (["--port", "99999"], "'99999' is no port"),
        (["--port", "many"], "'many' is no port"),
        (["--device", "abacus"], "'abacus' cannot be used"),
        (["folder"], "required: PATH, --model"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        example.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_error_of_the_user_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example.main(["folder", str(tmp_path / "none"), "--model", "resnet18", "--no-browser"]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'} does not exist. Name a folder of images.\n"


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])  # kept for examples by RFC 5737 and RFC 2606
def test_a_host_that_is_not_this_machines_is_a_sentence(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert example.main(["--host", host, "--no-browser"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {host!r} is no address of this machine. Use 127.0.0.1")


def test_a_taken_port_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "app.example", "--port", str(port), "--no-browser"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: port {port} on 127.0.0.1 is taken.")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(("ending", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_serves_until_ctrl_c_or_sigterm(ending: signal.Signals, status: int) -> None:
    command = [sys.executable, "-m", "app.example", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = next(match[0] for line in process.stdout if (match := re.search(r"http://\S+", line)))
        with reached(address, "api/workspace") as answer:
            assert json.load(answer)["title"] == "Handwritten digits"
        process.send_signal(ending)
        _, error = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, error) == (status, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token", "short"], "error: the token has 5 characters: it could be guessed. Use 16 to 512"),
        (["--no-token", "--host", "0.0.0.0"], "error: without a token whoever reaches 0.0.0.0 could read"),
        (["--allow-host", "http://hub.example.org"], "error: 'http://hub.example.org' cannot be an allowed host."),
    ],
)
def test_how_it_cannot_be_guarded_is_said_before_any_work(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert example.main(["folder", "/none", "--model", "resnet18", *arguments]) == 1
    assert capsys.readouterr().err.startswith(said)


def test_guards_stand_before_or_after_the_name() -> None:
    parse = example.parser().parse_args
    assert (parse([]).token, parse([]).allow_host) == (None, [])
    for arguments in (["--no-token", "--allow-host", "a", "cifar10"], ["cifar10", "--no-token", "--allow-host", "a"]):
        assert (parse(arguments).token, parse(arguments).allow_host) == (False, ["a"])
    assert parse(["--allow-host", "a", "--allow-host", "b"]).allow_host == ["a", "b"]
    with pytest.raises(SystemExit):
        parse(["--no-token", "--token", "x"])
