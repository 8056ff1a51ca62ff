"""The files of an NNEF model: a folder or an archive, and the tensors in it."""
