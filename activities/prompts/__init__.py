"""What goes to a model and what comes back: prompts that fit its window, and answers that fit their schema."""
