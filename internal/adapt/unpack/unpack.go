// Package unpack makes layers of the archives that container images consist of.
// The server only carries bytes and compares digests: the archives are read by a
// small program in a sandbox, which runs in the range of host uids that the
// layers belong to. It removes them, too, as nobody else may.
package unpack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Kind is the sandbox.Spec.Kind of the program's sandboxes: a later server ends
// those that it finds.
const Kind = "unpack"

// What one layer may take. No image that anybody runs has a larger one; what a
// bomb of some megabytes becomes is a thousand times that.
const (
	maxBytes = 16 << 30
	maxFiles = 1 << 20
	memory   = 512 << 20
	pids     = 64
)

// atOnce is how many layers are unpacked at the same time.
const atOnce = 3

// Config is what an Unpacker works with.
type Config struct {
	Engine sandbox.Engine
	Store  layers.Unpacked
	// Dir is a directory of the server's below the data directory, for the
	// program.
	Dir string
	Log *slog.Logger
	// Program is the program; empty takes the embedded one.
	Program []byte
	// MaxBytes and MaxFiles bound one layer; 0: 16 GiB and a million.
	MaxBytes int64
	MaxFiles int
}

// Unpacker implements layers.Unpacker and layers.Remover. It is safe for
// concurrent use.
type Unpacker struct {
	cfg   Config
	home  string // of the program
	slots chan struct{}

	mu      sync.Mutex
	pending map[string]*work // by archive
}

var (
	_ layers.Unpacker = (*Unpacker)(nil)
	_ layers.Remover  = (*Unpacker)(nil)
)

// New returns an Unpacker. It writes its program where a sandbox can be shown it.
func New(cfg Config) (*Unpacker, error) {
	if len(cfg.Program) == 0 {
		program, err := embedded()
		if err != nil {
			return nil, err
		}
		cfg.Program = program
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = maxBytes
	}
	if cfg.MaxFiles == 0 {
		cfg.MaxFiles = maxFiles
	}
	home, err := writeProgram(cfg.Dir, cfg.Program)
	if err != nil {
		return nil, err
	}
	return &Unpacker{cfg: cfg, home: home, slots: make(chan struct{}, atOnce), pending: map[string]*work{}}, nil
}

// work is a layer that is being unpacked, for everybody who asks.
type work struct {
	done    chan struct{} // closed when layer and err are set
	cancel  context.CancelFunc
	waiting int // guarded by Unpacker.mu; the last to leave cancels
	layer   sunya.Layer
	err     error
}

// Unpack implements layers.Unpacker.
func (u *Unpacker) Unpack(ctx context.Context, a layers.Archive) (sunya.Layer, error) {
	if err := check(a); err != nil {
		return sunya.Layer{}, err
	}
	l, ok, err := u.cfg.Store.Unpacked(ctx, a.DiffID)
	if ok || err != nil {
		return l, err
	}
	w := u.join(ctx, a)
	select {
	case <-w.done:
		u.leave(w)
		return w.layer, w.err
	case <-ctx.Done():
		u.leave(w)
		return sunya.Layer{}, context.Cause(ctx)
	}
}

// join finds the work on an archive, or begins it.
func (u *Unpacker) join(ctx context.Context, a layers.Archive) *work {
	key := a.Digest + " " + a.DiffID
	u.mu.Lock()
	defer u.mu.Unlock()
	w := u.pending[key]
	if w == nil {
		// Whoever came first may leave while others wait.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		w = &work{done: make(chan struct{}), cancel: cancel}
		u.pending[key] = w
		go func() {
			defer cancel()
			w.layer, w.err = u.unpack(own, a)
			u.mu.Lock()
			if u.pending[key] == w {
				delete(u.pending, key)
			}
			u.mu.Unlock()
			close(w.done)
		}()
	}
	w.waiting++
	return w
}

// leave gives the work up when nobody waits for it any more.
func (u *Unpacker) leave(w *work) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if w.waiting--; w.waiting > 0 {
		return
	}
	w.cancel()
	for key, p := range u.pending {
		if p == w {
			delete(u.pending, key)
		}
	}
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// mediaTypes are those of layers (OCI image specification, layer.md; Docker's
// manifest v2, schema 2). How a tar is compressed is seen from its first bytes.
var mediaTypes = regexp.MustCompile(`^application/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?` +
	`|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd|\+gzip|\+zstd)?)$`)

func check(a layers.Archive) error {
	switch {
	case !digestRE.MatchString(a.Digest):
		return sunya.Errorf(sunya.InvalidArgument, a.Digest, "layer digest %q is not sha256 and 64 hex digits", a.Digest)
	case !digestRE.MatchString(a.DiffID):
		return sunya.Errorf(sunya.InvalidArgument, a.Digest, "layer %s: diff id %q is not sha256 and 64 hex digits", a.Digest, a.DiffID)
	case a.MediaType != "" && !mediaTypes.MatchString(a.MediaType):
		return sunya.Errorf(sunya.InvalidArgument, a.Digest, "layer %s: media type %q is not that of a layer", a.Digest, a.MediaType)
	}
	return nil
}

// spec is the sandbox of one run of the program.
func (u *Unpacker) spec(purpose string, args ...string) sandbox.Spec {
	var b [6]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return sandbox.Spec{
		ID:      strings.Join([]string{Kind, purpose, hex.EncodeToString(b[:])}, "-"),
		Kind:    Kind,
		Profile: sandbox.LayerWork,
		Args:    append([]string{programDir + "/" + programName}, args...),
		Env:     []string{"GOMAXPROCS=2", fmt.Sprintf("GOMEMLIMIT=%d", memory/2)},
		Mounts:  []sandbox.Mount{{Source: u.home, Target: programDir}},

		UIDRange: sunya.LayersRange, MemoryBytes: memory, CPUMillis: 1000, PIDs: pids,
	}
}

// programDir is where the sandbox finds the program.
const programDir = "/unpack"
