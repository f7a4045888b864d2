"""What pyproject.toml cannot say: the pipeline's stages lie beside the package here, and are installed inside it."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages("src"), "advlaw.pipeline.stages"],
    package_dir={"": "src", "advlaw.pipeline.stages": "stages"},
    package_data={
        "advlaw.report.templates": ["*"],
        "advlaw.data": ["*.txt"],
        "advlaw.pipeline.stages": ["../dvc.yaml", "../requirements.txt"],
    },
    include_package_data=False,
)
