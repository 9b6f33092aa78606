"""The command line `grantor`: one small module a verb. It talks to people; what it does is the engine's."""
