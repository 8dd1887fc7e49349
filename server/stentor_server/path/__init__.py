"""The path of a byte, from the listening socket through the transform and back."""
