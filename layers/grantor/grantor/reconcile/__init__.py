"""One run of the reconciler, from an SQS batch to its report."""
