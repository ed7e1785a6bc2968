"""Raw bytes elsewhere: one small blob protocol, its adapters, and wrappers; no hashing, no meaning."""
