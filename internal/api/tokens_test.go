package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestTokenLimits(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		made, err := b.local.CreateToken(ctx, "acme", client.NewToken{Name: "idp", Expires: "10d", From: []string{"10.1.2.3/8", "2001:db8::1"}, Rate: 50})
		b.ok(err)
		wanted := []string{"10.0.0.0/8", "2001:db8::1"}
		if !slices.Equal(made.From, wanted) || made.Rate != 50 || made.DaysLeft == nil || *made.DaysLeft < 9 || *made.DaysLeft > 10 {
			b.t.Errorf("made %+v", made)
		}
		rate, none := 30, 0
		for name, step := range map[string]struct {
			limits client.TokenLimits
			from   []string
			rate   int
		}{
			"1 the rate alone":      {client.TokenLimits{Rate: &rate}, wanted, 30},
			"2 nothing":             {client.TokenLimits{}, wanted, 50},
			"3 the addresses alone": {client.TokenLimits{From: []string{"192.0.2.1"}}, []string{"192.0.2.1"}, 50},
			"4 any address":         {client.TokenLimits{From: []string{}}, nil, 50},
			"5 both off":            {client.TokenLimits{From: []string{}, Rate: &none}, nil, 0},
		} {
			whole := 50
			_, err := b.local.LimitToken(ctx, "acme", "idp", client.TokenLimits{From: wanted, Rate: &whole})
			b.ok(err)
			got, err := b.local.LimitToken(ctx, "acme", made.ID, step.limits)
			if b.ok(err); !slices.Equal(got.From, step.from) || got.Rate != step.rate {
				b.t.Errorf("%s: %+v", name, got)
			}
			listed := list(b, b.local.Tokens(ctx, "acme", client.ListOptions{}))
			if len(listed) != 1 || !slices.Equal(listed[0].From, step.from) || listed[0].Rate != step.rate {
				b.t.Errorf("%s: listed %+v", name, listed)
			}
		}
		low := 24
		_, err = b.local.LimitToken(ctx, "acme", "idp", client.TokenLimits{Rate: &low})
		b.refused(err, http.StatusBadRequest, "invalid", "at least 25")
		_, err = b.local.CreateToken(ctx, "acme", client.NewToken{Name: "low", Expires: "1d", Rate: 24})
		b.refused(err, http.StatusBadRequest, "invalid", "quarantine")
		_, err = b.local.LimitToken(ctx, "acme", "idp", client.TokenLimits{From: []string{"10.0.0.0/99"}})
		b.refused(err, http.StatusBadRequest, "invalid", `from: "10.0.0.0/99"`)
		_, err = b.local.CreateToken(ctx, "acme", client.NewToken{Name: "bad", Expires: "1d", From: []string{"example.com"}})
		b.refused(err, http.StatusBadRequest, "invalid", "10.0.0.0/8")
		_, err = b.local.LimitToken(ctx, "beta", "idp", client.TokenLimits{Rate: &rate})
		b.refused(err, http.StatusNotFound, "not_found", "idp")
	})
}

func TestWhatIsWrongWithAToken(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		_, err := b.local.SetSCIM(ctx, "acme", true)
		b.ok(err)
		made, err := b.local.CreateToken(ctx, "acme", client.NewToken{Name: "idp", Expires: "10m"})
		b.ok(err)
		theirs, err := b.local.CreateToken(ctx, "beta", client.NewToken{Name: "theirs", Expires: "1d"})
		b.ok(err)
		_, unknown, _ := roster.MintToken()
		check := func(token string, problems ...string) {
			b.t.Helper()
			got, err := b.local.CheckToken(ctx, "acme", token)
			b.ok(err)
			if got.OK != (len(problems) == 0) || len(got.Problems) != len(problems) {
				b.t.Errorf("got %+v, want %q", got, problems)
				return
			}
			for i, problem := range problems {
				if !strings.Contains(got.Problems[i], problem) {
					b.t.Errorf("got %q, want %q", got.Problems[i], problem)
				}
			}
			if known := token == made.Token; known != (got.Token != nil) || known && (got.Token.Name != "idp" || got.Token.Token != "") {
				b.t.Errorf("the token's own: %+v", got.Token)
			}
		}
		check(made.Token)
		check(unknown, "no such token in this organisation")
		check(theirs.Token, "no such token in this organisation")
		check(made.Token[:len(made.Token)-1]+"!", "a letter was changed")
		check("", "a part is missing")
		_, err = b.local.DisableToken(ctx, "acme", "idp")
		b.ok(err)
		check(made.Token, "disabled")
		_, err = b.local.SetSCIM(ctx, "acme", false)
		b.ok(err)
		b.now = b.now.Add(10 * time.Minute)
		check(made.Token, "disabled", "expired at", "switched off")
		for _, secret := range []string{made.Token, theirs.Token} {
			if strings.Contains(b.log.String(), secret[10:30]) {
				b.t.Errorf("the log shows a token: %s", b.log)
			}
		}
	})
}

func TestRequestsAreFiltered(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		for i, path := range []string{"/service/v1/scim/v2/Users", "/scim/v2/Users/1", "/service/v1/scim/v2/Groups"} {
			r := &roster.Request{
				ID: roster.NewID(), Org: b.acme, Time: b.now.Add(-time.Duration(i) * time.Hour), Method: []string{"GET", "POST", "GET"}[i],
				Path: path, Status: 200, TokenName: []string{"a", "b", "a"}[i], Quirk: []string{"", "capitalised op", ""}[i], Repeats: 1,
			}
			b.ok(b.db.LogRequest(ctx, r, ""))
		}
		for name, tc := range map[string]struct {
			o    client.ListOptions
			want int
		}{
			"path":            {client.ListOptions{Path: "/Users"}, 2},
			"method":          {client.ListOptions{Method: "post"}, 1},
			"token":           {client.ListOptions{Token: "a"}, 2},
			"quirk":           {client.ListOptions{Quirk: "capitalised"}, 1},
			"how long ago":    {client.ListOptions{Since: "90m"}, 2},
			"a time":          {client.ListOptions{Since: b.now.Add(-30 * time.Minute).UTC().Format(time.RFC3339)}, 1},
			"several at once": {client.ListOptions{Since: "90m", Token: "a", Path: "/"}, 1},
		} {
			got := list(b, b.local.Requests(ctx, "acme", tc.o))
			if len(got) != tc.want {
				b.t.Errorf("%s: %d, want %d", name, len(got), tc.want)
			}
			if name == "quirk" && got[0].Quirk != "capitalised op" {
				b.t.Errorf("got %+v", got[0])
			}
		}
		for _, bad := range []string{"yesterday", "1", "-1h", "99999999h", "2026-01-01"} {
			b.refused(listError(b.local.Requests(ctx, "acme", client.ListOptions{Since: bad})), http.StatusBadRequest, "invalid", "since: ")
		}
	})
}
