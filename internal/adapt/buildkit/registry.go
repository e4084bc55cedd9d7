package buildkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// closeLimit is how long requests of a builder that has ended may go on.
const closeLimit = 2 * time.Second

// serveRegistry answers on a socket until stop is called. The path of a socket
// is short, a data directory may be deep: it is bound through the descriptor of
// its directory.
func serveRegistry(path string, h http.Handler, log *slog.Logger) (stop func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("serve registry to the build: %w", err)
	}
	listener, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve registry to the build: %w", err), dir.Close())
	}
	if u, ok := listener.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // it goes with its directory
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() { _ = server.Serve(listener) }() // ends with stop
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close()
		}
		_ = dir.Close()
	}, nil
}
