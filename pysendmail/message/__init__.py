"""What we carry: addresses, envelopes, messages as bytes, and what is done to them on their way."""
