"""GraphQL over HTTP: bytes in, bytes out."""
