"""``python -m conformance`` is ``nnr-conformance``."""

from conformance.cli import main

if __name__ == "__main__":
    main()
