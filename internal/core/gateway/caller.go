package gateway

import "context"

// Caller is an instance of this server that makes a request from inside its
// sandbox. Who it is is known by the network that the request came from.
type Caller struct {
	Instance string // id
	Project  string
}

type callerKey struct{}

// WithCaller marks requests as made by an instance.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, &c)
}

// callerOf returns the instance that makes a request, or nil.
func callerOf(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
