"""What Prometheus is told: read from the objects that count, when it asks."""
