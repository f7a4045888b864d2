"""The reports in a browser, on narrow and wide screens: nothing is cut off, fetched, or out of a keyboard's reach."""

import re

import pytest
from browser import GET, find
from playwright.sync_api import sync_playwright
from report_pages import PAGES, checkout, make

from advlaw.claims.finding import VERDICTS

PATIENCE = 300_000  # ms, on a busy machine


@pytest.fixture(scope="module")
def root(committed, tmp_path_factory):
    return checkout(committed, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module", params=PAGES)
def page(request, root):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return make(root, monkeypatch, *PAGES[request.param])


@pytest.fixture(scope="module")
def browser():
    executable = find()
    if executable is None:
        # a user without a browser; the fast tests read the same page, and where CI=true a skip is a failure
        pytest.skip(f"no browser to open the report in; `{GET}` gets one")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"], timeout=PATIENCE)
        yield launched
        launched.close()


CUT_OFF = """() => [...document.querySelectorAll("table")].filter((table) => {
  const box = table.closest(".scroll"), isWider = box.scrollWidth > box.clientWidth + 1;
  return isWider !== box.querySelector(".hint").getBoundingClientRect().height > 10;
}).map((table) => table.caption.textContent)"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_page_in_a_browser(browser, page, width):
    opened, complaints, requests = browser.new_page(viewport={"width": width, "height": 800}), [], []
    opened.set_default_timeout(PATIENCE)
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(page.as_uri())
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Skip to the results"
    height = opened.evaluate("document.documentElement.scrollHeight")
    assert height < (12_000 if width == 1280 else 17_000)
    top = opened.locator("figure img").first.evaluate("(image) => image.getBoundingClientRect().top")
    assert top < (500 if width == 1280 else 1000)

    claims = opened.locator(".claims > li")
    assert claims.count() == 2 * len(VERDICTS)
    assert opened.locator(".claims > li:visible").count() == 2 * (len(VERDICTS) - 1)
    first = claims.first.locator("summary")
    first.focus()
    opened.keyboard.press("Enter")
    assert claims.first.locator("table").is_visible()
    assert re.fullmatch(r"1\.52 \[1\.40, 1\.64\].*", first.get_by_role("img").get_attribute("aria-label"))

    opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert (
        opened.locator("figure").get_by_role("img", name=re.compile(".{10,}")).count()
        == opened.locator("figure").count()
    )
    assert opened.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate(CUT_OFF) == []  # a table that is wider than its box says so
    opened.close()
    assert complaints == []
    assert requests == [page.as_uri()]
