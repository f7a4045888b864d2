"""A `python` for the stages that DVC runs in tests: each is a fork of one process that has imported torch already.

A stage of the small study computes for a tenth of a second and imports for three. Nothing of this repository is
imported beforehand: a stage takes the code of the tree it lies in, as ever. What the environment says to libraries when
they are loaded must be what it said to this process; otherwise, and for anything but a script, the real interpreter is
called. Where a test kills processes it asks for that one too (`environment(warm=False)`).
"""

import atexit
import gc
import importlib
import marshal
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
IMPORTED = (
    *("joblib", "numpy", "pandas", "pydantic", "ruamel.yaml", "safetensors.torch", "torch", "tqdm"),
    *("scipy.optimize", "scipy.special", "scipy.stats"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
)
READ_EARLY = ("PYTHON", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "NPY_", "LD_", "LC_", "LANG", "MPL", "TZ")
SHIM = """#!{python} -IS
import marshal, os, socket, sys
def real():
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
if len(sys.argv) < 2 or not sys.argv[1].endswith(".py"):
    real()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = marshal.dumps((sys.argv[1:], os.getcwd(), dict(os.environ)))
    socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(asked)
    answer = server.recv(8)
if not answer:
    sys.exit("the process that stages are forked from has gone")
code = int.from_bytes(answer, "big", signed=True)
if code == {refused}:
    real()
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
REFUSED = 256  # no exit code


@cache
def folder() -> Path | None:
    """Where the `python` lies, its server started; None where processes cannot be forked and watched this way."""
    if not hasattr(os, "pidfd_open"):
        return None
    made = Path(tempfile.mkdtemp(prefix="warm-"))
    ready, told = os.pipe()
    command = [sys.executable, __file__, str(made / "socket"), str(told)]
    server = subprocess.Popen(command, env=_environment_of_stages(), stdin=subprocess.DEVNULL, pass_fds=[told])
    os.close(told)
    atexit.register(_end, server, made)
    with os.fdopen(ready, "rb") as pipe:
        if pipe.read() != b"ready":
            raise RuntimeError(f"{__file__}: the process that stages are forked from did not start")
    shim = SHIM.format(python=sys.executable, address=str(made / "socket"), refused=REFUSED)
    (made / "python").write_text(shim, encoding="utf-8")
    (made / "python").chmod(0o700)
    return made


def _environment_of_stages() -> dict[str, str]:
    """This one, and what dvc.yaml sets for every stage."""
    settings = YAML(typ="safe").load(ROOT / "dvc.yaml")["vars"][0]["python"]
    given = dict(word.split("=", 1) for word in shlex.split(settings) if "=" in word)
    unset = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in {**os.environ, **given}.items() if name not in unset}


def _end(server: subprocess.Popen, made: Path) -> None:
    server.kill()
    server.wait()
    for file in made.iterdir():
        file.unlink()
    made.rmdir()


def _serve(address: str, told: int) -> None:
    """Fork for every call; returns in the process that is to run a script, once it looks as if newly started."""
    mine = _read_early(dict(os.environ))  # before a library adds to it
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # what is not looked at is not copied
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        os.write(told, b"ready")
        os.close(told)
        while True:
            called, _ = listening.accept()
            if _fork() == 0:
                break
            called.close()
    length, files, _, _ = socket.recv_fds(called, 8, 3)
    try:
        with called.makefile("rb") as stream:
            arguments, cwd, environment = marshal.loads(stream.read(int.from_bytes(length, "big")))
    except EOFError:  # the caller was killed before it had asked
        os._exit(0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if _read_early(environment) != mine:
        _answer(called, REFUSED)
    if child := _fork():
        _answer(called, _watched(child, called))
    called.close()
    _begin(arguments, cwd, environment, files)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of threads; those of NumPy's OpenBLAS are made for it
        return os.fork()


def _answer(called: socket.socket, code: int) -> None:
    with suppress(BrokenPipeError):  # the caller has been killed
        called.sendall(code.to_bytes(8, "big", signed=True))
    os._exit(0)


def _watched(child: int, called: socket.socket) -> int:
    """Wait for the script, and kill it where its caller has been killed; its exit code."""
    watched = os.pidfd_open(child)
    ended, _, _ = select.select([watched, called], [], [])
    if watched not in ended:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _read_early(environment: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name.startswith(READ_EARLY)}
    kept.pop("PYTHONPATH", None)
    return kept


def _begin(arguments: list[str], cwd: str, environment: dict[str, str], files: list[int]) -> None:
    """Take the caller's place: its files, folder, environment, arguments and module path."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    paths = environment.get("PYTHONPATH", "")
    first = [Path(arguments[0]).parent, *(paths.split(os.pathsep) if paths else [])]
    sys.path[:] = dict.fromkeys([*(str(Path(path).absolute()) for path in first), *sys.path[1:]])
    sys.argv[:] = arguments


def _run() -> int:
    """The script's exit code, as the interpreter itself has it."""
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave() -> None:
    """End at once: to take every module apart would copy the memory that it shares with the others."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(CODE[0])


CODE = [1]
if __name__ == "__main__":
    atexit.register(_leave)  # before all that is imported, so after what that does in the end
    _serve(sys.argv[1], int(sys.argv[2]))
    CODE[0] = _run()
