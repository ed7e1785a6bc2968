"""Attestations: DSSE, in-toto, our predicate of verdicts, SLSA provenance; bytes to values and back.

Nothing here signs, checks a signature, or touches a file: keys are `fourfold.evidence.auditing.signing`,
where statements are kept `fourfold.runs.envelopes`. Documented in ``docs/formats/statements.md``.
"""
