"""Writes the outcome of `regress` as JUnit XML, which continuous integration shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.entries.regress import Outcome


def junit(outcome: Outcome) -> bytes:
    """The outcome as JUnit XML: a case for each gate, and for each cell of the learning gate."""
    cases = [(gate.name, str(gate.word), gate.detail) for gate in outcome.gates]
    for cell in outcome.cells:
        means = f"{cell.baseline:.1f} to {cell.candidate:.1f} ({cell.change:+.1%})"
        cases.append((f"learning/{cell.cell}", cell.word, f"{means}, Holm p {cell.p:.2g}"))

    # Continuous integration counts failures and skips by these attributes.
    words = [word for _, word, _ in cases]
    suite = ET.Element(
        "testsuite",
        name="mst-bench regress",
        tests=str(len(cases)),
        failures=str(words.count("FAIL")),
        skipped=str(words.count("INCONCLUSIVE")),
        errors="0",
    )

    # An undecided gate is no failure: it shows as skipped, with its reason.
    for name, word, detail in cases:
        case = ET.SubElement(suite, "testcase", classname="mst-bench.regress", name=name)
        if word == "FAIL":
            ET.SubElement(case, "failure", message=detail)
        elif word in ("INCONCLUSIVE", "not compared"):
            ET.SubElement(case, "skipped", message=f"{word}: {detail}")
        ET.SubElement(case, "system-out").text = detail
    ET.SubElement(suite, "system-out").text = outcome.calibration
    document: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return document
