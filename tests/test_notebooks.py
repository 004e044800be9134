"""The notebooks of the documentation run from top to bottom, as they are."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="pandas is not installed")

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(DOCS.glob("*.ipynb")), ids=lambda path: path.name)
def test_every_cell_of_a_notebook_runs(path, monkeypatch, capsys):
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("MUJOCO_GL", "disable")
    names = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        assert cell.get("outputs", []) == [], "outputs are of one machine: clear them"
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            exec(compile(source, f"{path.name}:{number}", "exec"), names)
    assert "score" in capsys.readouterr().out
    sys.modules["matplotlib.pyplot"].close("all")
