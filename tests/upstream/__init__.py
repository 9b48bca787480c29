"""What goes over the network to the upstreams."""
