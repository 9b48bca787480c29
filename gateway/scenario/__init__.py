"""The Scenario API as part of the graph: assets with their tags and locks, and downloads."""
