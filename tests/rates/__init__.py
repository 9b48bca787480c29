"""How often: meters, callers' accounts, and processes that share them."""
