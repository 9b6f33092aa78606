"""The review: who has access to what, as a page that somebody signs."""
