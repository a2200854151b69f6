"""Test vectors of the packs: one file per pack, in each what every clause of it meets and refuses."""
