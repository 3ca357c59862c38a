"""Limits, sizing and breakers: every wish becomes a sized intent or a denial with a code."""
