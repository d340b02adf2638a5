package scimserver

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

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
	noted  string // for the request log; empty: detail
}

// notAccepted is all that a client is told of a token, whatever is wrong with it: who tries tokens learns nothing from the
// answer.
const notAccepted = "the token is not accepted: it is not known, not valid any more, or not for this use; " +
	"the organisation's request log says more, or `rosterd doctor scim`"

// tooManyAgain is for how many seconds a client is asked to wait that has used up its rate. A second fills it again.
const tooManyAgain = "1"

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
	return x.admit(known.bucket)
}

// recognise notes whose token a request carries that needs none, for the request log. It refuses nobody.
func (x *exchange) recognise() {
	plain, refusal := bearer(x.r.Header.Values("Authorization"))
	if refusal != nil {
		return
	}
	id, hash, ok := roster.ParseSecret(roster.TokenPrefix, plain)
	if !ok {
		return
	}
	known, err := x.s.tokens.get(x.r.Context(), id)
	if err != nil || !roster.SameSecret(known.token.Hash, hash) {
		return
	}
	if reason, _ := whyNot(&known.token, &known.org, web.ClientAddr(x.r), x.s.now()); reason == "" {
		x.token, x.org = known.token, known.org
	}
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
	x.s.unknown.tell(x, why)
	x.s.meter.Refused(RefusedUnknown)
	return &denied{status: http.StatusUnauthorized, detail: notAccepted}
}

// admit refuses a known token that is disabled, expired or not for this client, or whose organisation has SCIM switched
// off, and one that has used up its rate.
func (x *exchange) admit(bucket *rate.Limiter) error {
	now := x.s.now()
	if reason, noted := whyNot(&x.token, &x.org, web.ClientAddr(x.r), now); reason != "" {
		x.s.meter.Refused(reason)
		return &denied{http.StatusUnauthorized, reason, notAccepted, noted}
	}
	x.s.used.note(x.token.ID, now)
	x.s.meter.Admitted(x.r.Context(), x.org.Name, x.token.Name)
	if bucket != nil && !bucket.AllowN(now, 1) {
		x.s.meter.Refused(RefusedRate)
		told := fmt.Sprintf("more than %d requests a second: the token is limited to that", x.token.Rate)
		return &denied{http.StatusTooManyRequests, RefusedRate, told, told}
	}
	return nil
}

// whyNot says why a token that is known is not taken now: a word for it, and what the organisation is told.
func whyNot(t *roster.Token, org *roster.Organisation, client string, now time.Time) (reason, noted string) {
	switch {
	case t.Disabled:
		return RefusedDisabled, "the token is disabled"
	case t.Expired(now):
		return RefusedExpired, "the token expired at " + t.ExpiresAt.UTC().Format(time.RFC3339)
	case !org.SCIM:
		return RefusedSwitchedOff, "SCIM is switched off for this organisation"
	case !t.Admits(client):
		return RefusedAddress, "the token is not taken from " + printable(client, 64)
	}
	return "", ""
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
	if d.status == http.StatusTooManyRequests {
		x.w.Header().Set("Retry-After", tooManyAgain)
	}
	repeatKey, noted := "", d.noted
	if noted == "" {
		noted = d.detail
	}
	if d.reason != "" {
		repeatKey = strings.Join([]string{x.token.ID, d.reason, x.s.now().UTC().Format(time.DateOnly)}, " ")
	}
	x.sendError(&scim.Error{Status: d.status, Detail: d.detail}, "token "+x.token.Name+": "+noted, repeatKey)
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
	token  roster.Token
	org    roster.Organisation
	read   time.Time
	bucket *rate.Limiter // nil: the token has no rate
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
	k = knownToken{token: token, org: org, read: now, bucket: bucketFor(token.Rate, c.known[id].bucket)}
	c.known[id] = k
	return k, nil
}

// bucketFor is what meters a token: what it had, unless its rate has changed. A second's worth may come at once.
func bucketFor(perSecond int, had *rate.Limiter) *rate.Limiter {
	switch {
	case perSecond <= 0:
		return nil
	case had != nil && had.Burst() == perSecond:
		return had
	}
	return rate.NewLimiter(rate.Limit(perSecond), perSecond)
}

// unknownTokens counts requests whose token nobody knows. They belong to no organisation, so they give log lines only, and not
// more of them than somebody can read.
type unknownTokens struct {
	count    atomic.Int64
	unlogged atomic.Int64
	lines    *rate.Limiter
}

func newUnknownTokens() *unknownTokens { return &unknownTokens{lines: rate.NewLimiter(1, 10)} }

func (s *unknownTokens) tell(x *exchange, why string) {
	s.count.Add(1)
	if !s.lines.AllowN(x.s.now(), 1) {
		s.unlogged.Add(1)
		return
	}
	x.s.log.LogAttrs(x.r.Context(), slog.LevelWarn, "SCIM token refused",
		slog.String("request_id", x.id), slog.String("why", why), slog.String("client", web.ClientAddr(x.r)),
		slog.Int64("refused_without_a_line", s.unlogged.Swap(0)))
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
