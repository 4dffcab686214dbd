"""Faithful in-memory stand-ins for what is outside a room under test."""
