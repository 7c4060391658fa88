"""Graph to graph: one file a pass; ``pipeline.py`` is the story of a compilation."""
