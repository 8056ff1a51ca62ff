"""What the worker can do: open a model, run it, decode a sample, run what was decoded.

Only the worker process imports what is here: it parses submitted binaries.
"""
