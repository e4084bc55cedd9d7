package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"github.com/sunya-cloud/sunya/internal/adapt/account"
	"github.com/sunya-cloud/sunya/internal/adapt/datadir"
	"github.com/sunya-cloud/sunya/internal/adapt/hoststack"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/adapt/ociremote"
	"github.com/sunya-cloud/sunya/internal/adapt/usernet"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// machine is what needs the rights that the process was started with: the data
// directory, the sockets, the launcher. Everything after it runs without them.
type machine struct {
	owner     int // uid that started the server
	dir       *datadir.Dir
	host      *hoststack.Host
	sockets   []*socket
	listeners []front.Listener // on the sockets
	guests    *guests          // what instances ask the metadata server
	apis      *guests          // and Storage and Pub/Sub
	callers   *callers
	engine    *linuxns.Engine
	remote    *ociremote.Client // of other registries
	lent      bool              // another server has what this one holds, or may want it back
}

// openMachine does all that may need root and then gives root up. With a
// predecessor it takes that one's place; until then both serve.
func openMachine(ctx context.Context, cfg Config, pre *predecessor, log *slog.Logger) (m *machine, err error) {
	m = &machine{owner: os.Getuid(), guests: newGuests(log.With("component", "metadata")), apis: newGuests(log.With("component", "inside"))}
	defer func() {
		if err != nil {
			m, err = nil, errors.Join(err, m.close())
		}
	}()
	m.remote = ociremote.New(dockerCredentials(os.Getenv, log), "sunya/"+cfg.Version)
	acct := account.Service()
	owner := datadir.Owner{UID: acct.UID, GID: acct.GID}
	if pre == nil {
		if m.dir, err = datadir.Open(cfg.Data, owner); err != nil {
			return m, err
		}
	}
	if err = m.listen(ctx, cfg, pre, log); err != nil {
		return m, err
	}
	m.callers = newCallers(m.listeners, log.With("component", "callers"))
	if m.host, err = hoststack.Discover(ctx); err != nil {
		return m, fmt.Errorf("look at the machine: %w", err)
	}
	var networks map[string]*os.File
	if pre != nil {
		if err = pre.take(ctx, log); err != nil {
			return m, err
		}
		m.lent = true
		networks = pre.gift.Networks
		if m.dir, err = datadir.Inherit(cfg.Data, owner, pre.lock()); err != nil {
			return m, err
		}
	}
	if m.engine, err = m.openEngine(ctx, cfg, acct, networks, log); err != nil {
		return m, err
	}
	if err := acct.Become(); err != nil {
		return m, fmt.Errorf("give up root: %w", err)
	}
	return m, nil
}

// openEngine starts or finds the launcher.
func (m *machine) openEngine(ctx context.Context, cfg Config, acct account.Account, networks map[string]*os.File, log *slog.Logger) (*linuxns.Engine, error) {
	allowed := m.allowed()
	return linuxns.Open(ctx, linuxns.Config{
		DataDir:   m.dir.Path(),
		ServerUID: acct.UID,
		ServerGID: acct.GID,
		Level:     cfg.Isolation,
		HostPaths: m.host.Prefixes(),
		Prepared:  linuxns.Prepared,
		Network: func(spec sandbox.Spec, link *os.File) (io.Closer, error) {
			policy, log := m.policy(spec, allowed), log.With("sandbox", spec.ID)
			if diverted := networks[spec.ID]; diverted != nil {
				return usernet.AttachAfter(link, diverted, policy, log)
			}
			return usernet.Attach(link, policy, log)
		},
		Inherit: m.lent,
		Command: cfg.command(),
		Log:     log,
	})
}

// policy is where a sandbox may connect: only builds install anything, so only
// they reach what installers need on this machine. A proxy there would take an
// app to wherever the owner gets.
// Instances find a metadata server, Storage and Pub/Sub, and the services of this
// server instead.
func (m *machine) policy(spec sandbox.Spec, allowed []netip.AddrPort) usernet.Policy {
	if spec.Profile != sandbox.Build && spec.Profile != sandbox.Builder {
		return usernet.Policy{Metadata: m.guests.serve(spec), APIs: m.apis.serve(spec), Services: m.callers.from(spec)}
	}
	return usernet.Policy{Allow: allowed}
}

// allowed are the addresses on this machine's loopback that builds may reach
// because an installer's settings name them. The server's own listeners are
// never among them: it would take the sandbox for its owner.
func (m *machine) allowed() []netip.AddrPort {
	own := map[uint16]bool{}
	for _, l := range m.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			own[uint16(a.Port)] = true
		}
	}
	var out []netip.AddrPort
	for _, s := range m.host.Loopback() {
		if a, err := netip.ParseAddrPort(s); err == nil && !own[a.Port()] {
			out = append(out, a)
		}
	}
	return out
}

// port returns the port of the first listener that serves apps with TLS, or
// without; 0 when there is none.
func (m *machine) port(tls bool) int {
	for _, l := range m.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok && l.Roles.Has(front.Apps) && (l.TLS != nil) == tls {
			return a.Port
		}
	}
	return 0
}

// certificate loads the one that the public listeners use, if there is one.
func certificate(cfg Config, log *slog.Logger) (*front.Certificate, error) {
	if cfg.TLSCert == "" {
		return nil, nil
	}
	return front.LoadCertificate(cfg.TLSCert, cfg.TLSKey, log)
}

// close gives back what open took, as far as it got. Sandboxes end, unless another
// server has them.
func (m *machine) close() error {
	var err error
	switch {
	case m.engine == nil:
	case m.lent:
		err = m.engine.Close()
	default:
		err = m.engine.Shutdown(context.Background())
	}
	err = errors.Join(err, m.release())
	switch {
	case m.dir == nil:
	case m.lent:
		err = errors.Join(err, m.dir.Leave())
	default:
		err = errors.Join(err, m.dir.Close())
	}
	return err
}

func (m *machine) release() error {
	var err error
	if m.remote != nil {
		m.remote.Close()
	}
	for _, s := range m.sockets {
		err = errors.Join(err, s.TCPListener.Close())
	}
	return err
}
