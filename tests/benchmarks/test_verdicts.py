"""No planted fault passes and no sound variation is refused: the mutation check of the verdicts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the classifiers are made with onnx")
pytest.importorskip("onnxruntime", reason="and run by onnxruntime")


@pytest.mark.slow
def test_the_verdicts_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.verdicts.__main__ import all_cases

    monkeypatch.chdir(tmp_path)
    cases = all_cases(tmp_path, quick=True)
    counted = Counter(case.fault for case in cases)
    assert counted[True] >= 200
    assert counted[False] >= 200
    assert {case.command for case in cases} == {"compare", "evaluate", "gate", "quantize", "verify"}
    results = [(case, *case.run()) for case in cases]
    wrong = [
        (case.command, case.name, result, sentence) for case, result, sentence in results if not case.right(result)
    ]
    assert wrong == []


def test_a_case_counts_internal_errors_as_wrong() -> None:
    from benchmarks.verdicts.case import VerdictCase

    def crash() -> bool:
        raise ZeroDivisionError

    for fault in (True, False):
        case = VerdictCase("gate", "a bug", fault, crash)
        assert case.run() == ("crashed", "ZeroDivisionError: ")
        assert not case.right("crashed")
