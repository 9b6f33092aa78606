"""How a policy file is read, step by step: characters → syntax → shape → meaning. policy_file.py puts the steps together."""
