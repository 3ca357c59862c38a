"""Chaos on real Ray: a cluster on one host, a lively desk, a nemesis, and a judge that trusts nobody."""
