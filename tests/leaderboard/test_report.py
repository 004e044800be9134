"""The report: what it says, and that it needs nothing from outside.

Names from strangers stay text.
"""

import json
import shutil
from dataclasses import replace

import pytest
from markupsafe import escape

from harness.entries import manifest
from harness.entries.manifest import read_manifest
from harness.entries.page import write_report
from harness.entries.verified import Refused
from helpers.hosts import chromium
from helpers.program import call
from leaderboard.formats.plan import Own
from leaderboard.formats.records import learning_curves
from leaderboard.formats.run import Failure, FailureSignature
from leaderboard.formats.suite import Claim
from leaderboard.pages import numbers
from leaderboard.pages.curves import returns_panel
from leaderboard.pages.networks import network_headers, networks
from leaderboard.pages.report import Measured, ReportInput, render
from leaderboard.verification.verify import verify

HOSTILE = "<script>window.hacked=1</script>\"'&$x_1$"


@pytest.fixture
def folder(entry):
    """A copy of a finished run."""
    return entry.parent


@pytest.fixture(scope="module")
def stated(tiny_entry):
    """What a report is drawn from."""
    return ReportInput.of(verify(tiny_entry))


def records_of(folder):
    """Reads the files of a finished run."""
    return lambda name: (folder / name).read_bytes() if (folder / name).exists() else None


def test_a_run_leaves_a_report_of_its_signed_figures(tiny_entry, stated):
    page = (tiny_entry.parent / "report.html").read_text()
    for run in stated.runs:
        assert f'<td class="name">{run.regime}</td>' in page
        assert f"<td>{run.score:.1f}</td>" in page
    assert "4 of 4 runs finished, 0 failed, 0 missing" in page
    assert stated.signer.key_id[:16] in page
    origin = stated.origin
    for text in (
        str(escape(stated.command)),
        stated.plan_sha256,
        origin.source.code_sha256,
        origin.hardware.cpu,
        "envpool 1.2.5",
    ):
        assert text in page

    # Answer, profile, overview, four regimes; three diagnostics of three modules, one of two.
    assert page.count("<figure") == page.count('role="img"') == 1 + 1 + 1 + 4 + 11
    assert "mst-bench verify entry.dsse.json" in page


def test_it_says_what_trained(stated):
    headers = network_headers(stated.plan)
    assert headers[:4] == ["regime", "encoder", "critic", "actor"]
    rows = {row[0]: dict(zip(headers, row, strict=True)) for row in networks(stated.plan)}
    assert rows["mst"]["critic"] == "rigl, T6"
    assert rows["mst"]["actor"] == "static, T5"
    assert rows["mst"]["residual"] == stated.plan.blocks["residual"]

    # A network of its own, without residuals
    blocks = {"encoder": "T4", "critic": "T4", "actor": "T3"}
    own = {group: Own({}, blocks) for group in stated.plan.sizes if group.endswith("/mst")}
    own_rows = {row[0]: row[1:] for row in networks(replace(stated.plan, own=own))}
    assert own_rows["mst"][:4] == ["dense, T4", "rigl, T4", "static, T3", "-"]
    assert own_rows["dst"] == networks(stated.plan)[2][1:], "the others have the suite's"


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
    panel = returns_panel(learning_curves(stated.runs, records_of(tiny_entry.parent)))
    lines = (
        (tiny_entry.parent / "runs/cartpole-swingup/mst/0/records.jsonl").read_text().splitlines()
    )
    records = [record for line in lines if (record := json.loads(line))["kind"] == "evaluation"]
    curve = next(curve for curve in panel.curves if curve.regime == "mst")
    assert curve.steps == [record["environment_step"] for record in records]
    assert curve.values == [sum(record["returns"]) / 2 for record in records]
    assert panel.limits[0] < min(curve.values) < max(curve.values) < panel.limits[1]


def lost(run, failure):
    """The same run, failed or, by the infrastructure, missing."""
    if failure.kind == "agent":
        return replace(run, status="failed", failure=failure, score=None, final_returns=())
    lacking = {"score": None, "final_returns": (), "weights": {}, "environment_steps": 0}
    return replace(run, status="missing", failure=failure, chain_head=None, **lacking)


def test_what_is_lost_is_told_and_counted(stated, folder):
    runs = list(stated.runs)
    for number, cause in enumerate(("agent", "infrastructure")):
        runs[number] = lost(runs[number], Failure(cause, f"lost {number}", 7))
    page = render(replace(stated, runs=tuple(runs)), records_of(folder))
    assert "2 of 4 runs finished, 1 failed, 1 missing" in page
    assert "<td>failed</td><td>agent</td><td>7</td><td>lost 0</td>" in page
    assert "<td>missing</td><td>infrastructure</td><td>7</td><td>lost 1</td>" in page
    assert "finished only" in page
    assert "Nothing is ranked with a missing run" in page


def test_scores_that_somebody_measured_stand_beside_the_claims(stated, folder):
    claimed = render(stated, records_of(folder))
    assert "Scores are what the entry claims" in claimed
    assert ">claimed</th>" not in claimed

    fresh = {run.name: 1.5 + number for number, run in enumerate(stated.runs)}
    measured = Measured(fresh, "the maintainers", "ab" * 20, 200, "L1")
    page = render(replace(stated, measured=measured), records_of(folder))
    assert "Scores were measured anew by the maintainers, key <code>abababababababab</code>" in page
    assert "over 200 fresh episodes of each run's final policy (L1)" in page
    assert ">claimed</th>" in page
    for run in stated.runs:
        assert f"<td>{run.score:.1f}</td>" in page
        assert f"<td>{fresh[run.name]:.1f}</td>" in page


def hostile(stated):
    """The same report, its maker having put markup into every text that is free. Names of suites,
    tasks and regimes are not: their types refuse it."""
    # Where it comes from.
    origin = stated.origin
    hardware = replace(
        origin.hardware, architecture=HOSTILE, cpu=HOSTILE, cpu_flags=(HOSTILE,), gpus=(HOSTILE,)
    )
    origin = replace(
        origin,
        versions={HOSTILE: HOSTILE},
        hardware=hardware,
        source=replace(origin.source, commit=HOSTILE),
        times=replace(origin.times, started=HOSTILE),
        fingerprints={HOSTILE: HOSTILE},
    )

    # The runs, one of them failed.
    runs = list(stated.runs)
    signature = FailureSignature(HOSTILE, 0, 1.0)
    runs[0] = replace(lost(runs[0], Failure("agent", HOSTILE, 0)), failure_signatures=(signature,))

    claim = Claim("O1", HOSTILE, HOSTILE, "headline", "mst", "dense", "score", "above", 0.05)
    fresh = {run.name: 1.0 for run in runs}
    return replace(
        stated,
        suite=replace(stated.suite, changes=(HOSTILE,), claims=(claim,)),
        measured=Measured(fresh, HOSTILE, HOSTILE, 200, "L1"),
        unranked_because=(HOSTILE,),
        command=HOSTILE,
        origin=origin,
        runs=tuple(runs),
    )


def test_hostile_names_stay_text(stated, folder):
    page = render(hostile(stated), records_of(folder))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 15


def test_claims_of_a_suite_that_is_not_shipped_are_called_its_makers(stated, folder):
    """A maker who states no changes could show any claim as a paper's."""
    claim = Claim(
        "A14a", "MST wins", "2510.12096", "headline", "mst", "dense", "score", "above", 1e-9
    )
    own = replace(stated.suite, name="own-scale-5x", changes=(), claims=(claim,))
    sentence = "The suite is none that is shipped"
    assert sentence in render(replace(stated, suite=own), records_of(folder))
    shipped = replace(own, name="scale-5x")
    assert sentence not in render(replace(stated, suite=shipped), records_of(folder))


def test_many_seeds_draw_intervals_and_many_regimes_are_told_apart(stated, folder):
    runs = [
        replace(run, regime=f"{run.regime}{copied}") for copied in range(3) for run in stated.runs
    ]
    assert render(replace(stated, runs=tuple(runs)), records_of(folder)).count("<li><svg") == 2 * 12


def test_a_folder_without_an_entry_shows_the_figures_so_far(folder):
    (folder / "entry.dsse.json").unlink()
    (folder / "runs/cartpole-swingup/dst/0/result.json").unlink()
    records = folder / "runs/cartpole-swingup/dst/0/records.jsonl"
    records.write_bytes(records.read_bytes()[:-10])
    page = write_report(folder).read_text()
    assert "Not signed yet" in page
    assert "3 of 4 runs finished, 0 failed, 1 to come" in page
    assert "Runs that are still to come do not count." in page
    assert ">finished only</th>" not in page, "a run that was not carried out is no zero"
    assert page.count("<figure") == 18
    shutil.rmtree(folder / "runs")
    assert "No evaluation of these runs is recorded yet." in write_report(folder).read_text()


def test_drawing_an_unsigned_folder_neither_simulates_nor_trains(folder, monkeypatch):
    """It once took fingerprints and trained a canary, on whatever machine drew the page, whose
    hardware then stood on it."""

    def forbidden(*_):
        raise AssertionError("a page is drawn from files")

    monkeypatch.setattr(manifest, "Worker", forbidden)
    monkeypatch.setattr(manifest, "canary", forbidden)
    (folder / "entry.dsse.json").unlink()
    sealed = write_report(folder).read_text()
    origin = read_manifest(folder)
    assert origin.fingerprints["cartpole-swingup"] in sealed
    assert origin.nonce in sealed

    (folder / "manifest.json").unlink()
    unsealed = write_report(folder).read_text()
    assert "Not sealed yet" in unsealed
    assert origin.hardware.cpu not in unsealed
    assert "environment fingerprints" not in unsealed


def test_a_changed_entry_has_no_report(folder):
    masks = folder / "runs/cartpole-swingup/dst/0/masks.safetensors"
    masks.write_bytes(masks.read_bytes()[:-1] + b"x")
    with pytest.raises(Refused):
        write_report(folder)
    refused = call("report", folder)
    assert refused.returncode == 4
    assert "files:        failed" in refused.stdout
    missing = call("report", folder / "nothing")
    assert (missing.returncode, len(missing.stderr.splitlines())) == (2, 1)


# -- in a browser --


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

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
    assert page.locator("h1").inner_text() == "own-tiny"
    rows = page.locator("#comparison tbody tr")
    assert rows.count() == 4
    assert f"{stated.runs[0].score:.1f}" in rows.first.inner_text()
    page.evaluate("document.querySelectorAll('.task details').forEach(part => part.open = true)")
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
            page.locator('svg path[stroke*="--hue0"]').first.evaluate(f"{style}.stroke"),
        )
    assert looks["light"][:2] == ("rgb(255, 255, 255)", "rgb(28, 30, 33)")
    assert all(light != dark for light, dark in zip(*looks.values(), strict=True))


@pytest.mark.browser
def test_axe_finds_nothing(browser, tiny_entry):
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("light", "dark"):
        page, _ = opened(browser, tiny_entry.parent / "report.html", color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.browser
def test_pointing_at_a_mark_tells_its_figure(browser, tiny_entry, stated):
    page, _ = opened(browser, tiny_entry.parent / "report.html")
    told = page.locator("#answer svg use title").all_text_contents()
    run = stated.runs[0]
    assert f"{run.regime}, seed {run.seed}: {numbers.number(run.score)}" in told


@pytest.mark.browser
def test_paper_cuts_nothing_off(browser, tiny_entry):
    page, _ = opened(browser, tiny_entry.parent / "report.html")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1032, "height": 720})
    wide = "parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1).length"
    assert page.eval_on_selector_all(".scroll", wide) == 0
    assert page.pdf().startswith(b"%PDF")


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
    path.write_text(render(hostile(stated), records_of(folder)))
    page, events = opened(browser, path)
    assert events == [path.as_uri()]
    assert page.evaluate("window.hacked") is None
    assert HOSTILE in page.locator("#claims").inner_text()
