"""The report in a real browser: silent, self-contained, accessible, sortable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import pytest

from eamdeploy.runs.report import Material, build_report, render_html
from tests.eamdeploy.runs.report import album

pytestmark = pytest.mark.chromium
pytest.importorskip("matplotlib", reason="the report's figures need matplotlib")

_AXE = "document.querySelectorAll('details').forEach((fold) => { fold.open = true; });" \
    "return (await axe.run(document, {resultTypes: ['violations']})).violations.map((found) => " \
    "({id: found.id, impact: found.impact, nodes: found.nodes.map((node) => node.html.slice(0, 200))}))"  # fmt: skip


_OPEN = 'document.querySelectorAll("details").forEach((fold) => { fold.open = true; });'


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(build_report(album.full(), "Fashion-MNIST on the kitchen Pi"))


def on_a_phone(html: str, script: str) -> tuple[str, str]:
    """A page that shows ``html`` 390 pixels wide, which no window of Chromium's is, and ``script`` run inside of it."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    frame = f'<iframe style="width:390px;height:844px;border:0" srcdoc="{escape(html)}"></iframe>'
    inside = (
        'const frame = document.querySelector("iframe");'
        'if (frame.contentDocument.readyState !== "complete" || !frame.contentDocument.querySelector("main"))'
        ' await new Promise((done) => frame.addEventListener("load", done));'
        f"return await frame.contentWindow.eval({json.dumps('(async () => {' + script + '})()')});"
    )
    return f"<html><body>{frame}</body></html>", inside


def test_it_says_nothing_and_asks_for_nothing(page: str, visit: Callable[..., Any]) -> None:
    visit_answer = visit(page)
    assert visit_answer.console == []
    assert visit_answer.requests == []


def test_a_request_and_a_message_would_be_seen(page: str, visit: Callable[..., Any]) -> None:
    """The two checks above can fail: without the policy an image is asked for, with it the console complains."""
    leak = '<img src="http://127.0.0.1:9/pixel.png" alt=""></body>'
    without = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", leak)
    assert visit(without).requests == ["http://127.0.0.1:9/pixel.png"]
    guarded = visit(page.replace("</body>", leak))
    assert guarded.requests == []
    assert any("Content Security Policy" in line for line in guarded.console)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["1280,1200", "500,900"])
def test_no_accessibility_violation(
    page: str, visit: Callable[..., Any], fetched: Callable[[str], Path], scheme: str, size: str
) -> None:
    axe = fetched("axe.min.js").read_text("utf-8")
    themed = page.replace('<html lang="en">', f'<html lang="en" style="color-scheme:{scheme}">')
    violations = visit(themed.replace("</body>", f"<script>{axe}</script></body>"), _AXE, size=size).answer
    assert violations == []


def test_axe_would_find_one(page: str, visit: Callable[..., Any], fetched: Callable[[str], Path]) -> None:
    axe = fetched("axe.min.js").read_text("utf-8")
    broken = page.replace("</main>", '<img src="data:,"><p style="color:#bbb;background:#fff">pale</p></main>')
    violations = visit(broken.replace("</body>", f"<script>{axe}</script></body>"), _AXE).answer
    assert {"image-alt", "color-contrast"} <= {violation["id"] for violation in violations}


_SORT = (
    f"{_OPEN}"
    + """
const box = document.getElementById("all-runs"), body = box.querySelector("tbody");
const column = (name) => [...box.querySelectorAll("th")].findIndex((head) => head.textContent === name);
const read = (index) => [...body.rows].map((row) => row.cells[index].textContent.trim());
const index = column("median [interval]"), button = box.querySelectorAll("th")[index].querySelector("button");
button.click();
const up = read(index), marked = button.parentElement.getAttribute("aria-sort");
button.click();
const down = read(index);
const counts = column("instructions");
box.querySelectorAll("th")[counts].querySelector("button").click();
return {up, marked, down, counts: read(counts)};
"""
)


def test_columns_sort_by_number_and_leave_what_is_absent_last(page: str, visit: Callable[..., Any]) -> None:
    answer = visit(page, _SORT).answer
    medians = [float(re.sub(r"^~|[^\d.].*", "", text.lstrip("~"))) for text in answer["up"]]
    assert medians == sorted(medians)
    assert len(set(medians)) > 5
    assert answer["down"] == answer["up"][::-1]
    assert answer["marked"] == "ascending"
    assert answer["counts"][:2] == ["240,000,000", "360,000,000"]
    assert set(answer["counts"][2:]) == {"–"}


_FILTER = (
    f"{_OPEN}"
    + """
const input = document.getElementById("all-runs-filter");
const type = (text) => { input.value = text; input.dispatchEvent(new Event("input")); };
const shown = () => [...document.querySelectorAll("#all-runs tbody tr")].filter((row) => row.offsetParent !== null).length;
const all = shown();
type("INT8 kitchen");
const two = shown(), told = document.querySelector("#all-runs .count").textContent;
type("nothing like this");
const none = shown();
type("");
return {all, two, told, none, again: shown(), labelled: input.labels.length};
"""
)


def test_rows_are_filtered_by_every_word(page: str, visit: Callable[..., Any]) -> None:
    assert visit(page, _FILTER).answer == {
        "all": 9, "two": 2, "told": "2 of 9 rows", "none": 0, "again": 9, "labelled": 1,
    }  # fmt: skip


_KEYS = (
    f"{_OPEN}"
    + """
const all = [...document.querySelectorAll("a[href], button, input, [tabindex='0']")];
const reach = all.filter((node) => node.offsetParent);
const boxes = [...document.querySelectorAll(".scroll")];
const scrolls = boxes.every((node) => node.tabIndex === 0 && node.getAttribute("role") === "region");
const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
return {reach: reach.length, scrolls, wide, negative: reach.filter((node) => node.tabIndex < 0).length};
"""
)


@pytest.mark.parametrize("size", ["1280,1200", "500,900"])
def test_everything_is_reached_without_a_mouse_and_nothing_is_cut_off(
    page: str, visit: Callable[..., Any], size: str
) -> None:
    answer = visit(page, _KEYS, size=size).answer
    assert answer["scrolls"] is True
    assert answer["wide"] is False, "the page itself must not scroll sideways"
    assert answer["negative"] == 0
    assert answer["reach"] > 40


def test_the_theme_button_changes_the_colours(page: str, visit: Callable[..., Any]) -> None:
    script = """
    const colour = () => getComputedStyle(document.body).backgroundColor, button = document.getElementById("theme");
    const before = colour(); button.click(); const after = colour(); button.click();
    return {before, after, back: colour()};
    """
    answer = visit(page, script).answer
    assert answer["before"] == answer["back"] != answer["after"]


def test_names_cannot_become_markup(visit: Callable[..., Any]) -> None:
    html = render_html(build_report(album.hostile(), "</title><script>alert(3)</script>"))
    visit_answer = visit(html, "return [document.scripts.length, document.images.length, document.title]")
    # the page's own script and the test's
    assert visit_answer.answer == [2, 0, "</title><script>alert(3)</script>"]
    assert visit_answer.console == []


def test_an_empty_store_makes_a_page_too(visit: Callable[..., Any]) -> None:
    visit_answer = visit(render_html(build_report(Material(()), "Empty")), "return document.body.innerText")
    assert "No run meets the filter." in visit_answer.answer
    assert visit_answer.console == []


_ATTENTION = (
    f"{_OPEN}"
    + """
const box = document.getElementById("attention-layers"), figure = document.querySelector("#attention svg");
const heads = [...box.querySelectorAll("th")], index = heads.findIndex((head) => head.textContent.includes("mean"));
const read = () => [...box.querySelector("tbody").rows].map((row) => Number(row.cells[index].textContent));
heads[index].querySelector("button").click();
const up = read();
heads[index].querySelector("button").click();
return {up, down: read(), drawn: figure.getBoundingClientRect().height, layers: box.querySelector("tbody").rows.length};
"""
)


def test_attention_is_drawn_and_sorts_by_movement(page: str, visit: Callable[..., Any]) -> None:
    answer = visit(page, _ATTENTION).answer
    assert answer["layers"] == len(album.LAYERS)
    assert answer["up"] == sorted(answer["up"])
    assert answer["down"] == answer["up"][::-1]
    assert answer["drawn"] > 100


# every two words of one figure that cover each other, once all folds are open
_OVERLAPS = (
    f"{_OPEN}"
    + """
const found = [];
let counted = 0;
for (const figure of document.querySelectorAll(".plot svg")) {
  const boxes = [...figure.querySelectorAll("text")].map((node) => [node.textContent.trim(), node.getBoundingClientRect()])
    .filter(([text, box]) => text && box.width > 0);
  counted += boxes.length;
  const whole = figure.getBoundingClientRect();
  for (const [text, box] of boxes)
    if (box.left < whole.left - 1 || box.right > whole.right + 1) found.push([text, "leaves its figure"]);
  for (let one = 0; one < boxes.length; one++)
    for (let other = one + 1; other < boxes.length; other++) {
      const [a, b] = [boxes[one][1], boxes[other][1]];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // a line's box is higher than its letters
      if (wide > 1 && high > 0.3 * Math.min(a.height, b.height)) found.push([boxes[one][0], boxes[other][0]]);
    }
}
return {found, counted};
"""
)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("runs", [1, 4, 12])
def test_no_label_covers_another(visit: Callable[..., Any], runs: int, width: int) -> None:
    html, script = render_html(build_report(album.many(runs), "Labels")), _OVERLAPS
    if width == 390:
        html, script = on_a_phone(html, script)
    answer = visit(html, script).answer
    assert answer["counted"] > 20
    assert answer["found"] == []


def test_a_label_over_another_would_be_found(visit: Callable[..., Any]) -> None:
    html = render_html(build_report(album.many(4), "Labels"))
    text = re.search(r"<text [^>]*>eam-025[^<]*</text>", html)
    assert text is not None
    assert visit(html.replace(text[0], text[0] + text[0].replace("eam", "EAM")), _OVERLAPS).answer["found"]


def test_the_page_of_ten_runs_is_short_and_begins_with_the_answer(visit: Callable[..., Any]) -> None:
    script = """
    const bottom = (query) => document.querySelector(query).getBoundingClientRect().bottom;
    return {height: document.documentElement.scrollHeight, lead: bottom(".lead"), table: bottom(".ranking"),
            open: document.querySelectorAll("details[open]").length};
    """
    answer = visit(render_html(build_report(album.many(10), "Ten")), script).answer
    assert answer["height"] < 4000
    assert answer["lead"] < 500
    assert answer["table"] < 1000
    assert answer["open"] == 0


def test_a_phone_shows_the_page_without_scrolling_sideways(visit: Callable[..., Any]) -> None:
    html, script = on_a_phone(render_html(build_report(album.many(10), "Ten")), _KEYS)
    answer = visit(html, script).answer
    assert answer["wide"] is False
    assert answer["scrolls"] is True


def test_paper_shows_what_is_folded(visit: Callable[..., Any]) -> None:
    script = """
    dispatchEvent(new Event("beforeprint"));
    const printed = document.querySelectorAll("details:not([open])").length;
    dispatchEvent(new Event("afterprint"));
    return [printed, document.querySelectorAll("details[open]").length];
    """
    assert visit(render_html(build_report(album.many(4), "Paper")), script).answer == [0, 0]
