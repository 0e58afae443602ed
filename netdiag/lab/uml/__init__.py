"""The guest: a User-Mode-Linux kernel that runs the lab anywhere, in real time or on a virtual
clock.

    source     what a kernel is built from: the distribution's package, a directory or a tarball
    build      source -> kernel, tried out, in the user's cache
    trial      the kernel's trial from inside: two hours on its own clock
    kernels    which kernels there are, and which one a run takes
    boot       kernel and init -> the command line and the surroundings of a guest
    console    one guest from outside: its process, its place, what it says
    keeper     all guests of a run: their orders, their processors, a watch on their clocks
    alone      the same where no namespace is to be had, and nothing left behind either
    chance     a guest on a virtual clock is told no randomness of the machine's
    processor  ... and of no counter that keeps another time
    phase      each of its cells begins at the same count of ticks

The guest from inside, its pid 1, is `netdiag.run.guest`.

The rule it guards: the guest's root is the machine's own file system, read-only; only the run
directory is writable. A guest needs no privileges and no namespaces, and leaves nothing behind.
"""

from __future__ import annotations
