"""The process in which all stages of an audit run, one after another, so that torch is imported once.

    python -m advlaw.audit.host DESCRIPTOR
Each line from the socket DESCRIPTOR is a script and its arguments, in JSON; the answer is a line with its exit code.
"""

import json
import runpy
import socket
import sys
import traceback


def main(descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rw", encoding="utf-8") as lines:
        channel.set_inheritable(False)
        for line in lines:
            lines.write(f"{exit_code(json.loads(line))}\n")
            lines.flush()


def exit_code(command: list[str]) -> int:
    """Run a script as `python` would, and say what goes wrong in it as `python` would."""
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr, flush=True)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
