"""Where the results of sets are kept: .ckpt/<kind>/<key> under the repository, until `make clean-cache`.

The key is the hash of everything that decides a result: neither the name of a net, how many there are nor who computes
it does.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def kept_path(kind: str, settings: Mapping[str, Any]) -> Path:
    """Where the result of one item is kept: `settings` is all that decides it, as JSON can hold it."""
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
    return Path(os.environ.get("DVC_ROOT", ".")) / ".ckpt" / kind / key
