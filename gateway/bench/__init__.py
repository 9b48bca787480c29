"""What the gateway costs: its own CPU a query, and requests a second beside a bare server with the same bytes."""
