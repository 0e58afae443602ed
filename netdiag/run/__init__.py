"""Plan -> Recording: the only package that touches the machine.

front     looks whether it can be done, follows the recording while it grows, and ends with it
sandbox   the process in which it is done, as the front sees it: started early, gone with the front
reaper    pid 1 of the sandbox: namespaces, reaping, nothing else
runner    its child: warms the imports, forks a process a cell
ground    where hosts stand: namespaces of this kernel, or containers
docked    containers as ground, and the warden that removes them whoever is killed
cell      one cell from the first socket to the last event
hosts     faults of a program carried out, `acts` those of the Docker engine, each with its proof
watch     what the kernels and /proc say about both ends, on change
"""
