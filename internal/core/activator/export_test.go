package activator

// Pools returns how many revisions cost anything at the moment.
func (a *Activator) Pools() int { return len(a.all()) }
