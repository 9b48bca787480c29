"""Real processes on bad days: a gateway, the sandbox with faults, and servers that mean harm."""
