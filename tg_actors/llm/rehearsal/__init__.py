"""A vendor on loopback: what is not asked of real vendors is asked of this one."""
