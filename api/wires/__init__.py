"""The open protocols that chat clients speak, as encoders of the one union of run events."""
