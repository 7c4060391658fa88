"""Where everything of a model lies, and how layers are cut into tiles."""
