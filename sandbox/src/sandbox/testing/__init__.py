"""What tests against the sandbox share: a running server, clients for it, and AWS resources."""
