"""How the nursery and the fork server speak: the sizes and marks of their messages."""

from __future__ import annotations

import struct

#: What a request begins with: its length, the number of words, what is led (`GROUP`, `SESSION`).
HEAD = struct.Struct("<III")
#: What is told: a process id, or a status as the system gives it.
NUMBER = struct.Struct("<i")
#: The process leads a group of its own; or a session.
GROUP, SESSION = 1, 2
#: How many come with a request: input, output, errors, and where it is told.
DESCRIPTORS = 4
