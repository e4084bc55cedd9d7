package node

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/adapt/postgres"
	"github.com/sunya-cloud/sunya/internal/adapt/s3"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Config is everything that can be said to a server when it starts. The zero
// value of a field stands for the default named beside it.
type Config struct {
	Version string // of the program

	// Replace takes over from the server that runs on the data directory, if one
	// does: its sockets and instances.
	Replace bool
	// Args are how the program was started, for a later one that is to replace it;
	// nil: nobody is told.
	Args []string

	Data      string // data directory; DefaultData()
	Ephemeral bool   // a fresh data directory that is removed at the end
	Blobs     string // URL of the S3 bucket of objects' bytes; files in the data directory
	Events    string // URL of the Postgres database of events; a file in the data directory

	Listen  []string // ADDR[,roles=apps+api+console]; 127.0.0.1:8080 with all roles
	Public  []string // short for ADDR,roles=apps
	TLSCert string   // PEM files; with both, the public listeners speak TLS
	TLSKey  string

	// TrustedProxies are the peers whose X-Forwarded-* headers are believed.
	TrustedProxies []netip.Prefix

	// RegistryMirrors are HOST=MIRROR[:PORT] and HOST=local: where container
	// images of other registries are pulled from.
	RegistryMirrors []string

	Domain  string // what service names stand in front of; localhost
	Project string // default project; sunya

	IdleTimeout time.Duration // from an instance's last request to its stop; 15 min
	MaxMemory   int64         // bytes for all instances together; what the machine has
	Isolation   sandbox.Level // demanded level; the best there is
}

// The defaults.
const (
	DefaultListen      = "127.0.0.1:8080"
	DefaultDomain      = "localhost"
	DefaultProject     = "sunya"
	DefaultIdleTimeout = 15 * time.Minute
)

// DefaultData is where a server keeps its data unless told otherwise.
func DefaultData(getenv func(string) string) string {
	if os.Getuid() == 0 {
		return "/var/lib/sunya"
	}
	if dir := getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "sunya")
	}
	return filepath.Join(getenv("HOME"), ".local", "share", "sunya")
}

var domainRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// complete fills in the defaults and refuses what cannot work.
func (c *Config) complete() error {
	if c.Data == "" && !c.Ephemeral {
		c.Data = DefaultData(os.Getenv)
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{DefaultListen}
	}
	if c.Domain == "" {
		c.Domain = DefaultDomain
	}
	if c.Project == "" {
		c.Project = DefaultProject
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	switch {
	case !domainRE.MatchString(c.Domain):
		return sunya.Invalid("--domain", "%q is not a domain name: use lower-case letters, digits, dashes and dots, such as apps.example.org", c.Domain)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return sunya.Errorf(sunya.InvalidArgument, "", "--tls-cert and --tls-key go together: give both or none")
	case c.TLSCert != "" && len(c.Public) == 0:
		return sunya.Invalid("--tls-cert", "there is no public listener to use the certificate on: add --public ADDR, such as --public :443")
	case c.Ephemeral && c.Replace:
		return sunya.Errorf(sunya.InvalidArgument, "", "--replace needs the data directory of the server that runs: leave out --ephemeral")
	case c.Ephemeral && c.Data != "":
		return sunya.Errorf(sunya.InvalidArgument, "", "--ephemeral uses a directory of its own: leave out --data")
	case c.IdleTimeout < 0:
		return sunya.Invalid("--idle-timeout", "%v is negative: use a duration such as 15m", c.IdleTimeout)
	case c.MaxMemory < 0:
		return sunya.Invalid("--max-memory", "%d is negative: use an amount such as 4Gi", c.MaxMemory)
	}
	if c.Blobs != "" {
		if _, err := s3.Parse(c.Blobs, os.Getenv); err != nil {
			return err
		}
	}
	if c.Events != "" {
		if err := postgres.CheckURL(c.Events); err != nil {
			return err
		}
	}
	if err := sunya.CheckProject(c.Project); err != nil {
		return fmt.Errorf("project: %w", err)
	}
	return nil
}

// command is how this server was started.
func (c *Config) command() *linuxns.Command {
	if c.Args == nil {
		return nil
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	return &linuxns.Command{Args: c.Args, Env: os.Environ(), Dir: dir}
}
