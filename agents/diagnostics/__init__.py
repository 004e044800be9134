"""What is measured of networks besides their return."""
