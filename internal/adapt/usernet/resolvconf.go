package usernet

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	hostResolvConf = "/etc/resolv.conf"
	maxResolvers   = 3 // resolv.conf(5): MAXNS
)

// resolvConf is the host's list of resolvers. It is looked at when a query
// comes and read again only when the file is another one than last time: no
// watch, no timer.
type resolvConf struct {
	path string

	mu    sync.Mutex // guards what follows
	size  int64
	mtime time.Time
	info  os.FileInfo
	addrs []netip.AddrPort
}

// resolvers returns the resolvers of the moment.
func (c *resolvConf) resolvers() []netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.path)
	if err != nil {
		return defaultResolvers()
	}
	if c.info != nil && os.SameFile(c.info, info) && c.size == info.Size() && c.mtime.Equal(info.ModTime()) {
		return c.addrs
	}
	f, err := os.Open(c.path)
	if err != nil {
		return defaultResolvers()
	}
	defer f.Close()
	c.info, c.size, c.mtime = info, info.Size(), info.ModTime()
	c.addrs = parseResolvConf(io.LimitReader(f, 1<<16))
	return c.addrs
}

// parseResolvConf returns the nameservers that resolv.conf(5) names.
func parseResolvConf(r io.Reader) []netip.AddrPort {
	var addrs []netip.AddrPort
	lines := bufio.NewScanner(r)
	for lines.Scan() && len(addrs) < maxResolvers {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil {
			addrs = append(addrs, netip.AddrPortFrom(a, dnsPort))
		}
	}
	if len(addrs) == 0 {
		return defaultResolvers()
	}
	return addrs
}

// defaultResolvers is what resolv.conf(5) says holds when none is named.
func defaultResolvers() []netip.AddrPort {
	return []netip.AddrPort{netip.AddrPortFrom(loopback4, dnsPort)}
}
