"""A model for others: in formats that need no cervseg."""
