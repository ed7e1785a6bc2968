"""How alike a repeated run is: levels, outputs matched, tolerances, equivalence of a metric, the verdict."""
