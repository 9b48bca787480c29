"""Real processes, and what happens when one of them fails; short in CI, long on demand."""
