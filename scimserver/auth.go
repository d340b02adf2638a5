package scimserver

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// denied is a request that its token may not make. A token that is known to be somebody's gives a row in that
// organisation's request log, in which the same refusal of the same day is counted.
type denied struct {
	status int
	reason string // for the repeat key; empty: the token belongs to no organisation
	detail string
}

// Error returns what the client is told.
func (d *denied) Error() string { return d.detail }

// authenticate finds whose token the request carries (RFC 7644, section 2; RFC 6750).
func (x *exchange) authenticate() error {
	plain, refusal := bearer(x.r.Header.Values("Authorization"))
	if refusal != nil {
		return refusal
	}
	id, hash, ok := roster.ParseSecret(roster.TokenPrefix, plain)
	if !ok {
		return x.unknownToken("malformed")
	}
	known, err := x.s.tokens.get(x.r.Context(), id)
	if err != nil {
		if roster.CodeOf(err) == roster.NotFound {
			return x.unknownToken("unknown")
		}
		return err
	}
	if !roster.SameSecret(known.token.Hash, hash) {
		return x.unknownToken("wrong secret")
	}
	x.token, x.org = known.token, known.org
	return x.admit()
}

// bearer takes the token out of the header. Okta adds "Bearer" itself, so that people paste it twice.
func bearer(headers []string) (string, *denied) {
	if len(headers) == 0 {
		return "", &denied{status: http.StatusUnauthorized, detail: "a bearer token is needed: Authorization: Bearer TOKEN"}
	}
	fields := strings.Fields(headers[0])
	if len(headers) > 1 || len(fields) < 2 || !strings.EqualFold(fields[0], "Bearer") {
		return "", &denied{status: http.StatusUnauthorized, detail: "the Authorization header must be: Bearer TOKEN"}
	}
	if len(fields) == 3 && strings.EqualFold(fields[1], "Bearer") {
		fields = fields[1:]
	}
	if len(fields) != 2 {
		return "", &denied{status: http.StatusUnauthorized, detail: "the Authorization header must be: Bearer TOKEN"}
	}
	return fields[1], nil
}

// unknownToken counts a token that belongs to no organisation, and so to no request log.
func (x *exchange) unknownToken(why string) error {
	x.s.unknown.Add(1)
	x.s.log.LogAttrs(x.r.Context(), slog.LevelWarn, "SCIM token refused",
		slog.String("request_id", x.id), slog.String("why", why), slog.String("client", web.ClientAddr(x.r)))
	return &denied{status: http.StatusUnauthorized, detail: "the token is not known here"}
}

// admit refuses a known token that is disabled or expired, or whose organisation has SCIM switched off.
func (x *exchange) admit() error {
	now := x.s.now()
	switch {
	case x.token.Disabled:
		return &denied{http.StatusUnauthorized, "disabled", "the token is disabled"}
	case !x.token.ExpiresAt.IsZero() && !now.Before(x.token.ExpiresAt):
		return &denied{http.StatusUnauthorized, "expired", "the token expired at " + x.token.ExpiresAt.UTC().Format(time.RFC3339)}
	case !x.org.SCIM:
		return &denied{http.StatusForbidden, "switched off", "SCIM is switched off for this organisation"}
	}
	x.s.used.note(x.token.ID, now)
	return nil
}

// refuse answers a denied request.
func (x *exchange) refuse(d *denied) {
	if d.status == http.StatusUnauthorized {
		challenge := `Bearer realm="rosterd"`
		if x.r.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token"` // RFC 6750, section 3.1
		}
		x.w.Header().Set("WWW-Authenticate", challenge)
	}
	repeatKey := ""
	if d.reason != "" {
		repeatKey = strings.Join([]string{x.token.ID, d.reason, x.s.now().UTC().Format(time.DateOnly)}, " ")
	}
	x.sendError(&scim.Error{Status: d.status, Detail: d.detail}, "token "+x.token.Name+": "+d.detail, repeatKey)
}

// tokenCache keeps what is known of tokens for a moment, so that a burst of requests reads it once.
type tokenCache struct {
	store *store.DB
	keep  time.Duration
	now   func() time.Time

	mu    sync.Mutex
	known map[string]knownToken
}

type knownToken struct {
	token roster.Token
	org   roster.Organisation
	read  time.Time
}

func newTokenCache(db *store.DB, keep time.Duration, now func() time.Time) *tokenCache {
	return &tokenCache{store: db, keep: keep, now: now, known: map[string]knownToken{}}
}

// get returns a token and its organisation. Only tokens that exist are kept, so nobody can fill the cache by guessing.
func (c *tokenCache) get(ctx context.Context, id string) (knownToken, error) {
	now := c.now()
	c.mu.Lock()
	k, ok := c.known[id]
	c.mu.Unlock()
	if age := now.Sub(k.read); ok && age >= 0 && age < c.keep {
		return k, nil
	}
	token, org, err := c.store.TokenByID(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		delete(c.known, id)
		return knownToken{}, err
	}
	k = knownToken{token: token, org: org, read: now}
	c.known[id] = k
	return k, nil
}

// usage remembers when tokens were last used until it is written, so that requests don't write it.
type usage struct {
	mu sync.Mutex
	at map[string]int64 // token id to microseconds
}

func newUsage() *usage { return &usage{at: map[string]int64{}} }

func (u *usage) note(id string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at[id] = max(u.at[id], now.UnixMicro())
}

func (u *usage) take() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.at
	u.at = make(map[string]int64, len(out))
	return out
}

func (u *usage) putBack(used map[string]int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, at := range maps.All(used) {
		u.at[id] = max(u.at[id], at)
	}
}
