"""The versions that requirements.txt pins."""

import re
from collections.abc import Sequence

PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)(?:\s*;\s*(.+))?$")
MARKER = re.compile(r"python_full_version\s*(<|>=)\s*'([0-9.]+)'")


def pinned_versions(requirements: str, packages: Sequence[str]) -> dict[str, str]:
    """`{"numpy": "2.4.6 (Python < 3.12), 2.5.5 (Python >= 3.12)"}`; raises ValueError for a package without a pin."""
    found: dict[str, list[str]] = {name: [] for name in packages}
    for line in requirements.splitlines():
        pin = PIN.match(line.strip())
        if pin and pin[1] in found:
            when = MARKER.search(pin[3] or "")
            found[pin[1]].append(f"{pin[2]} (Python {when[1]} {when[2]})" if when else pin[2])
    for name, versions in found.items():
        if not versions:
            raise ValueError(f"requirements.txt: {name}: no version is pinned; run `make lock`")
    return {name: ", ".join(versions) for name, versions in found.items()}
