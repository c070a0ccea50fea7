"""What ``doctor`` looks at: one module a family of checks, one to run them all, one to show what they found."""
