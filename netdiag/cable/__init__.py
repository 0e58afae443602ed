"""The cable: every frame between the hosts crosses it, both ends are recorded, and faults fall on
exact packets.

waiting   a trigger that waits for its packet, phase, event or time
core      frames, events and time in; fates, injections and notes out (sans-IO)
arrivals  frames from both ports, the older first
tape      tape.pcapng, written as the frames pass
loop      the process: frames in and out, the control socket, due times
"""
