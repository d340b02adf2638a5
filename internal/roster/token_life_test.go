package roster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

const day = 24 * time.Hour

func TestATokenIsTakenFromItsAddressesOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		given    []string
		in, outs []string
	}{
		"none is any":            {nil, []string{"192.0.2.1", "2001:db8::1", "local", ""}, nil},
		"ranges":                 {[]string{"10.0.0.0/8", " 2001:db8::/32 "}, []string{"10.255.255.255", "2001:db8:ffff::1"}, []string{"11.0.0.1", "2001:db9::1", "local", "", "odd"}},
		"single addresses":       {[]string{"192.0.2.1", "2001:db8::1"}, []string{"192.0.2.1", "2001:db8::1"}, []string{"192.0.2.2", "2001:db8::2"}},
		"host bits count not":    {[]string{"192.0.2.77/24"}, []string{"192.0.2.1"}, []string{"192.0.3.1"}},
		"IPv4 in IPv6":           {[]string{"::ffff:192.0.2.0/120"}, []string{"192.0.2.9", "::ffff:192.0.2.9"}, []string{"192.0.3.9", "::1"}},
		"a client with a zone":   {[]string{"fe80::/10"}, []string{"fe80::1%eth0"}, []string{"2001:db8::1%eth0"}},
		"IPv4 does not fit ::/0": {[]string{"::/0"}, []string{"2001:db8::1"}, []string{"192.0.2.1"}},
	} {
		sources, err := roster.ParseSources(tc.given)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		token := roster.Token{Sources: sources}
		for _, client := range tc.in {
			if !token.Admits(client) {
				t.Errorf("%s: %q is kept out of %v", name, client, sources)
			}
		}
		for _, client := range tc.outs {
			if token.Admits(client) {
				t.Errorf("%s: %q is let into %v", name, client, sources)
			}
		}
	}
	for _, bad := range []string{"", "10.0.0.0/33", "10.0.0", "example.com", "fe80::1%eth0", "::ffff:0:0/90", "10.0.0.0/8,10.1.1.1"} {
		if got, err := roster.ParseSources([]string{bad}); roster.CodeOf(err) != roster.Invalid {
			t.Errorf("%q is read as %v, %v", bad, got, err)
		}
	}
	many := make([]string, roster.MaxTokenSources+1)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.%d.%d", i/250, i%250)
	}
	if _, err := roster.ParseSources(many); roster.CodeOf(err) != roster.Invalid {
		t.Errorf("%d ranges: %v", len(many), err)
	}
	if got, err := roster.ParseSources([]string{"10.1.0.0/8", "10.2.0.0/8"}); err != nil || len(got) != 1 {
		t.Errorf("the same range twice: %v, %v", got, err)
	}
}

func TestExpiryIsAnnouncedOnceForEachThreshold(t *testing.T) {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		life time.Duration
		want []string // days before the expiry on which something is said, and what is due
	}{
		"a quarter":                      {90 * day, []string{"30 30", "14 14", "7 7", "1 1"}},
		"a month: made on the threshold": {30 * day, []string{"14 14", "7 7", "1 1"}},
		"a week and a bit":               {8 * day, []string{"7 7", "1 1"}},
		"a week":                         {7 * day, []string{"1 1"}},
		"a day":                          {day, nil},
		"minutes":                        {10 * time.Minute, nil},
		"for ever":                       {0, nil},
	} {
		token := roster.Token{CreatedAt: made}
		if tc.life > 0 {
			token.ExpiresAt = made.Add(tc.life)
		}
		var got []string
		for at := made; at.Before(made.Add(100 * day)); at = at.Add(6 * time.Hour) {
			if due := token.WarningDue(at); due > 0 {
				got = append(got, fmt.Sprintf("%d %d", token.ExpiresAt.Sub(at)/day, due))
				token.Warned = due
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	late := roster.Token{CreatedAt: made, ExpiresAt: made.Add(90 * day)}
	if got := late.WarningDue(made.Add(87 * day)); got != 7 {
		t.Errorf("after three thresholds were missed: %d, want the last of them alone", got)
	}
	late.Disabled = true
	if got := late.WarningDue(made.Add(87 * day)); got != 0 {
		t.Errorf("a disabled token: %d", got)
	}
	if days, expires := (&roster.Token{}).DaysLeft(made); expires || days != 0 {
		t.Errorf("a token without end: %d, %t", days, expires)
	}
	if days, expires := late.DaysLeft(made.Add(100 * day)); !expires || days != 0 {
		t.Errorf("an expired token: %d, %t", days, expires)
	}
}

func TestATokensLimitsAreCheckedAndTold(t *testing.T) {
	each(t, func(b *bench) {
		sources, _ := roster.ParseSources([]string{"10.0.0.0/8"})
		made := b.must(operator(), roster.TokenCreate{Token: roster.Token{ID: roster.NewID(), Name: "idp", Hash: []byte("x"), Sources: sources, Rate: 50}})[0].Token
		for rate, want := range map[int]roster.Result{-1: roster.Refused, 1: roster.Refused, 24: roster.Refused, 25: roster.Applied, 1_000_000: roster.Refused, 0: roster.Applied} {
			out := b.commit(operator(), roster.TokenLimit{ID: made.ID, Rate: &rate})[0]
			if out.Result != want || want == roster.Refused && out.Err.Code != roster.Invalid {
				b.t.Errorf("rate %d: %s %v", rate, out.Result, out.Err)
			}
			if rate == 24 && !strings.Contains(out.Err.Message, "Microsoft") {
				b.t.Errorf("a rate below Entra's says %q", out.Err.Message)
			}
			low := roster.Token{ID: roster.NewID(), Name: fmt.Sprint("r", rate), Hash: []byte("x"), Rate: rate}
			if out := b.commit(operator(), roster.TokenCreate{Token: low})[0]; out.Result != want {
				b.t.Errorf("create with rate %d: %s", rate, out.Result)
			}
		}
		none, same := sources[:0], 0
		b.must(operator(), roster.TokenLimit{ID: made.ID, Sources: &none, Rate: &same})
		if out := b.must(operator(), roster.TokenLimit{ID: made.ID, Sources: &none})[0]; out.Result != roster.Unchanged {
			b.t.Errorf("the same again: %s", out.Result)
		}
		if got := b.token(made.ID); got.Rate != 0 || len(got.Sources) != 0 || got.Name != "idp" || got.Disabled {
			b.t.Errorf("stored %+v", got)
		}
		b.must(operator(), roster.TokenLimit{ID: made.ID, Sources: &sources}, roster.TokenSet{ID: made.ID, Disabled: true})
		if got := b.token(made.ID); !slices.Equal(got.Sources, sources) || !got.Disabled {
			b.t.Errorf("two changes of one batch: %+v", got)
		}
	})
}

func (b *bench) token(id string) roster.Token {
	b.t.Helper()
	token, _, err := b.db.TokenByID(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return token
}
