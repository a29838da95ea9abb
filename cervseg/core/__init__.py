"""Types, files, geometry and errors that every room shares; no torch, no image library."""
