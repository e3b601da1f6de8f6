"""A failure for people: as an SQL script, in words, and as a scenario."""
