"""Who asks, and what they may do: callers, and the gates that know them."""
