"""The wires: the vendors' own clients, tamed. Everything here touches the network."""
