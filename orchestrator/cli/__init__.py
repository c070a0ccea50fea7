"""The command line: one file a family of commands, one for drawing."""
