"""Context-adaptive binary arithmetic decoding of the levels in a compressed data unit.

``coding`` has the values that go in and out and ``decoding`` the decoder of one payload;
everything else serves it. ``tables``, ``coding`` and ``errors`` do not import numba.
"""
