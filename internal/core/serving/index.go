package serving

import (
	"hash/maphash"
	"maps"
)

// shards is how many parts an index has. Ten thousand names make forty a
// shard, which is what a change of one name copies.
const shards = 256

// index is an immutable map from names. A change copies only the shards that
// it touches, so that it costs the same among ten services and ten thousand.
type index[V any] struct {
	seed  maphash.Seed
	shard [shards]map[string]V
}

func newIndex[V any]() *index[V] { return &index[V]{seed: maphash.MakeSeed()} }

func (x *index[V]) slot(key string) int {
	return int(maphash.String(x.seed, key) % shards)
}

func (x *index[V]) get(key string) (V, bool) {
	v, ok := x.shard[x.slot(key)][key]
	return v, ok
}

// each calls f for every entry in no order.
func (x *index[V]) each(f func(key string, v V)) {
	for _, m := range x.shard {
		for k, v := range m {
			f(k, v)
		}
	}
}

// edit is a changed copy of an index in the making.
type edit[V any] struct {
	index[V]
	own [shards]bool // shards that are this copy's alone
}

func (x *index[V]) edit() *edit[V] { return &edit[V]{index: *x} }

func (e *edit[V]) set(key string, v V) { e.writable(key)[key] = v }

func (e *edit[V]) remove(key string) {
	if _, ok := e.get(key); ok {
		delete(e.writable(key), key)
	}
}

func (e *edit[V]) writable(key string) map[string]V {
	i := e.slot(key)
	if !e.own[i] {
		e.shard[i] = maps.Clone(e.shard[i])
		e.own[i] = true
	}
	if e.shard[i] == nil {
		e.shard[i] = map[string]V{}
	}
	return e.shard[i]
}

// done returns the finished copy; the edit must not be used afterwards.
func (e *edit[V]) done() *index[V] {
	x := e.index
	return &x
}
