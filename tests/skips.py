"""A skipped test is a failed one where CI=true: what is skipped there is tested nowhere."""

import os

import pytest


def failed_instead(report):
    """The report itself, or a failure in its place."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"{reason}: where CI=true, no test may be skipped"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return failed_instead((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return failed_instead((yield))
