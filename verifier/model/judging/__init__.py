"""What :mod:`verifier.model.allowed` is made of.

:mod:`matter` holds the rows of both sides, :mod:`things` says which of them are one thing,
:mod:`refusals` which of them cannot be restored, :mod:`ending` whether the others were, and
:mod:`honest` whether the claim says so.
"""
