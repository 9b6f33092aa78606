"""Questions about access: who can do what where, through which grant, why, and why not."""
