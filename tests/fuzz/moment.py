"""What a target is fed with for a moment: its seeds, changed here and there, and noise."""

from __future__ import annotations

from hypothesis import strategies as st

NOISE = st.binary(max_size=300)

# Where octets are replaced, how many, and by what.
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 4),
        st.binary(max_size=4)
        | st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b".", b'"', b"@", b"250 ", b"421"]),
    ),
    max_size=6,
)


def near(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return seeds with some changes."""
    return st.builds(changed, st.sampled_from(seeds), CHANGES)


def changed(octets: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, count, replacement in changes:
        start = place % (len(octets) + 1)
        octets = octets[:start] + replacement + octets[start + count :]
    return octets
