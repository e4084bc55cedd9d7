"""The probes of robustness S1 to S3, S5 to S8 and S10, from Python.

Run in a sandbox it prints "S1 ok" or "S1 FAIL what"; as a WSGI application
(`app`, for a deployed service) it answers with the same text and status 500
when something was found. Standard library only.
"""

import ctypes
import errno
import os
import socket
import stat
import sys
import urllib.error
import urllib.request

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def readable(path):
    try:
        os.listdir(path)
        return True
    except OSError:
        pass
    try:
        with open(path, "rb") as f:
            return bool(f.read(1))
    except OSError:
        return False


def host_files():
    for path in ("/proc/1/root", "/proc/1/cwd", "/proc/1/environ", "/proc/1/fd", "/proc/1/mem", "/root", "/home",
                 "/var", "/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/sys/class", "/run"):
        if readable(path):
            yield path + " can be read"
    if os.path.exists("../" * 40 + "etc/shadow"):
        yield "../ leads out of the root"
    with open("/proc/self/mountinfo") as f:
        for line in f:
            if " shared:" in line:
                yield "mount propagates: " + line.strip()


def kernel_knobs():
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
                 "/proc/sys/kernel/modprobe", "/sys/fs/cgroup/release_agent", "/proc/sys/net/ipv4/ip_forward"):
        try:
            with open(path, "wb") as f:
                mode = os.fstat(f.fileno())
                if not (stat.S_ISCHR(mode.st_mode) and mode.st_rdev == os.makedev(1, 3)):
                    yield path + " can be written"
        except OSError:
            pass
    for path in ("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/kallsyms"):
        if readable(path):
            yield path + " can be read"


def starter():
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.close(os.open("/proc/1/exe", flags))
            yield "/proc/1/exe can be opened"
        except OSError:
            pass


def system_calls():
    if os.uname().machine != "x86_64":
        print("S5 skip the numbers are those of x86_64")
        return
    calls = {
        "mount": (165,), "umount2": (166,), "pivot_root": (155,), "unshare": (272, 0x10000000), "setns": (308,),
        "clone3": (435,), "ptrace": (101, 16, 1), "bpf": (321,), "perf_event_open": (298,), "keyctl": (250,),
        "userfaultfd": (323,), "io_uring_setup": (425,), "kexec_load": (246,), "init_module": (175,),
        "open_by_handle_at": (304,), "open_tree": (428,), "fsopen": (430,),
        "socket vsock": (41, 40, 1), "socket alg": (41, 38, 5), "socket netfilter": (41, 16, 3, 12),
        "socket packet": (41, 17, 3),
    }
    for name, args in calls.items():
        ctypes.set_errno(0)
        result = libc.syscall(*(ctypes.c_long(a) for a in args + (0,) * (7 - len(args))))
        if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EPROTONOSUPPORT):
            yield "%s: %s" % (name, os.strerror(ctypes.get_errno()))


def identity():
    with open("/proc/self/status") as f:
        status = dict((k, v.strip()) for k, v in (line.split(":", 1) for line in f))
    want = {"CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    for key, value in want.items():
        if status[key] != value:
            yield "%s is %s" % (key, status[key])
    if os.getuid() == 0:
        yield "user is root"
    with open("/proc/self/uid_map") as f:
        if f.read().split()[1] == "0":
            yield "root of the host is mapped"


def device_nodes():
    want = ["full", "null", "random", "tty", "urandom", "zero"]
    got = sorted(e.name for e in os.scandir("/dev")
                 if not e.is_symlink() and stat.S_IFMT(e.stat().st_mode) in (stat.S_IFCHR, stat.S_IFBLK))
    if got != want:
        yield "devices are %s" % got


def reach():
    port = os.environ.get("PROBE_HOST_PORT")
    for host in ("169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]"):
        yield from metadata(host)
    targets = []
    if port:
        targets += [(h, int(port)) for h in ("127.0.0.1", "0.0.0.0", "::1", "127.1", "10.213.0.3")]
        yield from services("10.213.0.1", port)
    else:
        print("S8 skip no port of the host given")
    for target in targets:
        try:
            socket.create_connection(target, timeout=0.3).close()
            yield "%s:%d can be reached" % target
        except OSError:
            pass
    name = os.environ.get("PROBE_ABSTRACT")
    if name:
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect("\0" + name)
                yield "abstract socket can be reached"
            except OSError:
                pass


def metadata(host):
    """What answers for metadata is the platform's own, and knows only this instance."""
    url = "http://%s/computeMetadata/v1/instance/id" % host
    for why, header in (("without Metadata-Flavor", {}), ("through a proxy", {"Metadata-Flavor": "Google", "X-Forwarded-For": "10.0.0.1"})):
        status, body = get(url, header)
        if status not in (None, 403):
            yield "%s answers %s: %s %.40s" % (host, why, status, body)
    status, body = get(url, {"Metadata-Flavor": "Google"})
    if status == 200 and body != socket.gethostname():
        yield "%s knows another instance: %.40s" % (host, body)


def services(host, port):
    """The server's own port answers for services, as they call each other, and not for the API."""
    for name in ("127.0.0.1", "localhost", host):
        for path in ("/v1/apps/sunya", "/v2/", "/storage/v1/b?project=sunya"):
            status, body = get("http://%s:%s%s" % (host, port, path), {"Host": "%s:%s" % (name, port)})
            if status not in (None, 404):
                yield "%s:%s answers as %s on %s: %s %.40s" % (host, port, name, path, status, body)


def get(url, header):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=header), timeout=1) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError:
        return None, ""


def leftovers():
    for name in os.listdir("/dev/shm"):
        yield "/dev/shm/%s is left" % name
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            try:
                if os.stat("/proc/" + name).st_uid != os.getuid():
                    yield "process %s of another user is visible" % name
            except OSError:
                pass


PROBES = (("S1", host_files), ("S2", kernel_knobs), ("S3", starter), ("S5", system_calls), ("S6", identity),
          ("S7", device_nodes), ("S8", reach), ("S10", leftovers))


def run():
    """Returns the lines and whether something was found."""
    lines, failed = [], False
    for name, probe in PROBES:
        found = list(probe())
        failed = failed or bool(found)
        lines += ["%s FAIL %s" % (name, text) for text in found] or ["%s ok" % name]
    return lines, failed


def app(environ, start_response):
    lines, failed = run()
    start_response("500 Found" if failed else "200 OK", [("Content-Type", "text/plain")])
    return [("\n".join(lines) + "\n").encode()]


if __name__ == "__main__":
    lines, failed = run()
    print("\n".join(lines))
    sys.exit(failed)
