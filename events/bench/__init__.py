"""What the event pipeline does, beside the limits of what it is made of, in one run."""
