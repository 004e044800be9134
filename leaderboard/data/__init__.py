"""What plans measured, as tables that other programs read."""
