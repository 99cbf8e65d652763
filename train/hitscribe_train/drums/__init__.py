"""The drum network that decides jointly, remembers the passage, and looks at most 160 ms ahead."""
