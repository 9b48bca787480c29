"""One GraphQL endpoint over Prism's body scans and Scenario's assets."""

__version__ = "0.1.0"
