"""From a suite's file to a plan, its cohorts and what they will take. Nothing here loads torch."""
