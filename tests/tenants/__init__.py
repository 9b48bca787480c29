"""For whom upstreams are asked."""
