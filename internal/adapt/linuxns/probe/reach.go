package main

import (
	"net"
	"os"
	"strings"
	"time"
)

// dialTimeout is short: what is reachable here answers at once.
const dialTimeout = 300 * time.Millisecond

// reach is S8: what must not be reachable. PROBE_HOST_PORT is a port on which
// the host listens on all its addresses, PROBE_ABSTRACT an abstract socket.
func reach(fail report) {
	port := os.Getenv("PROBE_HOST_PORT")
	if port == "" {
		fail("skip: no port of the host given")
	} else {
		for _, host := range hostSpellings() {
			dial(fail, "tcp", net.JoinHostPort(host, port))
		}
		services(fail, net.JoinHostPort("10.213.0.1", port), port)
	}
	for _, host := range []string{"169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "::ffff:169.254.169.254"} {
		metadata(fail, net.JoinHostPort(host, "80"))
	}
	dial(fail, "tcp", "[fd00:ec2::254]:80")
	if name := os.Getenv("PROBE_ABSTRACT"); name != "" {
		dial(fail, "unix", "@"+name)
	} else {
		fail("skip: no abstract socket given")
	}
	interfaces(fail)
}

func hostSpellings() []string {
	hosts := []string{"127.0.0.1", "127.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "localhost", "10.213.0.3"}
	return append(hosts, strings.Fields(os.Getenv("PROBE_HOST_ADDRESSES"))...)
}

func dial(fail report, network, address string) {
	conn, err := net.DialTimeout(network, address, dialTimeout)
	if err == nil {
		_ = conn.Close()
		fail("%s %s can be reached", network, address)
	}
}

// interfaces checks that there are no others than the sandbox's own.
func interfaces(fail report) {
	list, err := net.Interfaces()
	if err != nil {
		fail("list interfaces: %v", err)
	}
	for _, i := range list {
		if i.Flags&net.FlagUp != 0 && i.Name != "lo" && i.Name != "eth0" && i.Name != "link0" {
			fail("interface %s is up", i.Name)
		}
		addrs, _ := i.Addrs()
		if i.Name == "link0" && len(addrs) > 0 {
			fail("the far end of the link has addresses %v", addrs)
		}
	}
}
