"""Copy the study's tables into README.md (not a DVC stage: `make readme`, after a repro).

    python stages/readme.py --params params.yaml
reads   plots/<study>/exponents.csv  ·  plots/<study>/models.csv
writes  README.md, between its markers
"""

from pathlib import Path

from advlaw.config.section import read_section
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_csv, write_text
from advlaw.report.markdown import accuracy_table, exponents_table, replace_block


def main() -> None:
    folder = Path("plots") / read_section(stage_arguments(__doc__).params, "study", str)
    readme = Path("README.md")
    text = readme.read_text(encoding="utf-8")
    text = replace_block(text, "exponents", exponents_table(read_csv(folder / "exponents.csv")))
    text = replace_block(text, "models", accuracy_table(read_csv(folder / "models.csv")))
    write_text(readme, text)
    print(f"README.md: tables of {folder}")


if __name__ == "__main__":
    run(main)
