"""The search for worlds in which an implementation fails, and the telling of what was found."""
