"""Inputs on which a right program and a wrong one may differ, made without any submission."""
