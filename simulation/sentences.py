"""The promises, as sentences. What breaks one names it by its key."""

MOMENT = {
    "unmanaged-stays": "Nothing that this stack does not manage is ever deleted.",
    "right-stays": "Nobody loses a right that the same rule gives all the time a run reads.",
    "no-more-than-asked": (
        "Nobody gets a grant that no version of a policy file gives while a run reads: "
        "at most the old and the new together."
    ),
    "bounds-hold": "Nobody gets a grant outside of the bounds of its file.",
    "suspended-gets-nothing": "Whoever is suspended gets nothing.",
    "intent-first": "Every grant is in the ledger before it is made.",
    "mark-first": "Every grant is marked in the ledger before it is deleted.",
    "tagged": "Every grant that we make carries the name of the stack and of a rule.",
    "forgotten-last": "The ledger forgets a grant only when it is gone, or is not ours.",
    "one-writer": "Only the holder of the lease writes the ledger.",
    "lease-ends-work": "A run whose lease has expired begins at most one change more.",
    "losses-asked": "Nobody loses more grants in a day than the guard's limit, unasked.",
    "gifts-asked": "No policy file gives more new grants in a day than the guard's limit, unasked.",
    "strangers-asked": "No other account gets a grant that nobody has approved.",
    "whole-bucket-asked": "Nobody gets a whole bucket that nobody has approved.",
    "approval-was-given": "A run that reports an approval has one, by somebody who saw the plan.",
    "approval-is-for-what-was-shown": "An approved run changes nothing that was not shown.",
    "approval-is-used-once": "An approval is used once.",
    "author-does-not-approve": "Nobody approves what they are known to have written.",
    "accepted-was-current": "A version is accepted only if it is valid and was current.",
    "deleted-was-gone": "A policy file counts as deleted only if it was gone while a run read.",
    "additive-takes-nothing": "What an additive file gave, no run takes because its rule is gone.",
    "plan-changes-nothing": "A plan changes nothing.",
    "report-is-true": "A run's report names exactly the grants that it made and deleted.",
    "history-first": "The history has a change before the ledger confirms or forgets it.",
}
AT_REST = {
    "wanted-exists": "At rest, everything that the policy files give exists.",
    "nothing-else-exists": "At rest, no grant of ours exists that nothing gives.",
    "ledger-is-true": "At rest, the ledger is exactly the grants of ours that exist, with ids.",
    "reasons-are-true": "At rest, the ledger's reasons are the rules that give the grant.",
    "suspended-is-gone": "At rest, whoever is suspended has no grant of ours.",
    "ended-goes-unasked": (
        "What has ended, has moved to another role, or is suspended goes in the next run over "
        "everything, without an approval."
    ),
    "files-are-accepted": "At rest, the accepted versions are those of the files.",
    "nothing-waits": "At rest, no trigger waits, and nobody holds the lease.",
    "waiting-is-known": "A plan that waits for an approval was in an alert.",
    "no-dead-letters": "No event ends in the dead-letter queue.",
    "rest-is-reached": "Once faults stop, a few runs over everything lead to rest.",
    "second-run-changes-nothing": "At rest, one more run changes nothing.",
}
PROMISES = MOMENT | AT_REST
