// Package memo remembers what can be made again: what was compiled or read for
// things that never change. It holds a bounded amount, and a lookup takes no
// lock.
package memo

import (
	"sync"
	"sync/atomic"
)

// Map remembers values by key, up to a weight. When it is full everything is
// forgotten at once, so that neither a lookup nor an idle entry costs anything.
// It is safe for concurrent use.
type Map[K comparable, V any] struct {
	max     int64
	entries sync.Map
	weight  atomic.Int64
}

// New returns a Map that holds values of a weight of max together.
func New[K comparable, V any](max int64) *Map[K, V] { return &Map[K, V]{max: max} }

// Get returns the value of a key: the one remembered, or what make returns,
// which is remembered with its weight. Several callers may make it at once.
func (m *Map[K, V]) Get(key K, make func() (v V, weight int64, err error)) (V, error) {
	if v, ok := m.entries.Load(key); ok {
		return v.(V), nil
	}
	v, weight, err := make()
	if err != nil || weight > m.max {
		return v, err
	}
	if m.weight.Add(weight) > m.max {
		m.entries.Clear()
		m.weight.Store(weight)
	}
	m.entries.Store(key, v)
	return v, nil
}
