"""A small AWS on the desk. Never shipped; knows nothing of grantor, so it cannot share the product's mistakes about AWS."""
