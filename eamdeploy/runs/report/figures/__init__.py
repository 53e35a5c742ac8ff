"""The figures of a report, one a module; each takes runs and gives inline SVG."""
