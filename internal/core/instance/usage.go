package instance

import (
	"context"

	"github.com/sunya-cloud/sunya/internal/core/served"
)

// MemoryBytes reads how much memory an instance uses at the moment; 0 when it
// is gone or nobody counts.
func (m *Manager) MemoryBytes(ctx context.Context, id string) int64 {
	for _, i := range m.instances() {
		if i.ID() != id {
			continue
		}
		if u, err := i.Usage(ctx); err == nil {
			return u.MemoryBytes
		}
	}
	return 0
}

// look takes note of what the instance has used; mu is held. What cannot be read
// stays as it was.
func (i *Instance) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freezerTimeout)
	defer cancel()
	if u, err := i.Usage(ctx); err == nil {
		i.used = served.Used{CPU: u.CPU, MemoryBytes: u.MemoryBytes}
	}
}
