"""`python -m plitka bench`: the old system's procedure against Plitka's, in one run."""
