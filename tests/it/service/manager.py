"""A service manager for stories: sockets that outlive their service, which runs as another user.

usage: manager.py SOCKET MODE GROUP LISTENER USER PROGRAM [ARGUMENT…]

Binds SOCKET (mode MODE, group GROUP) as user LISTENER and a free port of the loopback address, runs the program
as USER with both (sd_listen_fds(3)), again when it fails, and ends with it or on SIGTERM.
"""

import os
import signal
import socket
import sys

path, mode, group, listener, user, *program = sys.argv[1:]
os.umask(0)
if int(listener) != 0:
    os.setuid(int(listener))
unix, tcp = socket.socket(socket.AF_UNIX), socket.socket()
unix.bind(path)
os.chmod(path, int(mode, 8))
if os.getuid() == 0:
    os.chown(path, 0, int(group))
unix.listen(64)
tcp.bind(("127.0.0.1", 0))
tcp.listen(64)
held = [os.dup(unix.fileno()), os.dup(tcp.fileno())]


def service():
    for number, descriptor in enumerate(held):
        os.dup2(descriptor, 20 + number)
    for number in range(len(held)):
        os.dup2(20 + number, 3 + number)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
    os.execv(program[0], program)


child, ending = 0, False


def end(*_):
    global ending
    ending = True
    if child:
        os.kill(child, signal.SIGTERM)


signal.signal(signal.SIGTERM, end)
while not ending:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        service()
    _, status = os.waitpid(child, 0)
    child = 0
    if status == 0:
        break
