"""Where mail waits: durable on return, claimed by one at a time, crossed off when taken care of.

`contract` says what every backend does, `directory` keeps entries in files, `memory` is the
reference implementation. The layout on disk and what a crash leaves are told in docs/spool.md.
"""
