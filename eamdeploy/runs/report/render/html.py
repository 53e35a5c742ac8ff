"""One HTML file that needs nothing else: styles, script and figures inside, and a policy that forbids any request."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from eamdeploy.base.errors import MissingDependency
from eamdeploy.runs.report.model import Report


def render_html(report: Report) -> str:
    """The report as one page; everything that is not ours is escaped.

    Raises:
        MissingDependency: without jinja2.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingDependency.extra("jinja2", extra="report") from error
    folder = resources.files("eamdeploy.runs.report.render") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (folder / "report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        report=report,
        style=(folder / "report.css").read_text("utf-8"),
        script=script,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'",
    )
