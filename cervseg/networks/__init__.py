"""Networks, built from a NetworkSpec."""
