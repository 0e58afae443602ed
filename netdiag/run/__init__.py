"""Plan -> Recording: the only package that touches the machine.

front     starts the sandbox, follows the recording while it grows, and ends with it
reaper    pid 1 of the sandbox: namespaces, reaping, nothing else
runner    its child: warms the imports, forks a process a cell
cell      one cell from the first socket to the last event
watch     what the kernels and /proc say about both ends, on change
"""
