"""Real processes that are ended, hurt and overloaded."""
