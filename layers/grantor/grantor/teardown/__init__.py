"""What happens before the stack is deleted."""
