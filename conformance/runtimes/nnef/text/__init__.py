"""The text of an NNEF graph: tokens, flat syntax, and what the native parser makes of it."""
