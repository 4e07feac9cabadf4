"""What the Makefile runs: installation from a checkout. None of it is installed."""
