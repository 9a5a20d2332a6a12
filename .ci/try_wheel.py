"""Start an installed wheel far from the sources, without Node, and ask for the page, all its assets and a map."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import files
from pathlib import Path


def get(address: str, path: str = "", data: bytes | None = None) -> bytes:
    """The answer to a request that must succeed; `address` is the printed one, with its token."""
    place, _, token = address.partition("?token=")
    headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(urllib.request.Request(place + path, data, headers), timeout=30) as response:
        if response.status != 200:
            raise SystemExit(f"{path} answered {response.status}")
        return response.read()


def explanation(address: str) -> dict:
    """A finished explanation of the first sample."""
    sample = json.loads(get(address, "api/samples"))["samples"][0]["index"]
    question = json.dumps({"sample": sample, "method": "IntegratedGradients"}).encode()
    job = json.loads(get(address, "api/attributions", question))
    while job["state"] in ("queued", "running"):
        time.sleep(0.1)
        job = json.loads(get(address, f"api/attributions/{job['id']}"))
    if job["state"] != "done":
        raise SystemExit(f"no explanation: {job}")
    return job["attribution"]


def main() -> None:
    """Fail loudly if anything is missing."""
    assets = [str(f) for f in files("attribution-insights") or [] if str(f).startswith("app/static/")]
    for needed in ("app/static/index.html", "app/static/licenses.md"):
        if needed not in assets:
            raise SystemExit(f"the wheel lacks {needed}: {assets}")
    if not any(name.endswith(".js") for name in assets):
        raise SystemExit("the wheel contains no front end")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what runs in the background ignore it
    command = [sys.executable, "-m", "app.example", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stdout or () if "http://" in line)
            address = re.search(r"http://\S+", line)[0]  # type: ignore[index]
            get(address)
            for name in assets:
                get(address, name.removeprefix("app/static/"))
            found = explanation(address)
            get(address, found["inputs"][0]["maps"][0]["url"])
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=30)
    if code != 0:
        raise SystemExit(f"Ctrl-C ended the command with status {code}")
    print(f"wheel on its own: {len(assets)} assets answered 200, and a map; {Path(sys.prefix).name}")


if __name__ == "__main__":
    main()
