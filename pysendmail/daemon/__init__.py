"""The daemon: it owns the credentials, the warm connections and the queue."""
