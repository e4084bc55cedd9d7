package activator

// Waiting returns how many requests wait for a slot, by revision; those without
// any are left out.
func (a *Activator) Waiting() map[string]int {
	out := map[string]int{}
	a.keepers.Range(func(name, v any) bool {
		k := v.(*keeper)
		k.mu.Lock()
		n := k.pool.Queued()
		k.mu.Unlock()
		if n > 0 {
			out[name.(string)] = n
		}
		return true
	})
	return out
}
