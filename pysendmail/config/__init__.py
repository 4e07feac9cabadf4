"""What pysendmail is told: one table of keys, read from YAML and the environment into one value."""
