"""Runs that outlive their connections: begun here, their events stored, then sent."""
