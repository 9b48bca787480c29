"""What the gateway says over HTTP."""
