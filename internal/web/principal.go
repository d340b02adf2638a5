package web

import "context"

// Principal is who makes a request, as the surface that authenticated it found out: an operator, a member, an API key,
// a SCIM token, or the machine's own user over the unix socket.
type Principal struct {
	Kind string
	ID   string
	Name string
	Org  string // id of the organisation; empty: all of them
	Role string
}

// WithPrincipal returns a context that carries the principal.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey, p)
}

// PrincipalOf returns the context's principal; false: nobody was authenticated.
func PrincipalOf(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey).(Principal)
	return p, ok
}
