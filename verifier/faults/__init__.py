"""Faults that strike while an implementation backs up or restores.

A fault is active within :meth:`Fault.strike` and healed when that block is left; the
scenario then looks at what was left behind and tries again. Each fault strikes at the
same place on every run.
"""

from verifier.faults.backup import BackupCut, BackupPoisoned
from verifier.faults.base import Fault, Scene, Way
from verifier.faults.blows import Blow, Cut, Kill, Restart, Run, Stage, Stall, Terminate
from verifier.faults.disk import FullDisk
from verifier.faults.interruption import Interruption
from verifier.faults.migrating import Migrating
from verifier.faults.moment import Moment, Traffic
from verifier.faults.proxy import After, Link, Proxy
from verifier.faults.target import Held, Meanwhile, TargetStopped, Together
from verifier.faults.vocabulary import Faults
from verifier.faults.writing import Writing

__all__ = [
    "After",
    "BackupCut",
    "BackupPoisoned",
    "Blow",
    "Cut",
    "Fault",
    "Faults",
    "FullDisk",
    "Held",
    "Interruption",
    "Kill",
    "Link",
    "Meanwhile",
    "Migrating",
    "Moment",
    "Proxy",
    "Restart",
    "Run",
    "Scene",
    "Stage",
    "Stall",
    "TargetStopped",
    "Terminate",
    "Together",
    "Traffic",
    "Way",
    "Writing",
]
