"""What files mean beyond their bytes: two archives, models or tables that say the same in other bytes.

One module a family of formats reads bytes into a `model.Content`; `reading` finds the module for a file;
`model.compare` says how alike two contents are. Nothing here runs what a file says: a pickle is read, never
loaded. Formats that only a large library can read are read by that library where it is installed.
"""
