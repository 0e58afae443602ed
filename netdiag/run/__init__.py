"""Plan -> Recording: the only package that touches the machine.

The front's side
front       looks whether it can be done, follows the recording while it grows, and ends with it
sandbox     the process in which it is done, as the front sees it: started early, gone with it

The sandbox's side
reaper      pid 1 of the sandbox: namespaces, reaping, nothing else
runner      its child: warms the imports, forks a process a cell
ground      where a cell's hosts stand: namespaces, or what keeping and docked give
keeping     guests: the front's order -> the guests' orders; guest is pid 1 inside one
docked      containers, and the warden that removes them whoever is killed

One cell
cell        from the first socket to the last event; loop is what it waits in
strand      one client with its cable, its program, its sockets, its sleep
server      the server: its process, its end, its coming back
bench       where programs are started; mains and last_words: how they begin and what they said
produce     pushes numbered messages; makers has a stack's own producer make them; requeue gives
            back what nobody finishes
program     a program as faults reach it: signals and new starts, each with its proof
hosts       what each edge of a fault orders; acts: what the Docker engine does for it
listen      what the client says of itself -> events

What is recorded of them
watch       kernels, the server's own view and /proc, on change
sockets     one TCP socket by sock_diag; syscalls: the call in which a thread sleeps
recorder    events into the cell's log
"""
