"""From a suite's file to a plan, its cohorts and their needs. Nothing here loads torch."""
