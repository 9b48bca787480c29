"""How the engine is held against graphql-core, and what it costs."""
