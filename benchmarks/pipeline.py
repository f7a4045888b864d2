"""Time what a person waits for: a `dvc repro` in which nothing has changed (run `dvc repro` once before).

python benchmarks/pipeline.py [--rounds 5]
"""

import argparse
import statistics
import subprocess
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    seconds = []
    for _ in range(parser.parse_args().rounds):
        start = time.perf_counter()
        done = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
        if "up to date" not in done.stdout:
            raise SystemExit("something was not up to date: run `dvc repro` first")
    print(f"no-op dvc repro: median {statistics.median(seconds):.2f} s [{min(seconds):.2f}, {max(seconds):.2f}]")


if __name__ == "__main__":
    main()
