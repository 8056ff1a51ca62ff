"""``python -m conformance`` is ``nnr-conformance``."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python puts the working folder there, which may be a submission with modules in it.
        del sys.path[0]
    from conformance.cli.main import main

    main()
