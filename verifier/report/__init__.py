"""What a run found, for people (``terminal``) and for programs (``json``).

``model`` collects the proofs as they come in; the writers only read it. Nothing
here asks a database or the rest of the project.
"""
