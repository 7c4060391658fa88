"""What people see: progress and tables."""
