"""The site in headless Chromium: a board of many entries, one with hostile names everywhere.

Over HTTP and from disk, with scripts and without; by keyboard; in light and dark, on a phone, on
paper.
"""

import functools
import http.server
import re
import threading
import time
from contextlib import contextmanager

import pytest

from helpers.site_boards import CROWD, HOSTILE, STEERING

MARKS = {mark for mark in STEERING if not mark.isprintable()} - set("\r\n")
"""Characters that no page has; line feeds of a page are its own."""
SUITE = "suite/dmc-hard-v1.html"
PAGES = ("index", "registrations", "log", "log/000", "changes", "levels", "submit", "404")

pytestmark = pytest.mark.browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served():
    """Serves a site; its address."""
    servers = []

    def serve(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()


@contextmanager
def opened(browser, address, **look):
    """A page; it must log nothing, and ask nobody but its own site for anything."""
    context = browser.new_context(**look)
    page = context.new_page()
    events, requests = [], []
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    yield page
    assert events == []
    home = re.match(r"http://[^/]+/|file:.*/site/", address)[0]
    outside = [url for url in requests if not url.startswith(home)]
    assert outside == []
    context.close()


def shown(page):
    """Rows of the table that are shown: entry and regime."""
    return page.eval_on_selector_all(
        ".standings tbody tr", "rows => rows.filter(row => !row.hidden).map(row => row.id)"
    )


def means(page):
    """What the ranked rows are sorted by, as shown."""
    return page.eval_on_selector_all(
        ".standings tbody.ranked td.mean", "cells => cells.map(cell => +cell.dataset.sort)"
    )


def press_heading(page, key):
    """Sort by a column, by keyboard, and wait until its rows have moved."""
    moved = "new Promise(done => addEventListener('sort-end', () => done(), {once: true}))"
    page.evaluate(f"() => {{ window.moved = {moved} }}")
    page.locator(f'th[data-key="{key}"] button').focus()
    page.keyboard.press("Enter")
    page.evaluate("window.moved")


def choose(page, name, text):
    """Choose by keyboard, as the letters of an option are typed."""
    page.locator(f'select[name="{name}"]').focus()
    page.keyboard.type(text)


# -- a small board, every day --


def test_a_table_is_sorted_and_filtered_by_keyboard_and_the_address_keeps_it(
    built, browser, served
):
    address = served(built.site) + SUITE
    with opened(browser, address) as page:
        before = shown(page)
        assert len(before) == 6
        choose(page, "regime", "mst")
        assert [row.split("-")[1] for row in shown(page)] == ["mst"] * 3
        page.locator('input[name="ranked"]').focus()
        page.keyboard.press("Space")
        assert shown(page) == [f"r{built.notes['ranked']}-mst"]
        assert page.locator("output").inner_text() == "1 of 6 rows"
        press_heading(page, "mean")
        assert page.url.endswith("#regime=mst&ranked=1&sort=mean+descending")
        link = page.url
        page.locator("button[type=reset]").press("Enter")
        page.locator("th[aria-sort]").wait_for(state="detached")
        assert shown(page) == before

    with opened(browser, link) as page:
        assert shown(page) == [f"r{built.notes['ranked']}-mst"]
        assert page.locator("th[aria-sort]").get_attribute("data-key") == "mean"


def test_the_age_of_the_newest_quorum_is_told_by_a_script(built, browser):
    with opened(browser, (built.site / "index.html").as_uri()) as page:
        assert "days ago: old; the board may have gone on" in page.locator("main").inner_text()


# -- many entries --


def every_page(crowd):
    """One page of each kind, the hostile ones among them."""
    entry = crowd.notes["hostile"]
    submitters = [crowd.notes[name][:16] for name in ("key", "steering")]
    return [
        *(f"{page}.html" for page in PAGES if page != "404"),
        SUITE,
        f"entry/{entry}.html",
        f"entry/{entry - 1}.html",
        f"entry/{crowd.notes['entries'][0]}.html",
        *(f"submitter/{short}.html" for short in submitters),
    ]


@pytest.mark.slow
def test_sorting_and_filtering_move_rows_and_no_rank(crowd, browser, served):
    address = served(crowd.site) + SUITE
    with opened(browser, address) as page:
        texts = "rows => Object.fromEntries(rows.map(r => [r.id, r.cells[0].innerText.trim()]))"
        ranks = page.eval_on_selector_all(".standings tbody tr", texts)
        order = shown(page)
        assert len(order) == 2 * CROWD

        # Down, up, and back to the order of the page.
        press_heading(page, "mean")
        assert means(page) == sorted(means(page), reverse=True)
        press_heading(page, "mean")
        assert means(page) == sorted(means(page))
        assert page.eval_on_selector_all(".standings tbody tr", texts) == ranks
        page.goto("about:blank")
        page.goto(address)
        assert shown(page) == order

        # A filter hides rows, and leaves the others in their order.
        choose(page, "regime", "dense")
        dense = [row for row in order if row.endswith("-dense")]
        assert shown(page) == dense
        choose(page, "level", "L2")
        levels = page.eval_on_selector_all(
            ".standings tbody tr", "rows => rows.filter(r => !r.hidden).map(r => r.dataset.level)"
        )
        assert set(levels) == {"L2"}
        assert [row for row in dense if row in set(shown(page))] == shown(page)
        assert page.eval_on_selector_all(".standings tbody tr", texts) == ranks


@pytest.mark.slow
def test_threat_25_hostile_names_are_text(crowd, browser, served):
    """Script, quotes, templates and marks that turn text around, wherever anybody may write."""
    home = served(crowd.site)
    for path in every_page(crowd):
        with opened(browser, home + path) as page:
            assert page.evaluate("window.hacked") is None, path
            text = page.locator("html").inner_text()
            assert not set(text) & MARKS, path

    # The name stands there as it is, with the key beside it; marks are spelled out.
    entry = crowd.page(f"entry/{crowd.notes['hostile']}.html")
    assert "<script>window" not in entry and "<img src=x" not in entry
    assert "\\u202e\\u2066\\x1b[31m\\x07\\r\\n" in entry
    with opened(browser, f"{home}submitter/{crowd.notes['key'][:16]}.html") as page:
        title = page.locator("h1").inner_text()
        assert title == f"{HOSTILE} {crowd.notes['key'][:16]}"
    with opened(browser, f"{home}submitter/{crowd.notes['steering'][:16]}.html") as page:
        assert page.locator("h1").inner_text().startswith("withdrawn name")
        assert "none of which steers a terminal" in page.locator("main").inner_text()
    with opened(browser, f"{home}entry/{crowd.notes['hostile']}.html") as page:
        assert page.locator("#tensors a").inner_text() == "https://example.org/&lt;script&gt;"


@pytest.mark.slow
def test_names_are_harmless_to_programs_that_read_the_data(crowd):
    for path in (SUITE.replace("html", "csv"), "board.json", "changes.atom"):
        text = crowd.page(path)
        assert not set(text) & MARKS, path
        assert "<script>" not in text or path.endswith((".csv", ".json")), path


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(crowd, browser, scheme):
    from axe_playwright_python.sync_playwright import Axe

    for path in every_page(crowd):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto((crowd.site / path).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        context.close()


@pytest.mark.slow
def test_a_phone_needs_no_sideways_scrolling_of_the_page(crowd, browser):
    look = {"viewport": {"width": 360, "height": 740}}
    for path in every_page(crowd):
        with opened(browser, (crowd.site / path).as_uri(), **look) as page:
            assert page.evaluate("document.documentElement.scrollWidth") == 360, path


@pytest.mark.slow
def test_targets_are_large_enough_to_touch(crowd, browser):
    with opened(browser, (crowd.site / SUITE).as_uri()) as page:
        for part in page.locator("form button, form select, form input, thead button").all():
            box = part.bounding_box()
            assert box["height"] >= 24, part.inner_text()


@pytest.mark.slow
def test_paper_has_the_table_and_no_controls(crowd, browser):
    with opened(browser, (crowd.site / SUITE).as_uri()) as page:
        page.emulate_media(media="print")
        assert not page.locator("form.filters").is_visible()
        assert not page.locator("nav").is_visible()
        assert page.locator(".standings tbody tr").last.is_visible()
        assert page.pdf().startswith(b"%PDF")


@pytest.mark.slow
def test_everything_reads_without_scripts_and_from_disk(crowd, browser):
    with opened(browser, (crowd.site / SUITE).as_uri(), java_script_enabled=False) as page:
        assert page.locator(".standings tbody tr").count() == 2 * CROWD
        assert page.locator(".standings tbody tr").last.is_visible()
        assert not page.locator("form.filters").is_visible()
    entry = crowd.site / f"entry/{crowd.notes['entries'][0]}.html"
    with opened(browser, entry.as_uri(), java_script_enabled=False) as page:
        page.locator("summary").first.click()
        assert page.locator("figure table").first.is_visible()
    with opened(browser, (crowd.site / SUITE).as_uri()) as page:
        choose(page, "regime", "mst")
        assert len(shown(page)) == CROWD


@pytest.mark.slow
def test_a_page_that_is_not_there_knows_the_site(crowd, browser, served, tmp_path):
    """404.html is served in place of any address, so its links begin at the site's root."""
    (tmp_path / "board").symlink_to(crowd.site)
    with opened(browser, served(tmp_path) + "board/404.html") as page:
        assert page.locator("h1").inner_text() == "Nothing is here"
        colour = "getComputedStyle(document.querySelector('h1')).marginTop"
        assert page.evaluate(colour) == "0px", "its style sheet was found"


@pytest.mark.slow
def test_a_second_build_draws_only_what_is_new(crowd, tmp_path, capsys):
    """The cache has a file for each entry. One is missing, as of an entry that is new."""
    kept = {path: path.stat().st_mtime_ns for path in crowd.folder.glob("cache/*/site/*/*.json")}
    assert len(kept) == len(crowd.notes["entries"])
    new = next(iter(kept))
    new.unlink()
    begun = time.perf_counter()
    built = crowd.build(tmp_path / "again")
    seconds = time.perf_counter() - begun
    made = {path for path in kept if path.stat().st_mtime_ns != kept[path]}
    assert made == {new}
    assert built.largest == SUITE
    figures = (
        f"{len(kept)} entries: {crowd.notes['seconds']:.0f} s the first time, {seconds:.1f} s after"
        f" one new entry, largest page {built.largest_bytes:,} bytes, all {built.bytes:,}"
    )
    with capsys.disabled():
        print(f"\n{figures}")
