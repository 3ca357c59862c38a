"""Adapters to the places where orders go, behind one port."""
