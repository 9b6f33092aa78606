"""ministack, extended from outside: each module adds one thing that AWS has and the server lacks.

It runs in the server's environment, so it imports only the standard library, ministack, its
dependencies and sandbox.
"""
