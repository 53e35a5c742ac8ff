"""A report of stored runs: one HTML file for people, Markdown for pull requests."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.files import atomic_write_text
from eamdeploy.runs.report.collect import Material, collect
from eamdeploy.runs.report.content.sections import build_report
from eamdeploy.runs.report.render.html import render_html
from eamdeploy.runs.report.render.markdown import render_markdown

DEFAULT_TITLE = "eamdeploy report"


def write_html(path: Path | str, material: Material, title: str = DEFAULT_TITLE) -> int:
    """Write the page, whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        MissingDependency: without matplotlib or jinja2.
        UsageError: when the file cannot be written.
    """
    text = render_html(build_report(material, title))
    atomic_write_text(path, text)
    return len(text.encode("utf-8"))


__all__ = ["DEFAULT_TITLE", "Material", "build_report", "collect", "render_html", "render_markdown", "write_html"]
