"""Speed and memory, each side by side with a baseline in one run: ratios, not seconds."""
