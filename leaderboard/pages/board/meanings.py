"""What each check of `verify` shows, in one sentence for readers of an entry's page."""

MEANINGS = {
    "envelope": "The entry is one signed document, spelled in the one way that all readers read.",
    "statement": "What was signed has the published form of an entry.",
    "signature": "Nothing changed since the key signed it.",
    "key": "The key is on a list of the reader. On a board, the log says whose it is.",
    "documents": "Plan, suite, manifest and table are the very bytes that were signed.",
    "plan": "The plan's name is its digest, and the suite's name belongs to this plan alone.",
    "manifest": "When, where and with which code it ran is told alike everywhere. It is the"
    " submitter's word.",
    "files": "Every file is as it was signed, and there are no others.",
    "image": "The runs ran in an image that the project released.",
    "runs": "There is a result, a failure or a gap for each planned run, and no other run.",
    "records": "The evaluations of each run form an unbroken chain, at the planned steps.",
    "budgets": "Every run took the planned number of steps and updates, with the planned networks.",
    "scores": "Scores follow from the returns of the episodes, and the returns are possible.",
    "simulation": "The tasks were simulated with the recorded bits.",
    "tensors": "Sparse networks are as sparse as they say, counted in their weights.",
    "registration": "The plan was registered in the board's log, and its seeds follow from there.",
    "witnessed": "Witnesses saw the registration before anybody could know its seeds.",
    "beacon": "The seeds come from public randomness of the time after the registration.",
    "reeval": "Somebody else measured the policies and found the claims true.",
}
"""Check -> what it shows."""
