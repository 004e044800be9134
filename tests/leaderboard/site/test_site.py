"""What the site of a board says: ranks, reasons, names, data; and that the same board gives the
same bytes."""

import csv
import hashlib
import json
import shutil
import time
from importlib import resources

import jsonschema
import pytest

from harness.errors import UserError
from helpers.boards import DAY
from helpers.program import call
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.formats.log.tiles import tile_files
from leaderboard.pages.board.meanings import MEANINGS
from leaderboard.verification.verify import CHECKS


def schema(name):
    """A schema that is shipped."""
    path = resources.files("leaderboard.pages.board").joinpath("schemas", f"{name}.v2.json")
    return json.loads(path.read_text())


def rows_of(built):
    """The rows of the one suite, by entry and regime."""
    (suite,) = built.data("board.json")["suites"]
    return {(row["entry"], row["regime"]): row for row in suite["rows"]}


def files_of(folder):
    """Path -> bytes of every file."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def as_somebody(tmp_path, monkeypatch):
    """Commands find no memory and no cache of anybody else."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def copy(built, tmp_path):
    """The board and its site, to be changed."""
    shutil.copytree(built.folder, tmp_path / "copy")
    return type(built)(tmp_path / "copy")


# -- the table --


def test_a_confirmed_entry_is_ranked_and_others_say_why_not(built):
    rows = rows_of(built)
    notes = built.notes
    assert rows[notes["ranked"], "mst"]["rank"] == {"best": 1, "worst": 1}
    assert rows[notes["ranked"], "dense"]["rank"] == {"best": 2, "worst": 2}
    assert rows[notes["waiting"], "mst"]["unranked_because"] == ["not re-evaluated yet"]
    (reason,) = rows[notes["retracted"], "mst"]["unranked_because"]
    assert reason.startswith("retracted by the maintainers")
    page = built.page("suite/dmc-hard-v1.html")
    assert "not re-evaluated yet" in page
    assert "few seeds" in page, "five seeds a row"


def test_ranked_rows_come_first_in_the_order_of_their_places(built):
    (suite,) = built.data("board.json")["suites"]
    ranks = [row["rank"]["best"] if row["rank"] else None for row in suite["rows"]]
    assert ranks == [1, 2, None, None, None, None]


def test_nothing_is_ranked_without_proofs(built, tmp_path, as_somebody):
    """The command itself, which finds neither registration nor release."""
    called = call(
        "board", "build", built.board, "--out", tmp_path / "site", "--people", built.people
    )
    assert called.returncode == 0
    rows = json.loads((tmp_path / "site/board.json").read_bytes())["suites"][0]["rows"]
    assert not any(row["rank"] for row in rows)
    (row,) = [r for r in rows if (r["entry"], r["regime"]) == (built.notes["ranked"], "mst")]
    assert row["unranked_because"] == [
        "its registration is not proven",
        "its seeds are not proven to come from a beacon",
        "it did not run in a released image",
    ]
    assert "a quorum of witnesses saw this log" in called.stderr


def test_an_entry_whose_files_are_gone_keeps_its_page(copy):
    for folder in (copy.board / "entries").glob("*/*"):
        shutil.rmtree(folder)
    copy.build()
    assert rows_of(copy) == {}
    page = copy.page(f"entry/{copy.notes['ranked']}.html")
    assert "its files are not on the board" in page
    assert copy.data(f"entry/{copy.notes['ranked']}.json")["folder"] is None


def test_a_changed_file_takes_the_figures_off_the_page(copy):
    """What was drawn before is not believed: the digest of every file counts."""
    (path,) = [
        path
        for path in copy.board.glob("entries/*/*/results.csv")
        if path.parent.as_posix().endswith(
            copy.data(f"entry/{copy.notes['ranked']}.json")["folder"]
        )
    ]
    path.write_bytes(path.read_bytes() + b" ")
    copy.build()
    assert (copy.notes["ranked"], "mst") not in rows_of(copy)
    assert "does not verify: documents" in copy.page(f"entry/{copy.notes['ranked']}.html")


# -- pages --


def test_an_entry_page_says_where_it_comes_from(built):
    page = built.page(f"entry/{built.notes['ranked']}.html")
    for text in (
        "A quorum had cosigned the leaf",
        "The results of registration 4 are accepted.",
        "figures of the re-evaluation are not on this board",
        "1 of 2 that its submitter had registered",
        "@misc{mst-bench-",
        "The board has no list of this entry",
        "mst-bench verify board/entries/dmc-hard-v1/",
    ):
        assert text in page, text
    for name in CHECKS:
        assert f'<th scope="row">{name}</th>' in page


def test_every_check_of_verify_has_a_meaning():
    assert set(CHECKS) <= set(MEANINGS)


def test_a_retracted_entry_keeps_its_page_with_the_reason(built):
    page = built.page(f"entry/{built.notes['retracted']}.html")
    assert "its runs were another submitter&#39;s" in page
    assert "The row has left the ranking; this page stays." in page
    assert "another submitter&#39;s" in built.page("changes.html")
    assert "another submitter&#39;s" in built.page("changes.atom")


def test_a_submitter_without_a_name_is_shown_by_key(built):
    short = built.notes["nameless"][:16]
    page = built.page(f"submitter/{short}.html")
    assert "withdrawn name" in page
    assert short in page
    assert "blinded, not revealed yet" in page


def test_a_name_is_in_no_data(built):
    for path in (
        built.site / "board.json",
        *built.site.glob("*/*.json"),
        *built.site.glob("*/*.csv"),
    ):
        assert "Lindqvist" not in path.read_text(), path.name
    assert "Lindqvist" in built.page("suite/dmc-hard-v1.html")


def test_a_name_that_is_taken_back_leaves_no_trace(copy):
    for path in copy.people.iterdir():
        path.unlink()
    copy.build()
    assert not [name for name, content in files_of(copy.site).items() if b"Lindqvist" in content]


def test_what_time_brings_follows_from_the_log_alone(built):
    """`open` and `abandoned` are told as of the newest moment that the log names."""
    document = built.data("board.json")
    states = {each["leaf"]: each["state"] for each in document["registrations"]}
    assert sorted(states.values()) == ["open", "submitted", "submitted", "submitted"]
    assert document["now"] < "2026"


# -- data --


def test_data_fits_its_schemas(built):
    jsonschema.validate(built.data("board.json"), schema("board"))
    for entry in ("ranked", "waiting", "retracted"):
        jsonschema.validate(built.data(f"entry/{built.notes[entry]}.json"), schema("entry"))
    assert built.data("schemas/board.v2.json") == schema("board")


def test_the_table_as_csv_has_every_row(built):
    lines = list(csv.DictReader(built.page("suite/dmc-hard-v1.csv").splitlines()))
    rows = rows_of(built)
    assert [(int(line["entry"]), line["regime"]) for line in lines] == list(rows)
    first = rows[built.notes["ranked"], "mst"]
    assert float(lines[0]["mean"]) == first["mean"]
    assert float(lines[0]["cartpole-swingup"]) == pytest.approx(first["mean"])


def test_foreign_programs_find_checkpoint_and_tiles(built):
    log = read_log(FolderFiles(built.board))
    assert (built.site / "checkpoint").read_bytes() == (built.board / "log/checkpoint").read_bytes()
    for path, content in tile_files(log.tree, log.newest.checkpoint.size):
        assert (built.site / path).read_bytes() == content


def test_the_badge_says_level_and_place(built):
    badge = built.page(f"badge/{built.notes['ranked']}.svg")
    assert "dmc-hard v1: L1, mst 1 of 2" in badge
    assert "L0, no rank" in built.page(f"badge/{built.notes['waiting']}.svg")


# -- the build --


def test_the_same_board_gives_the_same_bytes(built, tmp_path):
    """Once from what was drawn before, and once all anew."""
    built.build(tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(built.site)
    shutil.copytree(built.folder, tmp_path / "anew", ignore=shutil.ignore_patterns("cache", "site"))
    anew = type(built)(tmp_path / "anew")
    anew.build()
    assert files_of(anew.site) == files_of(built.site)


def test_no_page_has_inline_styles_scripts_or_outside_sources(built):
    for path in built.site.rglob("*.html"):
        page = path.read_text()
        assert "style=" not in page
        assert page.count("<script") == 2
        assert "'unsafe-inline'" not in page
        for outside in ('src="http', 'src="//', "@import", "<iframe", "onclick"):
            assert outside not in page, path.name


def test_ids_of_a_page_are_unique(built):
    for path in built.site.rglob("*.html"):
        ids = [part.split('"')[0] for part in path.read_text().split(' id="')[1:]]
        assert len(ids) == len(set(ids)), path.name


def test_links_lead_somewhere(built):
    """Those of every page but 404.html, which knows the site's address instead."""
    for path in built.site.rglob("*.html"):
        if path.name == "404.html":
            continue
        for part in path.read_text().split('href="')[1:]:
            target = part.split('"')[0]
            if not target.startswith(("https:", "#")):
                name, _, ident = target.partition("#")
                assert (path.parent / name).exists(), (path.name, target)
                if ident:
                    assert f'id="{ident}"' in (path.parent / name).read_text(), target


@pytest.mark.parametrize("name", ["folder", "file", "board"])
def test_nothing_but_a_site_is_replaced(copy, tmp_path, name):
    out = {"folder": tmp_path / "mine", "file": tmp_path / "note", "board": copy.board}[name]
    if name == "folder":
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
    if name == "file":
        out.write_text("a note")
    before = files_of(tmp_path)
    with pytest.raises(UserError, match="name another folder"):
        copy.build(out)
    assert files_of(tmp_path) == before


def test_a_wrong_log_leaves_the_former_site(copy):
    (copy.board / "log/checkpoint").write_text("nothing\n")
    before = files_of(copy.site)
    with pytest.raises(UserError) as error:
        copy.build()
    assert error.value.code == 4
    assert files_of(copy.site) == before


@pytest.mark.parametrize("url", ["ftp://x/", "https://", "https://a/?b", 'https://a/"onload='])
def test_a_site_has_an_address_that_pages_can_name(copy, url):
    with pytest.raises(UserError):
        copy.build(url=url)


def test_releases_need_a_trust_file(built, tmp_path, as_somebody):
    out = ("--out", tmp_path / "site")
    called = call("board", "build", built.board, *out, "--release", tmp_path / "x.json")
    assert called.returncode == 2
    assert "--release needs --trust" in called.stderr


def test_the_vendored_script_is_the_published_one(built):
    """sortable-tablesort 4.1.7, as npm serves it."""
    published = "a887cf42ad5b69673364c529afe8500b31dfbe3e78c2e623bee6430fc69b990f"
    (script,) = built.site.rglob("sortable.min.js")
    assert hashlib.sha256(script.read_bytes()).hexdigest() == published


# -- threats (numbers of the project's threat table) --


def test_threat_5_many_registrations_of_which_the_best_is_submitted_count_against_it(built):
    """Leaderboard Illusion: 27 private variants, the best one shown."""
    rows = rows_of(built)
    assert rows[built.notes["ranked"], "mst"]["registrations"] == 2
    page = built.page("suite/dmc-hard-v1.html")
    assert "1 of 2" in page
    registrations = built.data("board.json")["registrations"]
    assert [each["registrations"] for each in registrations] == [2, 2, 2, 2]


def test_threat_17_a_stale_clone_is_not_shown_as_new(built, tmp_path, as_somebody):
    """The moment of the newest quorum stands on the page, a script adds its age, and the command
    warns."""
    log = read_log(FolderFiles(built.board))
    _, witnessed = log.witnessed()
    assert time.time() - witnessed > 30 * DAY
    for path in ("index.html", "log.html"):
        assert "data-age>2025-" in built.page(path), path
    called = call("board", "build", built.board, "--out", tmp_path / "site")
    assert "more than 30 days: fetch the board anew" in called.stderr
