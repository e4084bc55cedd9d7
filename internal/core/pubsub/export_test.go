package pubsub

// InMemory is how many topics and subscriptions are in use.
func (b *Broker) InMemory() (topics, subs int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.topics), len(b.subs)
}
