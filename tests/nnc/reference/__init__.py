"""A slow and literal decoder of payloads, in plain Python, to compare the kernels with.

It follows the text of the format step by step, one bit at a time, and shares nothing with
``conformance.nnc.cabac`` but the values :class:`LevelCoding` and :class:`EntryPoint`.
"""
