package usernet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

const guestEnv = "USERNET_TEST_GUEST"

func TestMain(m *testing.M) {
	if os.Getenv(guestEnv) != "" {
		if err := guestMain(); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// guestProcess is a process in a network namespace of its own whose only way
// out is a Net. It ends with the test.
type guestProcess struct {
	net  *Net
	cmd  *exec.Cmd
	in   *json.Encoder
	out  *json.Decoder
	errs *strings.Builder
}

// guestReply is what a scenario came to.
type guestReply struct{ Out, Err string }

// startGuest starts a guest under a policy; without namespaces it skips.
func startGuest(t testing.TB, p Policy) *guestProcess {
	t.Helper()
	g, link := startGuestProcess(t)
	n, err := Attach(link, p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.net = n
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return g
}

// startGuestProcess starts the process and returns the far end of its link.
func startGuestProcess(t testing.TB) (*guestProcess, *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), guestEnv+"=1")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	errs := &strings.Builder{}
	cmd.Stderr = errs
	err = cmd.Start()
	theirs.Close()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("no network namespaces here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Logf("guest: %v\n%s", err, errs)
		}
	})
	link, err := receiveFile(int(ours.Fd()))
	if err != nil {
		t.Fatalf("receive link: %v\n%s", err, errs)
	}
	return &guestProcess{
		cmd: cmd, in: json.NewEncoder(stdin), out: json.NewDecoder(bufio.NewReader(stdout)), errs: errs,
	}, link
}

// run runs a scenario in the guest.
func (g *guestProcess) run(t testing.TB, args ...string) string {
	t.Helper()
	r := g.try(t, args...)
	if r.Err != "" {
		t.Fatalf("%s: %s", args, r.Err)
	}
	return r.Out
}

// try runs a scenario that may fail.
func (g *guestProcess) try(t testing.TB, args ...string) guestReply {
	t.Helper()
	var r guestReply
	if err := g.in.Encode(args); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, g.errs)
	}
	if err := g.out.Decode(&r); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, g.errs)
	}
	return r
}

// guestMain is the guest's side: it makes the link, hands over its far end and
// runs the scenarios that it is told to.
func guestMain() error {
	link, err := makeLink()
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(link), nil, 0); err != nil {
		return fmt.Errorf("send link: %w", err)
	}
	unix.Close(link)
	unix.Close(3)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var args []string
		if err := in.Decode(&args); err != nil {
			return nil
		}
		var r guestReply
		r.Out, err = scenarios[args[0]](args[1:])
		if err != nil {
			r.Err = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// makeLink makes the interface of a sandbox and returns a packet socket on its
// other end.
func makeLink() (int, error) {
	guestMAC, _ := net.ParseMAC(sandbox.GuestMAC)
	gatewayMAC, _ := net.ParseMAC(sandbox.GatewayMAC)
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "eth0", MTU: linkMTU(), HardwareAddr: guestMAC},
		PeerName:  "gw", PeerMTU: uint32(linkMTU()),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return -1, fmt.Errorf("add veth: %w", err)
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		return -1, err
	}
	gw, err := netlink.LinkByName("gw")
	if err != nil {
		return -1, err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return -1, err
	}
	subnet := netip.PrefixFrom(netip.MustParseAddr(sandbox.GuestIP), sandbox.LinkBits).String()
	addr, err := netlink.ParseAddr(subnet)
	if err != nil {
		return -1, err
	}
	gateway := net.ParseIP(sandbox.GatewayIP)
	steps := []error{
		netlink.LinkSetUp(lo),
		netlink.LinkSetARPOff(gw),
		netlink.LinkSetUp(gw),
		netlink.LinkSetUp(eth),
		netlink.AddrAdd(eth, addr),
		netlink.NeighAdd(&netlink.Neigh{
			LinkIndex: eth.Attrs().Index, IP: gateway, HardwareAddr: gatewayMAC, State: netlink.NUD_PERMANENT,
		}),
		netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: gateway}),
	}
	if err := errors.Join(steps...); err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: gw.Attrs().Index}) // ETH_P_ALL, big-endian
}

// linkMTU is sandbox.LinkMTU unless a measurement asks for another.
func linkMTU() int {
	var mtu int
	if _, err := fmt.Sscan(os.Getenv("USERNET_TEST_MTU"), &mtu); err == nil {
		return mtu
	}
	return sandbox.LinkMTU
}

// receiveFile receives one descriptor over a Unix socket.
func receiveFile(socket int) (*os.File, error) {
	_ = unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20})
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) == 0 {
		return nil, errors.New("no descriptor came")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "link"), nil
}

// dialGuest connects from inside the guest.
func dialGuest(network, addr string) (net.Conn, error) {
	return net.DialTimeout(network, addr, 20*time.Second)
}
