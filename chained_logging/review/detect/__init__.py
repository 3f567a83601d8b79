"""Finding what somebody should look at: rules, baselines, and what both yield."""
