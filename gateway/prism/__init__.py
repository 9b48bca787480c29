"""The Prism Hosted API as part of the graph: body scans, their stages and their signed URLs."""
