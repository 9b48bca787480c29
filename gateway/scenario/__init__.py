"""The Scenario API as part of the graph: assets, downloads and locks."""
