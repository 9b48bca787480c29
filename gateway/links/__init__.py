"""The only join between the sources: which of Scenario's assets belong to which of Prism's scans."""
