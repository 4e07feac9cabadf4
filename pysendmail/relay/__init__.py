"""How a message gets out: from an envelope to one outcome for each recipient."""
