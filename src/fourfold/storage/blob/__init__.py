"""The blob protocol and its adapters."""
