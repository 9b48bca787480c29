"""What operators see: logs, metrics, traces, and what is deployed to show them."""
