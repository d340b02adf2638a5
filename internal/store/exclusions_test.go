package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestExclusionsHoldForTheirOrganisationAndConnectionUntilTheirEnd(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		ada := f.member(roster.Attributes{"userName": "ada@example.com"})
		f.commit(roster.Cause{}, roster.Exclude{Type: roster.TypeMember, ID: ada, Connection: f.conn, Until: time.Now().Add(time.Hour), Reason: "r"})
		holds := func(org, connection string, want int) {
			f.Helper()
			excluded, err := f.db.ExcludedFrom(ctx, org, connection)
			f.ok(err)
			if len(excluded) != want {
				f.Errorf("excluded from %s of %s: %v", connection, org, excluded)
			}
		}
		holds(f.org, f.conn, 1)
		holds(f.org, roster.NewID(), 0)
		holds(roster.NewID(), f.conn, 0)
		if list, err := f.db.Exclusions(ctx, roster.NewID(), roster.TypeMember); err != nil || len(list) != 0 {
			t.Errorf("another organisation sees %v, %v", list, err)
		}
		list, err := f.db.Exclusions(ctx, f.org, roster.TypeMember)
		f.ok(err)
		if len(list) != 1 || list[0].Name != "ada@example.com" || list[0].ConnectionName == "" {
			t.Fatalf("listed %+v", list)
		}
		f.ok(f.db.InTx(ctx, func(tx roster.Tx) error {
			list[0].Until = tx.Now()
			return tx.Write(ctx, f.org, &roster.Rows{Exclusions: list})
		}))
		holds(f.org, f.conn, 0)
		if list, err := f.db.Exclusions(ctx, f.org, roster.TypeMember); err != nil || len(list) != 0 {
			t.Errorf("one that has ended is listed: %v, %v", list, err)
		}
	})
}
