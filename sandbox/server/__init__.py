"""ministack, extended from outside: each module here adds one thing that AWS has and the server lacks.

It runs in the server's own environment (.tools/server), so it imports the standard library, ministack and sandbox only.
"""
