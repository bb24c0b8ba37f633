"""What any process of the stack needs, whatever its role."""
