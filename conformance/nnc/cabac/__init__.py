"""Context-adaptive binary arithmetic decoding of the levels in a compressed data unit.

``coding`` has the values that go in and out and ``decoding`` the decoder of one payload. That goes
down through ``block_rows`` (which block rows are decoded, and in how many threads), ``levels``
(the kernels of block rows, rows and levels) and ``engine`` (bins); ``tables`` are those of the
format and ``jit`` compiles. ``tables`` and ``coding`` do not import numba.
"""
