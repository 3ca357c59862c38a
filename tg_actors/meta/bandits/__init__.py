"""Bandits: whom to trust next, learnt from what each arm has earned. Pure; randomness comes from outside."""
