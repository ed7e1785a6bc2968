"""The command line: parse, call one function, render its result; the only printer."""
