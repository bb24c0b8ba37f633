"""What a response is made of: its head, its body, and how that is decoded."""
