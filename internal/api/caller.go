package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/web"
)

const (
	maxBody     = 512 << 10
	bodyTimeout = 10 * time.Second
)

// The kinds of caller, as web.Principal names them.
const (
	kindLocal  = "local"
	kindAPIKey = "api_key"
)

// caller is who asks: the local operator, who came by the socket and may do everything, or an API key.
type caller web.Principal

func (c caller) local() bool { return c.Kind == kindLocal }

func (c caller) cause() roster.Cause {
	return roster.Cause{
		Actor: roster.Actor{Kind: roster.ActorOperator, ID: c.ID, Name: c.Name},
		By:    roster.ByOperator, Reason: "asked for by " + c.Name,
	}
}

// sees reports whether an organisation is the caller's to see.
func (c caller) sees(org string) bool { return c.local() || (org != "" && c.Org == org) }

func (c caller) mayWrite() bool {
	return c.local() || c.Role == string(roster.RoleOwner) || c.Role == string(roster.RoleAdmin)
}

// mayGrant refuses to hand out more than the caller has: only an owner makes an owner.
func (c caller) mayGrant(role roster.Role) error {
	if role == roster.RoleOwner && !c.local() && c.Role != string(roster.RoleOwner) {
		return roster.Errorf(roster.Forbidden, "only an owner may make an owner")
	}
	return nil
}

// callerOf returns who ServeHTTP found out to be asking; the zero caller sees and may do nothing.
func callerOf(ctx context.Context) caller {
	p, _ := web.PrincipalOf(ctx)
	return caller(p)
}

type trustedKey struct{}

// Trusted marks the requests of a listener as the local operator's: it is for the daemon's unix socket, which only the
// user that runs the daemon can open.
func Trusted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), trustedKey{}, true)))
	})
}

// ServeHTTP finds out who asks and whether they may, and hands the request to its route.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path == documentPath && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(a.document)
		return
	}
	c, err := a.caller(r)
	if err != nil {
		if roster.CodeOf(err) == roster.Unauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="rosterd"`)
		}
		a.refuse(w, r, err)
		return
	}
	if handler, pattern := a.mux.Handler(r); pattern == "" {
		noRoute(w, r, handler)
		return
	}
	if !c.mayWrite() && r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.refuse(w, r, roster.Errorf(roster.Forbidden, "the API key %s has the role %s, which may only read", c.Name, c.Role))
		return
	}
	if err := readable(w, r); err != nil {
		a.refuse(w, r, err)
		return
	}
	a.mux.ServeHTTP(w, r.WithContext(web.WithPrincipal(r.Context(), web.Principal(c))))
}

// noRoute answers what the mux has no route for, by the mux's own status (404, or 405 with Allow), as a problem.
func noRoute(w http.ResponseWriter, r *http.Request, refusal http.Handler) {
	probe := &statusProbe{header: http.Header{}, status: http.StatusNotFound}
	refusal.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		newProblem(probe.status, roster.Invalid, r.Method+" is not possible here, but "+allow).write(w)
		return
	}
	newProblem(http.StatusNotFound, roster.NotFound, "no such resource").write(w)
}

// statusProbe takes an answer and keeps only its status and header.
type statusProbe struct {
	header http.Header
	status int
}

// Header returns the header.
func (p *statusProbe) Header() http.Header { return p.header }

// Write drops the body.
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader keeps the status.
func (p *statusProbe) WriteHeader(status int) { p.status = status }

// caller finds out who asks: the local operator, or the owner of a valid key.
func (a *API) caller(r *http.Request) (caller, error) {
	if trusted, _ := r.Context().Value(trustedKey{}).(bool); trusted {
		return caller{Kind: kindLocal, Name: "local operator"}, nil
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	switch {
	case !strings.EqualFold(scheme, "Bearer") || secret == "":
		return caller{}, roster.Errorf(roster.Unauthorized,
			"an API key is needed, sent as `Authorization: Bearer rak_...`; make one with `rosterd apikey create` on the daemon's machine")
	case strings.HasPrefix(secret, roster.TokenPrefix):
		return caller{}, roster.Errorf(roster.Unauthorized, "that is a SCIM token; the management API takes an API key (rak_...)")
	}
	id, hash, ok := roster.ParseSecret(roster.APIKeyPrefix, secret)
	if !ok {
		return caller{}, a.badKey(r, "malformed", "", "the API key is not valid")
	}
	key, err := a.store.APIKeyByID(r.Context(), id)
	switch {
	case roster.CodeOf(err) == roster.NotFound:
		return caller{}, a.badKey(r, "unknown", id, "the API key is not valid")
	case err != nil:
		return caller{}, err
	case !roster.SameSecret(key.Hash, hash) || key.Org == "":
		return caller{}, a.badKey(r, "wrong secret", id, "the API key is not valid")
	case !key.ExpiresAt.IsZero() && !a.now().Before(key.ExpiresAt):
		return caller{}, a.badKey(r, "expired", id, "the API key has expired")
	}
	return caller{Kind: kindAPIKey, ID: key.ID, Name: key.Name, Org: key.Org, Role: string(key.Role)}, nil
}

func (a *API) badKey(r *http.Request, reason, id, message string) error {
	a.log.WarnContext(r.Context(), "API key refused", "reason", reason, "api_key", id, "client", web.ClientAddr(r))
	return roster.Errorf(roster.Unauthorized, "%s", message)
}

// readable reads the body, within a limit and a time, and refuses text that no database takes: what isn't UTF-8, and the
// character NUL.
func readable(w http.ResponseWriter, r *http.Request) error {
	query, err := queryText(r.URL.RawQuery)
	if err != nil || !isText(query) || !isText(r.URL.Path) {
		return roster.Errorf(roster.Invalid, "the address is not made of valid UTF-8 text")
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // best effort: not every ResponseWriter has deadlines
	body, err := web.ReadBody(w, r, maxBody)
	_ = control.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, web.ErrBodyTooLarge):
		return roster.Errorf(roster.TooLarge, "the request's body has more than %d bytes", maxBody)
	case err != nil:
		return roster.Errorf(roster.Invalid, "the request's body can't be read")
	case !utf8.Valid(body) || bytes.Contains(body, []byte(`\u0000`)):
		return roster.Errorf(roster.Invalid, "the request's body is not valid UTF-8 text, or has the character NUL in it")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
