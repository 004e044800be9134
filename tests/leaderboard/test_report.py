"""The report: what it says, that it needs nothing from outside, and that names from strangers stay text."""

import copy
import json
import shutil
import subprocess
import sys

import pytest

from harness.entries.page import write_report
from harness.entries.verified import Refused
from leaderboard.formats.records import read_evaluations
from leaderboard.pages import report
from leaderboard.pages.curves import returns_panel
from leaderboard.verification.verify import verify

HOSTILE = "<script>window.hacked=1</script>\"'&$x_1$"


@pytest.fixture
def folder(tiny_entry, tmp_path):
    return shutil.copytree(tiny_entry.parent, tmp_path / tiny_entry.parent.name)


@pytest.fixture(scope="module")
def stated(tiny_entry):
    return report.signed_predicate(tiny_entry), json.loads(
        (tiny_entry.parent / "manifest.json").read_bytes()
    )


def rendered(stated, folder, changed=None, verdict=None):
    predicate, manifest = copy.deepcopy(stated)
    (changed or (lambda *_: None))(predicate, manifest)
    return report.render(predicate, manifest, folder, verdict)


def test_a_run_leaves_a_report_of_its_signed_figures(tiny_entry, stated):
    page = (tiny_entry.parent / "report.html").read_text()
    predicate, manifest = stated
    for run in predicate["runs"]:
        assert f'<td class="name">{run["regime"]}</td>' in page
        assert f"<td>{run['score']:.1f}</td>" in page
    assert "4 of 4 runs finished, 0 failed, 0 missing" in page
    assert predicate["signer"]["key_id"][:16] in page
    for said in (
        manifest["command"],
        predicate["plan"]["sha256"],
        predicate["source"]["code_sha256"],
        "envpool 1.2.5",
    ):
        assert said in page
    # the profile; scores, the overview, four regimes; three diagnostics of three modules and one of two
    assert page.count("<figure") == page.count("<svg") == 1 + 1 + 1 + 4 + 11
    assert "mst-bench verify entry.dsse.json" in page


def test_the_same_folder_gives_the_same_bytes(folder):
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


def test_nothing_is_loaded_and_every_id_is_there_once(tiny_entry):
    page = (tiny_entry.parent / "report.html").read_text()
    for outside in ("http:", "https:", "//", "<script", "<link", "<img", "@import", "src="):
        assert outside not in page.replace("://www.w3.org", ""), outside
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))


def test_curves_are_those_of_the_records(tiny_entry, stated):
    panel = returns_panel(read_evaluations(tiny_entry.parent, stated[0]["runs"]))
    lines = (
        (tiny_entry.parent / "runs/cartpole-swingup/mst/0/records.jsonl").read_text().splitlines()
    )
    records = [record for line in lines if (record := json.loads(line))["kind"] == "evaluation"]
    curve = next(curve for curve in panel.curves if curve.regime == "mst")
    assert curve.steps == [record["environment_step"] for record in records]
    assert curve.values == [sum(record["returns"]) / 2 for record in records]
    assert panel.limits[0] < min(curve.values) < max(curve.values) < panel.limits[1]


def test_what_is_lost_is_told_and_counted(stated, folder):
    def lose(predicate, _):
        for number, (status, kind) in enumerate(
            [("failed", "agent"), ("missing", "infrastructure")]
        ):
            reason = f"lost {number}"
            predicate["runs"][number] |= {
                "status": status,
                "score": None,
                "final_returns": [],
                "weights": {},
            }
            predicate["runs"][number]["failure"] = {"kind": kind, "reason": reason, "agent_step": 7}

    page = rendered(stated, folder, lose)
    assert "2 of 4 runs finished, 1 failed, 1 missing" in page
    assert "<td>failed</td><td>agent</td><td>7</td><td>lost 0</td>" in page
    assert "<td>missing</td><td>infrastructure</td><td>7</td><td>lost 1</td>" in page


def hostile(predicate, manifest):
    predicate["suite"] |= {"name": HOSTILE, "changes": [HOSTILE]}
    predicate["unranked_because"] = [HOSTILE]
    predicate["versions"] = {HOSTILE: HOSTILE}
    predicate["hardware"] = {HOSTILE: [HOSTILE]}
    predicate["source"]["commit"] = predicate["times"]["started"] = manifest["command"] = HOSTILE
    predicate["runs"][0]["failure"] = {"kind": "agent", "reason": HOSTILE, "agent_step": 0}
    for run in predicate["runs"]:
        run["regime"] += HOSTILE
        run["task"] = HOSTILE


def test_hostile_names_stay_text(stated, folder):
    page = rendered(stated, folder, hostile, verify(folder / "entry.dsse.json"))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 15


def test_many_seeds_draw_intervals_and_many_regimes_are_told_apart(stated, folder):
    def many(predicate, _):
        runs = predicate["runs"]
        predicate["runs"] = [
            {**run, "regime": f"{run['regime']}{copied}"} for copied in range(3) for run in runs
        ]

    assert rendered(stated, folder, many).count("<li><span") == 12


def test_a_folder_without_an_entry_shows_the_figures_so_far(folder):
    (folder / "entry.dsse.json").unlink()
    (folder / "runs/cartpole-swingup/dst/0/result.json").unlink()
    records = folder / "runs/cartpole-swingup/dst/0/records.jsonl"
    records.write_bytes(records.read_bytes()[:-10])
    page = write_report(folder).read_text()
    assert "Not signed yet" in page
    assert "3 of 4 runs finished, 0 failed, 1 missing" in page
    assert page.count("<figure") == 18
    shutil.rmtree(folder / "runs")
    assert "No evaluation of these runs is recorded yet." in write_report(folder).read_text()


def test_a_changed_entry_has_no_report(folder):
    masks = folder / "runs/cartpole-swingup/dst/0/masks.safetensors"
    masks.write_bytes(masks.read_bytes()[:-1] + b"x")
    with pytest.raises(Refused):
        write_report(folder)
    command = [sys.executable, "-P", "-m", "harness.cli", "report"]
    refused = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    assert refused.returncode == 4
    assert "files:      failed" in refused.stdout
    missing = subprocess.run([*command, str(folder / "nothing")], capture_output=True, text=True)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (2, 1)


# -- in a browser --


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    from helpers.hosts import chromium

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])


def opened(browser, path, **look):
    """The page, and all that it logged or asked for."""
    page = browser.new_context(**look).new_page()
    events = []
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("request", lambda request: events.append(request.url))
    page.goto(path.as_uri())
    return page, events


@pytest.mark.browser
def test_a_browser_shows_it_without_errors_or_requests(browser, tiny_entry, stated):
    path = tiny_entry.parent / "report.html"
    page, events = opened(browser, path)
    assert events == [path.as_uri()]
    assert page.locator("h1").inner_text() == "tiny"
    rows = page.locator("#comparison tbody tr")
    assert rows.count() == 4
    assert f"{stated[0]['runs'][0]['score']:.1f}" in rows.first.inner_text()
    boxes = [figure.bounding_box() for figure in page.locator("figure svg").all()]
    assert len(boxes) == 18
    assert all(box["width"] > 200 and box["height"] > 100 for box in boxes)
    page.locator("summary", has_text="Checks").click()
    assert page.get_by_text("recomputed from the episodes' returns").is_visible()


@pytest.mark.browser
def test_light_and_dark_have_their_own_colours(browser, tiny_entry):
    looks = {}
    for scheme in ("light", "dark"):
        page, _ = opened(browser, tiny_entry.parent / "report.html", color_scheme=scheme)
        style = "element => getComputedStyle(element)"
        looks[scheme] = (
            page.locator("body").evaluate(f"{style}.backgroundColor"),
            page.locator("svg text").first.evaluate(f"{style}.fill"),
            page.locator('svg path[style*="--hue0"]').first.evaluate(f"{style}.stroke"),
        )
    assert looks["light"][:2] == ("rgb(255, 255, 255)", "rgb(28, 30, 33)")
    assert all(light != dark for light, dark in zip(*looks.values(), strict=True))


@pytest.mark.browser
def test_a_phone_needs_no_sideways_scrolling(browser, tiny_entry):
    page, _ = opened(
        browser, tiny_entry.parent / "report.html", viewport={"width": 360, "height": 740}
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("figure").first.bounding_box()["width"] > 300


@pytest.mark.browser
def test_hostile_names_do_nothing_in_a_browser(browser, stated, folder):
    path = folder / "hostile.html"
    path.write_text(rendered(stated, folder, hostile, verify(folder / "entry.dsse.json")))
    page, events = opened(browser, path)
    assert events == [path.as_uri()]
    assert page.evaluate("window.hacked") is None
    assert page.locator("h1").inner_text() == HOSTILE
    assert any(HOSTILE in text for text in page.locator("svg text").all_text_contents())
