"""What the sources' GraphQL types share: scalars, lazily read types, global ids and connections."""
