"""`gateway`, which `python -m gateway` is too."""

import signal
import sys


def main() -> None:
    """Run a command; `serve` is told by SIGHUP to read again, not to end, also before it can."""
    if sys.argv[1:2] == ["serve"] and hasattr(signal, "SIGHUP"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])  # until whoever serves takes it
    from gateway.cli import main as run  # noqa: PLC0415 - what is imported takes seconds

    run(prog_name="gateway")


if __name__ == "__main__":
    main()
