"""Where the tests of the report get their browser."""

import browser


def test_a_browser_that_does_not_start_is_passed_over(tmp_path, monkeypatch):
    for name, status in (("chromium", 1), ("google-chrome", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(browser, "NAMES", ("chromium", "google-chrome"))
    assert browser.find() == str(tmp_path / "google-chrome")


def test_why_there_is_none_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(browser, "find", lambda: None)
    monkeypatch.setattr(browser, "can", lambda command: "apt-get" not in command)
    failing = ["sh", "-c", "echo trying; echo no network >&2; exit 1"]
    ways = {"Debian's": [["apt-get", "update"]], "playwright's": [failing], "another": [["true"], ["true"]]}
    monkeypatch.setattr(browser, "WAYS", ways)
    browser.main()
    said = "playwright's: no network; another: installed, but it does not start"
    assert capsys.readouterr().out == f"no browser, so the tests that need one are skipped ({said})\n"
