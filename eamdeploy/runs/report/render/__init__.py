"""Renders a report as HTML, Markdown and SVG."""
