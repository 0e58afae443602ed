"""The guest: a User-Mode-Linux kernel that runs the lab anywhere, in real time or on a virtual
clock.

    source   what a kernel is built from: the distribution's package, a directory or a tarball
    build    source -> kernel, in the user's cache
    kernels  which kernels there are, and which one a run takes
    boot     kernel and init -> the command line and the surroundings of a guest
    keeper   the guest from outside: its order, its last words, a watch on its clock
    init     the guest from inside: pid 1, which mounts, runs what it was told, and halts

The rule it guards: the guest's root is the machine's own file system, read-only; only the run
directory is writable. A guest needs no privileges and no namespaces, and leaves nothing behind.
"""

from __future__ import annotations
