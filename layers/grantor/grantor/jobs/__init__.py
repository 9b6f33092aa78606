"""New data starts its job: one upload is looked at, decided on, started, and what came of it is recorded and told."""
