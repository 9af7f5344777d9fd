"""A writer that runs beside a migration, with its own record of what the server acknowledged; and the check against it.

The record is what a target is judged by: it was made without reading anything back, by code that Passage does not share.
"""
