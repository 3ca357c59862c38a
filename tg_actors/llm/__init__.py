"""LLMs: an observation becomes a question, the answer becomes typed views, and never orders."""
