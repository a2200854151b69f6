"""What do other synthesizers make of a table? Each script runs in the environment of its peer, with one interface."""
