"""Documents by key: how they are kept, for how long, and by whom they are fetched."""
