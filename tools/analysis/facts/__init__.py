"""What can be known about code without running it."""
