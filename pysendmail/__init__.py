"""pysendmail: a sendmail-compatible local MTA shim (see README.md and docs/architecture.md)."""

__version__ = "0.1.0"
