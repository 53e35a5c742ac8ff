"""The content of a report: sections, tables and wording."""
