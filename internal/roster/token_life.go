package roster

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of what a token may be limited to.
const (
	// MinTokenRate is what Microsoft asks a SCIM server to stand for each tenant: below it, Entra runs into the limit.
	MinTokenRate = 25
	// MaxTokenRate is far above what one server answers.
	MaxTokenRate = 100_000
	// MaxTokenSources bounds how many ranges of addresses a token is taken from.
	MaxTokenSources = 100
)

// TokenLimit changes what a token is limited to; nil leaves as it is.
type TokenLimit struct {
	ID      string
	Sources *[]netip.Prefix
	Rate    *int
}

// TokenWarn gives the warning of a token's expiry that is due, once, however many ask for it.
type TokenWarn struct{ ID string }

func (TokenLimit) change() {}
func (TokenWarn) change()  {}

// ParseSources reads ranges of addresses, as 10.0.0.0/8, and single addresses. None is any.
func ParseSources(given []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(given))
	for _, text := range given {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			a, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil || a.Zone() != "" {
				return nil, Errorf(Invalid, "from: %q is neither an address nor a range of them, such as 10.0.0.0/8 or 2001:db8::/32", text)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		if p.Addr().Is4In6() { // no client is ever seen with such an address
			if p.Bits() < 96 {
				return nil, Errorf(Invalid, "from: %q is a range of IPv4 addresses written as IPv6: write it as IPv4", text)
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p = p.Masked(); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) > MaxTokenSources {
		return nil, Errorf(Invalid, "from: %d ranges, more than %d", len(out), MaxTokenSources)
	}
	return out, nil
}

// checkRate refuses a limit below what Entra is promised; 0 is none.
func checkRate(rate int) *Error {
	switch {
	case rate == 0:
		return nil
	case rate < MinTokenRate:
		return Errorf(Invalid, "rate: %d requests a second are too few: Microsoft asks a SCIM server to take at least %d "+
			"for a tenant, and Entra's job goes into quarantine where it is refused too often; give %d or more, or none",
			rate, MinTokenRate, MinTokenRate)
	case rate > MaxTokenRate:
		return Errorf(Invalid, "rate: at most %d requests a second, or none", MaxTokenRate)
	}
	return nil
}

// Admits reports whether a token is taken from a client's address, in text.
func (t *Token) Admits(client string) bool {
	if len(t.Sources) == 0 {
		return true
	}
	a, err := netip.ParseAddr(client)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(t.Sources, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Expired reports whether the token's time is over.
func (t *Token) Expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

// day is what warnings count in.
const day = 24 * time.Hour

// DaysLeft is how many whole days the token still holds; false: it never expires.
func (t *Token) DaysLeft(now time.Time) (int, bool) {
	if t.ExpiresAt.IsZero() {
		return 0, false
	}
	return int(max(0, t.ExpiresAt.Sub(now)) / day), true
}

// warnings are how many days ahead an expiry is announced, the last first.
func warnings() []int { return []int{1, 7, 14, 30} }

// FirstWarning is how long before its expiry a token is first spoken of.
const FirstWarning = 30 * day

// WarningDue returns which warning of the token's expiry is to be given now, in days ahead; 0: none. A warning that was
// due when the token was made says nothing, so a token for a week is announced on its last day only.
func (t *Token) WarningDue(now time.Time) int {
	if t.Disabled || t.ExpiresAt.IsZero() || t.Expired(now) {
		return 0
	}
	for _, days := range warnings() {
		from := t.ExpiresAt.Add(-time.Duration(days) * day)
		if now.Before(from) {
			continue
		}
		if !t.CreatedAt.Before(from) || (t.Warned > 0 && t.Warned <= days) {
			return 0
		}
		return days
	}
	return 0
}

// sourcesDoc is how an event shows ranges of addresses.
func sourcesDoc(sources []netip.Prefix) []string {
	out := make([]string, len(sources))
	for i, p := range sources {
		out[i] = p.String()
	}
	return out
}

func tokenDoc(t *Token) map[string]any {
	doc := map[string]any{"name": t.Name, "disabled": t.Disabled, "connection": t.ConnectionName}
	if len(t.Sources) > 0 {
		doc["from"] = sourcesDoc(t.Sources)
	}
	if t.Rate > 0 {
		doc["rate"] = t.Rate
	}
	return doc
}

func (b *batch) changeToken(ctx context.Context, c Change) (Outcome, error) {
	id := ""
	switch c := c.(type) {
	case TokenCreate:
		return b.createToken(ctx, c.Token)
	case TokenSet:
		id = c.ID
	case TokenLimit:
		id = c.ID
	case TokenWarn:
		id = c.ID
	case TokenDelete:
		id = c.ID
	}
	// Its row is written whole, so that two changes of one token must not be decided at once.
	if _, err := b.tx.Organisation(ctx, b.org, true); err != nil {
		return Outcome{}, err
	}
	tokens, err := b.tx.Tokens(ctx, b.org)
	if err != nil {
		return Outcome{}, err
	}
	i := slices.IndexFunc(tokens, func(t Token) bool { return t.ID == id })
	if i < 0 {
		return refuse(Errorf(NotFound, "no token %q", id))
	}
	t := tokens[i]
	if k := slices.IndexFunc(b.rows.Tokens, func(t Token) bool { return t.ID == id }); k >= 0 {
		t = b.rows.Tokens[k] // as an earlier change of this batch left it
	}
	return b.editToken(c, t)
}

func (b *batch) createToken(ctx context.Context, t Token) (Outcome, error) {
	if err := checkRate(t.Rate); err != nil {
		return refuse(err)
	}
	tokens, err := b.tx.Tokens(ctx, b.org)
	if err != nil {
		return Outcome{}, err
	}
	if slices.ContainsFunc(tokens, func(o Token) bool { return o.Name == t.Name }) {
		return refuse(Errorf(Conflict, "a token named %q exists already", t.Name))
	}
	t.Org, t.CreatedAt = b.org, b.tx.Now()
	b.rows.Tokens = append(b.rows.Tokens, t)
	b.tell(tokenSubject(&t), "token.created", b.cause.Reason, nil, tokenDoc(&t))
	return Outcome{Result: Applied, ID: t.ID, Created: true, Token: &t}, nil
}

// editToken carries out a change of a token that exists.
func (b *batch) editToken(c Change, t Token) (Outcome, error) {
	now, event := t, ""
	switch c := c.(type) {
	case TokenSet:
		now.Disabled = c.Disabled
		switch {
		case t.Disabled == c.Disabled:
		case c.Disabled:
			event = "token.disabled"
		default:
			event = "token.enabled"
		}
	case TokenLimit:
		if c.Sources != nil {
			now.Sources = *c.Sources
		}
		if c.Rate != nil {
			now.Rate = *c.Rate
		}
		if err := checkRate(now.Rate); err != nil {
			return refuse(err)
		}
		if now.Rate != t.Rate || !slices.Equal(now.Sources, t.Sources) {
			event = "token.limited"
		}
	case TokenWarn:
		return b.warnOfToken(t)
	case TokenDelete:
		b.rows.DropTokens = append(b.rows.DropTokens, t.ID)
		b.tell(tokenSubject(&t), "token.deleted", b.cause.Reason, tokenDoc(&t), map[string]any{})
		return Outcome{Result: Applied, ID: t.ID, Token: &t}, nil
	}
	if event == "" {
		return Outcome{Result: Unchanged, ID: t.ID, Token: &t}, nil
	}
	b.keepToken(now)
	b.tell(tokenSubject(&t), event, b.cause.Reason, tokenDoc(&t), tokenDoc(&now))
	return Outcome{Result: Applied, ID: t.ID, Token: &now}, nil
}

// warnOfToken gives the warning of a token's expiry that is due, if one is.
func (b *batch) warnOfToken(t Token) (Outcome, error) {
	due := t.WarningDue(b.tx.Now())
	if due == 0 {
		return Outcome{Result: Unchanged, ID: t.ID, Token: &t}, nil
	}
	t.Warned = due
	b.keepToken(t)
	b.tell(tokenSubject(&t), "token.expiring", expiryReason(&t), nil,
		map[string]any{"expires_at": t.ExpiresAt.UTC().Format(time.RFC3339), "days": due})
	return Outcome{Result: Applied, ID: t.ID, Token: &t}, nil
}

func tokenSubject(t *Token) Subject { return Subject{Type: "token", ID: t.ID, Name: t.Name} }

// keepToken has a token written as it is now, once.
func (b *batch) keepToken(t Token) {
	b.rows.Tokens = append(slices.DeleteFunc(b.rows.Tokens, func(o Token) bool { return o.ID == t.ID }), t)
}

// expiryReason says what to do about a token that expires.
func expiryReason(t *Token) string {
	left := "a day"
	if t.Warned > 1 {
		left = strconv.Itoa(t.Warned) + " days"
	}
	return "the token expires in less than " + left + ": make another one, give it to the identity provider, and delete this " +
		"one once the other is in use"
}
