"""A model server's answers, recorded on the wire: an eval runs without the model and a network."""


class Recordings:
    """The answers of one suite's file."""
