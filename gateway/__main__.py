"""`gateway`, which `python -m gateway` is too."""

import signal
import sys


def main() -> None:
    """Run a command; `serve` goes by signals from the beginning, though what takes them is not there yet."""
    if sys.argv[1:2] == ["serve"]:
        _heed_signals()
    from gateway.cli import main as run  # noqa: PLC0415 - what is imported takes seconds

    run(prog_name="gateway")


def _heed_signals() -> None:
    """End by SIGTERM, which the first process of a container would not hear; keep SIGHUP for whoever serves."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])


if __name__ == "__main__":
    main()
