"""The ground floor: standard library only, no knowledge of any format or feature."""
