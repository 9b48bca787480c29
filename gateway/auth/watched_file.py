"""A file that decides who is let in, and whether it has changed."""

from pathlib import Path


class BadKeysError(Exception):
    """Keys that cannot be used: says where, and why."""


class WatchedFile:
    """A file that is read when it is asked for; whether it has changed since is told without reading it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None

    def read(self) -> bytes:
        """Read it. Raises BadKeysError where that cannot be."""
        self._stamp = self._present_stamp()
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise BadKeysError(f"{self.path} cannot be read: {error.strerror}.") from None

    def has_changed(self) -> bool:
        """Whether it is another file than was read last, or gone."""
        return self._present_stamp() != self._stamp

    def _present_stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
