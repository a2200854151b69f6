"""Attacks that several measures share: whom they target, what they guess by, and the risk they leave."""
