# The files that let systemd and launchd start the agent: systemd judges its own; launchd is far away, so the property list
# is read by Python's plistlib and its shell line is played with a socket as standard input.

UNITS=$TOP/scripts/systemd
PLIST=$TOP/scripts/launchd/dev.gitseal.agent.plist

# verify_units FOLDER: as a user's manager reads them
verify_units() {
    systemd-analyze --user --man=no verify "$1"/gitseal-agent.socket "$1"/gitseal-agent.service 2>&1 | tee said
    # It warns of what it does not know and goes on; a unit of ours has nothing that it does not know.
    ! grep -F gitseal-agent said
}

# units FOLDER SED-EXPRESSION: copies that name the program under test, changed as the expression says
units() {
    mkdir "$1"
    cp "$UNITS"/gitseal-agent.* "$1"
    sed -i -e "s|^ExecStart=gitseal |ExecStart=$GITSEAL |" -e "${2:-}" "$1"/gitseal-agent.*
}

systemd_accepts_units() {
    # A user's manager has one, and a machine that nobody logged in to has not.
    export XDG_RUNTIME_DIR=$PWD
    units good
    verify_units good
    units unknown 's/^LimitCORE=/LimitCores=/'
    refuses verify_units unknown
    units relative 's|^ListenStream=%t/|ListenStream=run/|'
    refuses verify_units relative
    units no-program 's|^ExecStart=[^ ]*|ExecStart=/nowhere/gitseal|'
    refuses verify_units no-program
    # In tenths of its points: without the lines that take something away it stands above 90.
    local exposed=(systemd-analyze --user security --offline=yes --threshold=70)
    "${exposed[@]}" good/gitseal-agent.service
    units bare '/^Restrict\|^SystemCall\|^MemoryDeny\|^Lock/d'
    refuses "${exposed[@]}" bare/gitseal-agent.service
}

# The shell line of the property list, with a program in gitseal's place that looks at what it was given.
launchd_hands_the_socket_over() {
    mkdir bin
    cat >bin/gitseal <<END
#!$PYTHON3
import os, socket, sys
assert sys.argv[1:] == ["agent", "start", "--foreground"], sys.argv
assert os.environ["LISTEN_PID"] == str(os.getpid()), "the process is another one now"
assert os.environ["LISTEN_FDS"] == "1"
assert all(os.readlink(f"/proc/self/fd/{fd}") == "/dev/null" for fd in range(3)), "the socket is a standard stream too"
given = socket.socket(fileno=3)
assert given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1, "not a listening socket"
given.accept()[0].sendall(b"here")
END
    chmod +x bin/gitseal
    "$PYTHON3" - "$PLIST" "$PWD/bin" <<'END'
import os, plistlib, socket, subprocess, sys

with open(sys.argv[1], "rb") as file:
    job = plistlib.load(file)
assert job["Label"] + ".plist" == os.path.basename(sys.argv[1]), job["Label"]
assert job["Umask"] == 0o077 and job["HardResourceLimits"] == {"Core": 0}
assert job["inetdCompatibility"] == {"Wait": True}
assert job["Sockets"] == {"Listeners": {"SecureSocketWithKey": "GITSEAL_AGENT_SOCK"}}
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind("socket")
    listener.listen()
    environment = {"HOME": os.getcwd(), "PATH": f"{sys.argv[2]}:/usr/bin:/bin"}
    agent = subprocess.Popen(job["ProgramArguments"], stdin=listener, env=environment)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("socket")
        client.settimeout(10)
        assert client.recv(4) == b"here", "nobody answers"
    assert agent.wait(10) == 0
END
}

cell "systemd accepts the agent's units, and not when they are altered" systemd systemd_accepts_units
cell "what launchd runs hands the agent its socket" "" launchd_hands_the_socket_over
