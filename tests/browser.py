"""A browser for the tests that open the report: the system's, or the one that playwright brings.

    python tests/browser.py     # gets one if there is none: root Debian's chromium, others playwright's own

Where neither can be had, it says so, and those tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
GET = "python tests/browser.py"
APT = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
PLAYWRIGHT = [sys.executable, "-m", "playwright", "install"]
WAYS = {  # tried in turn; only root may install what belongs to the system
    "Debian's": [[*APT, "update"], [*APT, "install", "-y", "--no-install-recommends", "chromium"]],
    "playwright's, with the libraries it needs": [[*PLAYWRIGHT, "--with-deps", "chromium"]],
    "playwright's": [[*PLAYWRIGHT, "chromium"]],
}


def find() -> str | None:
    """The first browser that starts."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (*map(shutil.which, NAMES), own) if path and starts(path)), None)


def starts(path: str) -> bool:
    """Whether a browser is there, with the libraries it needs: a package can be a mere hint at another one."""
    if not Path(path).exists():
        return False
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def can(command: list[str]) -> bool:
    if command[0] == "apt-get" or "--with-deps" in command:
        return os.geteuid() == 0 and shutil.which("apt-get") is not None
    return True


def run(commands: list[list[str]]) -> str:
    """What the first command that fails says last; nothing if all went well."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        except subprocess.TimeoutExpired:
            return "it took more than ten minutes"
        if done.returncode:
            return (done.stderr.strip() or done.stdout.strip() or "it failed").splitlines()[-1]
    return ""


def main() -> None:
    said = []
    for name, commands in WAYS.items():
        if found := find():
            print(f"browser: {found}")
            return
        if all(map(can, commands)):
            said.append(f"{name}: {run(commands) or 'installed, but it does not start'}")
    found = find()
    print(f"browser: {found}" if found else f"no browser, so the tests that need one are skipped ({'; '.join(said)})")


if __name__ == "__main__":
    main()
