"""File-system primitives: atomic writes, durable batches, links, locks, and the platform seam."""
