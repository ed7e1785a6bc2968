"""Run records put to work: replay, verify, explain, attribute, bisect, and evidence to take away.

Nothing here decides what a record says (`fourfold.runs`); nothing in rooms below knows of this one. What is
executed is executed in a box of its own: the user's workspace is never touched.
"""
