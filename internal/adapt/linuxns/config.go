package linuxns

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Linger is how long a launcher keeps sandboxes for a server that is away.
const Linger = 10 * time.Second

// Config says where and for whom sandboxes run.
type Config struct {
	// DataDir is absolute and exists. Everything that sandboxes may write, and
	// every layer, lies beneath it; the launcher's socket is in its run/.
	DataDir string
	// HostPaths are further places of the host, absolute, that mounts may show
	// read-only: the prefixes of interpreters. The launcher keeps the list it
	// was started with.
	HostPaths []string
	// ServerUID and ServerGID are who the server will be once it has given up
	// root; the launcher stays what it was started as. Both are ignored when
	// the server is not root.
	ServerUID, ServerGID int
	// Level demands an isolation level; empty takes the best there is.
	Level sandbox.Level
	// Network serves the outbound network of one sandbox from its end of the
	// link (core/sandbox's constants). It takes ownership of the packet socket
	// and is closed when the sandbox has ended. Nil: no sandbox can have a
	// network.
	Network func(spec sandbox.Spec, packetSocket *os.File) (io.Closer, error)
	// Prepared is how many sandboxes of a kind that is in use are kept ready for
	// a program; 0: none.
	Prepared int
	// Launcher is the launcher's program; empty takes the embedded one.
	Launcher []byte
	// Inherit takes the launcher of a server that has retired, whatever its build,
	// and never ends it: that server may want it back.
	Inherit bool
	// Command is how this server was started; see Describe.
	Command *Command
	// Linger overrides the time of the same name.
	Linger time.Duration
	Log    *slog.Logger
}

// UIDBase returns the first host uid of a range: sandboxes of range n have the
// uids from 65536*(16+n) on, the program inside being the thousandth.
func UIDBase(n int) int { return 65536 * (16 + n) }

// appUID is the user inside, named app.
const appUID = 1000

func (c *Config) validate() error {
	if !filepath.IsAbs(c.DataDir) || filepath.Clean(c.DataDir) != c.DataDir {
		return sunya.Invalid("data", "%q is not an absolute, clean path", c.DataDir)
	}
	switch c.Level {
	case "", sandbox.Full, sandbox.User:
	case sandbox.None:
		return sunya.Errorf(sunya.Unimplemented, "", "isolation level %q is not supported on Linux: "+
			"mounts and ports of instances need namespaces", c.Level)
	default:
		return sunya.Invalid("isolation", "%q is not full or user", c.Level)
	}
	if os.Geteuid() != 0 {
		c.ServerUID, c.ServerGID = os.Geteuid(), os.Getegid()
	}
	if c.Linger == 0 {
		c.Linger = Linger
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// launcher returns what the launcher is told.
func (c *Config) launcher() *ipc.Config {
	return &ipc.Config{
		DataDir: c.DataDir, HostPaths: c.HostPaths,
		ServerUID: c.ServerUID, ServerGID: c.ServerGID,
		LingerMS: c.Linger.Milliseconds(), Name: dirID(c.DataDir), Prepared: c.Prepared,
	}
}

// dirID names a data directory where names must be short and plain.
func dirID(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:5])
}

func buildID(program []byte) string {
	sum := sha256.Sum256(program)
	return hex.EncodeToString(sum[:8])
}
