"""`trace`: one exchange as a waterfall."""
