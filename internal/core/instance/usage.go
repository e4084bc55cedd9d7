package instance

import "context"

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
