package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// Of more tokens than are asked for, those are told of that matter most.
func TestTokenExpiriesBeginWithWhatExpiresNext(t *testing.T) {
	each(t, func(f *fixture) {
		other := fixture{TB: f.TB, db: f.db, org: roster.NewID()}
		other.commit(roster.Cause{}, roster.OrgCreate{ID: other.org, Name: "Zweite", SCIM: true})
		now := time.Now()
		var next time.Time
		for _, token := range []struct {
			of   *fixture
			name string
			in   time.Duration // 0: never
		}{
			{f, "over long ago", -900 * time.Hour},
			{f, "later", 90 * time.Hour},
			{f, "over", -time.Hour},
			{f, "always", 0},
			{&other, "soon", time.Hour},
			{f, "soon", 2 * time.Hour},
			{f, "off", time.Minute},
		} {
			id, _, hash := roster.MintToken()
			t := roster.Token{ID: id, Name: token.name, Hash: hash}
			if token.in != 0 {
				t.ExpiresAt = now.Add(token.in).Truncate(time.Second)
			}
			token.of.commit(roster.Cause{}, roster.TokenCreate{Token: t})
			if token.name == "off" {
				token.of.commit(roster.Cause{}, roster.TokenSet{ID: id, Disabled: true})
			}
			if token.of == &other {
				next = t.ExpiresAt
			}
		}
		want := []string{"Zweite soon", "acme soon", "acme later", "acme over", "acme over long ago"}
		for limit := range len(want) + 2 {
			got, err := f.db.TokenExpiries(context.Background(), limit)
			if err != nil {
				f.Fatal(err)
			}
			names := []string{}
			for _, e := range got {
				names = append(names, e.Organisation+" "+e.Token)
			}
			if !slices.Equal(names, want[:min(limit, len(want))]) {
				f.Errorf("of at most %d: %q", limit, names)
			}
			if limit == 1 && !got[0].ExpiresAt.Equal(next) {
				f.Errorf("%+v, want %s", got[0], next)
			}
		}
	})
}
