"""Programs that are built or interpreted by the tools of their own language, in a box."""
